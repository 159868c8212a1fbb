"""The user of a connection: loaded when asked for, kept for a while, asked by guards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from mojo.calls import settled
from mojo.errors import ConnectionRefused, EventRefused
from mojo.guards import Guard, Refusal
from mojo.users import LoadedUser

if TYPE_CHECKING:
    from mojo.socketio.connection import Connection


class UserMethods:
    """
    Methods of `MojoSocketHandler` about the user.

    Attributes:
        guards: what ``@login_required`` and ``@require`` have put before the class.
    """

    guards: ClassVar[Sequence[Guard]] = ()

    _connection: Connection
    _loaded: LoadedUser | None = None
    # How often the user was said to have changed: what is being loaded then is out of date.
    _changes = 0

    @property
    def current_user(self) -> Deferred[Any]:
        """
        The user, to be awaited: ``user = await self.current_user``.

        It is what ``LOAD_USER`` makes of the login's id, or the id without such a hook;
        ``None`` for anonymous visitors.  It is kept for ``USER_MAX_AGE`` seconds, until the
        login goes, or until ``service.user_changed(user_id)``.
        """
        return Deferred.fromCoroutine(self._load_user())

    @property
    def loaded_user(self) -> Any:
        """The user as last loaded, by `current_user` or a guard; ``None`` if not yet."""
        loaded = self._loaded
        return loaded.user if loaded is not None and loaded.user_id == self._user_id else None

    # -- for guards ---------------------------------------------------------

    def pass_guard(self, guard: Guard, call: Callable[[], Any]) -> Any:
        """
        Call something if the user may.

        Raises:
            EventRefused: the user may not.
        """
        if self._is_fresh:
            _refuse_event(self._refusal(guard, self.loaded_user))
            return call()
        return self._pass_later(guard, call)

    async def _pass_later(self, guard: Guard, call: Callable[[], Any]) -> Any:
        _refuse_event(self._refusal(guard, await self._load_user()))
        return await settled(call())

    async def ask_guards(self) -> None:
        """
        Ask the guards of the class, before ``on_open`` is called.

        Raises:
            ConnectionRefused: one of them refuses.
        """
        user = await self._load_user()
        for guard in self.guards:
            refusal = self._refusal(guard, user)
            if refusal is not None:
                raise ConnectionRefused(refusal.message, refusal.data)

    def user_changed(self) -> None:
        """Load the user anew when it is asked for; whom the class lets in no more goes at once."""
        self._loaded = None
        self._changes += 1
        if self.guards:
            Deferred.fromCoroutine(self.ask_guards()).addErrback(self._not_admitted)

    def _not_admitted(self, failure: Failure) -> None:
        if failure.check(ConnectionRefused) is None:
            # Who cannot be asked about is not let stay.
            self._connection.report(failure, "LOAD_USER")
        self._connection.disconnect()

    # -- within -------------------------------------------------------------

    @property
    def _user_id(self) -> str | None:
        return self._connection.user_id

    @property
    def _is_fresh(self) -> bool:
        if self._user_id is None:
            return True
        loaded = self._loaded
        if loaded is None or loaded.user_id != self._user_id:
            return False
        namespace = self._connection.namespace
        return namespace.clock.seconds() - loaded.at < namespace.users.max_age

    async def _load_user(self) -> Any:
        if self._is_fresh:
            return self.loaded_user
        user_id = self._user_id
        assert user_id is not None
        namespace = self._connection.namespace
        at, changes = namespace.clock.seconds(), self._changes
        user = await settled(namespace.users.load(user_id))
        if self._user_id != user_id:
            return None  # logged out meanwhile
        if self._changes != changes:
            return await self._load_user()
        self._loaded = LoadedUser(user_id, user, at)
        return user

    def _refusal(self, guard: Guard, user: Any) -> Refusal | None:
        return guard.refusal(user, self._connection.namespace.users.roles_of)


def _refuse_event(refusal: Refusal | None) -> None:
    if refusal is not None:
        raise EventRefused(refusal.message, refusal.data)
