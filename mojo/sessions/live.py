"""
The sessions of connections: loaded when they are asked for, saved when they were changed.

A connection has no end at which its changes could be saved, as a page has.  So what a turn
of the reactor has changed is saved when it ends; and while the store does not answer it is kept
and tried again, since there is nobody whom an error could tell to do it once more.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from mojo.engineio.handshake import Cookies
from mojo.errors import SessionMoved, SessionUnavailable
from mojo.sessions.data import Record, Session
from mojo.sessions.keeper import SessionKeeper
from mojo.sessions.stores import sender_of
from mojo.socketio.connection import Connection

_log = Logger()

#: Seconds after which changes that could not be saved are tried again.
RETRY_SECONDS = 5.0
#: Most sessions whose changes wait for the store.
MAX_WAITING = 10_000

_NO_COOKIE = (
    "a client without a good session_id cookie has no session to change: a page with "
    "MojoSessionMixin gives it one"
)
_PAGES_ONLY = (
    "a session that is kept in a cookie can be changed by pages alone: a connection cannot set "
    "cookies (see SESSION_STORE)"
)


class ConnectionCarrier:
    """The `Carrier` of a connection's session."""

    answers = False

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        handshake = connection.client.session.handshake
        self.sender = sender_of(handshake)
        self.cookies: Cookies = handshake.cookies

    def set_session_cookie(self, name: str, token: str, max_age: float) -> None:
        """Not to be called: there is no response."""
        raise NotImplementedError


class LiveSessions:
    """
    The `SessionSource` of a server.

    Args:
        keeper: loads and saves.
        clock: wakes us.
    """

    def __init__(self, keeper: SessionKeeper, clock: IReactorTime) -> None:
        self._keeper = keeper
        self._clock = clock
        self._changed: dict[Session, None] = {}
        self._waiting: dict[Session, None] = {}
        self._soon: IDelayedCall | None = None
        self._later: IDelayedCall | None = None

    def load(self, connection: Connection) -> Deferred[MutableMapping[str, Any]]:
        """Load a connection's session; see `SessionSource`."""
        return Deferred.fromCoroutine(self._load(connection))

    async def _load(self, connection: Connection) -> MutableMapping[str, Any]:
        while True:
            session_id = connection.session_id
            try:
                session = await self._load_of(connection, session_id)
            except SessionMoved:
                if connection.session_id == session_id:
                    raise
                continue  # it was moved meanwhile, and this connection with it
            if connection.session_id == session_id:
                connection.session = session
                return session

    async def _load_of(self, connection: Connection, session_id: str | None) -> Session:
        session = connection.session
        if isinstance(session, Session) and session.record.session_id == session_id:
            await self._keeper.reload(session)
            return session
        carrier = ConnectionCarrier(connection)
        if session_id is None:
            return Session(Record(""), carrier, max_size=0, refusal=_NO_COOKIE)
        refusal = _PAGES_ONLY if self._keeper.pages_only else ""
        return await self._keeper.load(session_id, carrier, self._note, refusal)

    def save(self, connection: Connection) -> Deferred[None]:
        """Save a connection's session; see `SessionSource`."""
        session = connection.session
        assert isinstance(session, Session)
        return Deferred.fromCoroutine(self._keeper.save(session))

    async def close(self) -> None:
        """Save what is not saved yet; what cannot be is told to the operator."""
        for call in (self._soon, self._later):
            if call is not None:
                call.cancel()
        self._soon = self._later = None
        unsaved = {**self._waiting, **self._changed}
        self._waiting, self._changed = {}, {}
        lost = 0
        for session in unsaved:
            try:
                await self._keeper.save(session)
            except Exception:
                lost += 1
        if lost:
            _log.error("the changes of {lost} sessions could not be saved", lost=lost)

    # -- within -------------------------------------------------------------

    def _note(self, session: Session) -> None:
        """Save a session when the turn ends."""
        self._changed[session] = None
        if self._soon is None:
            self._soon = self._clock.callLater(0, self._save_changed)

    def _save_changed(self) -> None:
        self._soon = None
        changed, self._changed = self._changed, {}
        for session in changed:
            self._save(session)

    def _save_waiting(self) -> None:
        self._later = None
        for session in list(self._waiting):
            self._save(session)

    def _save(self, session: Session) -> None:
        saving = Deferred.fromCoroutine(self._keeper.save(session))
        saving.addCallbacks(
            partial(self._saved, session), partial(self._failed, session)
        ).addErrback(lambda failure: _log.failure("a session could not be saved", failure))

    def _saved(self, session: Session, _: None) -> None:
        if session in self._waiting:
            del self._waiting[session]
            _log.info("the changes of a session are saved after all")

    def _failed(self, session: Session, failure: Failure) -> None:
        is_news = session not in self._waiting
        if failure.check(SessionUnavailable):
            self._wait(session)
        else:
            # It will not be better at another time.
            self._waiting.pop(session, None)
            session.forget_changes()
            is_news = True
        if is_news:
            carrier = session.carrier
            assert isinstance(carrier, ConnectionCarrier)
            carrier.connection.report(failure, "session")

    def _wait(self, session: Session) -> None:
        self._waiting[session] = None
        if len(self._waiting) > MAX_WAITING:
            lost = next(iter(self._waiting))
            del self._waiting[lost]
            lost.forget_changes()
            _log.error("too many sessions wait to be saved: the changes of one are lost")
        if self._later is None:
            self._later = self._clock.callLater(RETRY_SECONDS, self._save_waiting)
