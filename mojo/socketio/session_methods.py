"""
The visitor's session in a handler: what pages have under the same names.

What a session is and where it is kept is nothing that Socket.IO knows: it asks a
`SessionSource` for a dict.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, ClassVar

from twisted.internet.defer import Deferred, fail

from mojo.errors import SessionError
from mojo.socketio.connection import Connection
from mojo.socketio.ports import SessionSource


class SessionMethods:
    """
    Methods of `MojoSocketHandler` about the visitor's session.

    Attributes:
        loads_session: whether `session` is loaded before the class's middleware and
            ``on_open`` are called.  While it cannot be, clients are refused.
    """

    loads_session: ClassVar[bool] = False

    _connection: Connection

    @property
    def session(self) -> MutableMapping[str, Any]:
        """
        The visitor's session, a dict of JSON values that pages have too.

        It is as it was loaded last, or saved last by anybody in this process.  What is
        changed is saved when the reactor's turn ends.  Without a ``session_id`` cookie it
        is empty, and cannot be changed.

        Raises:
            SessionError: it is not loaded: see `loads_session` and `load_session`.
        """
        session = self._connection.session
        if session is None:
            raise not_loaded(self)
        return session

    def load_session(self) -> Deferred[MutableMapping[str, Any]]:
        """
        Load the session, or load it anew: another process may have changed it.

        Returns:
            A Deferred, to be awaited in a coroutine, of `session`.  It fails with
            `SessionUnavailable` while the store does not answer.
        """
        try:
            return self._session_source().load(self._connection)
        except SessionError:
            return fail()

    def save_session(self) -> Deferred[None]:
        """
        Save what was changed now, and know that it is saved.

        Returns:
            A Deferred, to be awaited in a coroutine.  It fails with `SessionUnavailable`
            while the store does not answer; the changes are tried again later.
        """
        if self._connection.session is None:
            return fail(not_loaded(self))
        try:
            return self._session_source().save(self._connection)
        except SessionError:
            return fail()

    def get_session_key(self, key: str, default: Any = None) -> Any:
        """Give a value of `session`; the first Mojo's name of ``session.get``."""
        return self.session.get(key, default)

    def set_session_key(self, key: str, value: Any) -> None:
        """Set a value of `session`; the first Mojo's name of ``session[key] = value``."""
        self.session[key] = value

    def _session_source(self) -> SessionSource:
        source = self._connection.namespace.sessions
        if source is None:
            raise SessionError("this server keeps no sessions")
        return source


def not_loaded(owner: object) -> SessionError:
    """Make the error for a session that is used too early."""
    return SessionError(
        f"the session of {type(owner).__qualname__} is not loaded: set loads_session = True in "
        "the class, or await self.load_session() first"
    )
