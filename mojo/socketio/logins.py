"""
The logins that live connections rest on: they run out, are renewed, and are taken back.

A client has the login of its handshake's cookies, and a connection may have one of its
own, from a token in ``auth``.  Both are kept here by their user, and one alarm for each
login ends it when its time is up, in every tab at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from twisted.internet.interfaces import IReactorTime

from mojo.credential import Credential
from mojo.engineio.alarms import Alarms

#: What ``on_logout`` is told when a login has run out.
EXPIRED = "expired"

# A login of a user.
_Key = tuple[str, str]


class Holder(Protocol):
    """A client, or a connection with a token of its own."""

    def log_out(self, reason: str) -> None:
        """Lose the login, and tell the app."""


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
        self._held: dict[Holder, Credential] = {}
        self._of_user: dict[str, dict[Holder, None]] = {}
        self._alarms: Alarms[_Key] = Alarms(clock, self._ran_out)

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, holder: Holder, credential: Credential) -> None:
        """Note that somebody has a login, in place of another."""
        self.drop(holder)
        self._held[holder] = credential
        self._of_user.setdefault(credential.user_id, {})[holder] = None
        self._alarms.set((credential.user_id, credential.id), credential.expires - self._now())

    def drop(self, holder: Holder) -> None:
        """Note that somebody has none, or is gone."""
        credential = self._held.pop(holder, None)
        if credential is None:
            return
        others = self._of_user[credential.user_id]
        del others[holder]
        if not others:
            del self._of_user[credential.user_id]
        if not any(self._held[other].id == credential.id for other in others):
            self._alarms.stop((credential.user_id, credential.id))

    def holders(self, user_id: str) -> list[Holder]:
        """Give those who have a login of a user."""
        return list(self._of_user.get(user_id, ()))

    def renew(self, credential: Credential) -> None:
        """Let a login go on, in all who have it, until it runs out anew."""
        for holder in self.holders(credential.user_id):
            if self._held[holder].id == credential.id:
                self._held[holder] = replace(self._held[holder], expires=credential.expires)
                wait = credential.expires - self._now()
                self._alarms.set((credential.user_id, credential.id), wait)

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
        holders = list(self._held) if user_id is None else self.holders(user_id)
        # First all, then the apps are told: what one of them does may end others.
        out = [holder for holder in holders if is_out(self._held[holder])]
        for holder in out:
            self.drop(holder)
        for holder in out:
            holder.log_out(reason)

    def stop(self) -> None:
        """Leave no timer."""
        self._alarms.clear()

    def _ran_out(self, key: _Key) -> None:
        user_id, login = key
        # One that was renewed has an alarm of its own, whatever this one's was.
        self.end(EXPIRED, lambda c: c.id == login and c.expires <= self._now(), user_id)
        for holder in self.holders(user_id):
            if self._held[holder].id == login:
                self._alarms.set(key, self._held[holder].expires - self._now())
