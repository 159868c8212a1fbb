"""
The logins that live connections rest on: they run out, are renewed, and are taken back.

A client has the login of its handshake's cookies, and a connection may have one of its
own, from a token in ``auth``.  Both are kept here by their user and the login, of which each
has one alarm that ends it when its time is up, in every tab at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from twisted.internet.interfaces import IReactorTime

from mojo.credential import Credential
from mojo.engineio.alarms import Alarms

#: What ``on_logout`` is told when a login has run out.
EXPIRED = "expired"


class Holder(Protocol):
    """A client, or a connection with a token of its own."""

    def log_out(self, reason: str) -> None:
        """Lose the login, and tell the app."""


class _Login:
    """
    A login and those who have it.

    Its end is that of whichever copy lasts longest: a page that seals the cookie anew lets
    all of them live on, and so does a newer copy that somebody comes with.
    """

    __slots__ = ("credential", "holders")

    def __init__(self, credential: Credential) -> None:
        self.credential = credential
        self.holders: dict[Holder, None] = {}


class LiveLogins:
    """
    Who holds which login.

    Args:
        clock: wakes us.
        now: gives the seconds since the epoch, by which logins run out.

    Attributes:
        from_auth: finds a login in the ``auth`` of a client that joins a namespace.
    """

    def __init__(self, clock: IReactorTime, now: Callable[[], float]) -> None:
        self._now = now
        self.from_auth: Callable[[Mapping[str, Any]], Credential | None] = lambda auth: None
        self._held: dict[Holder, _Login] = {}
        # By the user, and by the login's id.
        self._of_user: dict[str, dict[str, _Login]] = {}
        self._alarms: Alarms[_Login] = Alarms(clock, self._ran_out)

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, holder: Holder) -> bool:
        return holder in self._held

    def hold(self, holder: Holder, credential: Credential) -> None:
        """Note that somebody has a login, in place of another."""
        self.drop(holder)
        logins = self._of_user.setdefault(credential.user_id, {})
        login = logins.get(credential.id)
        if login is None:
            login = logins[credential.id] = _Login(credential)
            self._wait(login)
        elif credential.expires > login.credential.expires:
            login.credential = credential
            self._wait(login)
        login.holders[holder] = None
        self._held[holder] = login

    def drop(self, holder: Holder) -> None:
        """Note that somebody has none, or is gone."""
        login = self._held.pop(holder, None)
        if login is None:
            return
        del login.holders[holder]
        if not login.holders:
            self._alarms.stop(login)
            credential = login.credential
            logins = self._of_user[credential.user_id]
            del logins[credential.id]
            if not logins:
                del self._of_user[credential.user_id]

    def holders(self, user_id: str) -> list[Holder]:
        """Give those who have a login of a user."""
        return [h for login in self._of_user.get(user_id, {}).values() for h in login.holders]

    def renew(self, credential: Credential) -> None:
        """Let a login go on, in all who have it, until it runs out anew."""
        login = self._of_user.get(credential.user_id, {}).get(credential.id)
        if login is not None:
            login.credential = credential
            self._wait(login)

    def end(
        self, reason: str, is_out: Callable[[Credential], bool], user_id: str | None = None
    ) -> None:
        """
        Take logins from all who have them.

        Args:
            reason: what the handlers' ``on_logout`` is told.
            is_out: chooses the logins.
            user_id: whose they are, if that is known.
        """
        of_users = self._of_user.values() if user_id is None else [self._of_user.get(user_id, {})]
        self._end(
            reason,
            [
                holder
                for logins in of_users
                for login in logins.values()
                if is_out(login.credential)
                for holder in login.holders
            ],
        )

    def stop(self) -> None:
        """Leave no timer."""
        self._alarms.clear()

    def _end(self, reason: str, out: list[Holder]) -> None:
        # First all, then the apps are told: what one of them does may end others.
        for holder in out:
            self.drop(holder)
        for holder in out:
            holder.log_out(reason)

    def _wait(self, login: _Login) -> None:
        self._alarms.set(login, login.credential.expires - self._now())

    def _ran_out(self, login: _Login) -> None:
        if login.credential.expires > self._now():
            self._wait(login)  # the clocks differ
        else:
            self._end(EXPIRED, list(login.holders))
