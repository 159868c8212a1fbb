"""
What is done to visitors and logins: at this server, and again at each other one of a cluster.

An act has a name and arguments that JSON has, so that it can be told.  What comes from another
server is checked before it is done.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from math import inf, isfinite
from typing import Any

from mojo.credential import Credential
from mojo.errors import PacketError
from mojo.sessions.revocations import SESSION, USER, Mark, Revocations
from mojo.sessions.stores import Sender, sender_of
from mojo.socketio.server import SocketServer

#: What ``on_logout`` is told when a user or a session was revoked.
REVOKED = "revoked"


# Gives what is worthless by it, if anything is.
_Act = Callable[..., Sequence[Mark] | None]


class VisitorActs:
    """
    The acts of one server.

    Args:
        sockets: whose clients they concern.
        revocations: what is worthless.

    Attributes:
        sockets: see above.
        revocations: see above.
    """

    def __init__(self, sockets: SocketServer, revocations: Revocations) -> None:
        self.sockets = sockets
        self.revocations = revocations
        self._table: dict[
            str, tuple[Callable[..., Sequence[Mark] | None], tuple[Callable[[Any], Any], ...]]
        ] = {
            "revoke": (self._revoke, (_text_or_none, _text_or_none, _text, _seconds)),
            "log_out": (self._log_out, (_text_or_none, _text_or_none, _text, _text_or_none)),
            "end_login": (self._end_login, (_credential, _text)),
            "adopt_login": (self.sockets.adopt_login, (_text, _credential)),
            "renew_login": (self.sockets.logins.renew, (_credential,)),
            "user_changed": (self.sockets.user_changed, (_text,)),
            "move": (self._move, (_text, _text, _sender)),
        }

    @property
    def names(self) -> Collection[str]:
        """What can be done."""
        return self._table.keys()

    def perform(self, act: str, args: Sequence[Any]) -> Sequence[Mark]:
        """
        Do something.

        Returns:
            What is worthless by it.
        Raises:
            PacketError: there is no such act, or not with such arguments.
        """
        known = self._table.get(act)
        if known is None or len(args) != len(known[1]):
            raise PacketError("an unknown act")
        function, readers = known
        return function(*(read(arg) for read, arg in zip(readers, args, strict=True))) or ()

    def learnt(self, marks: Sequence[Mark]) -> None:
        """Take logins and sessions, of which is learnt late that they are worthless."""
        for mark in marks:
            if mark.kind == SESSION and mark.key:
                self.sockets.end_session(mark.key, REVOKED)
            else:
                whose = (mark.key if mark.kind == USER else mark.user_id) or None
                self.sockets.logins.end(REVOKED, self.revocations.covers, whose)

    def _revoke(
        self, user_id: str | None, session_id: str | None, reason: str, at: float
    ) -> Sequence[Mark]:
        # First what they could come back with, then who is here.
        marks = []
        if user_id is not None:
            marks.append(self.revocations.revoke_user(user_id, at))
        if session_id is not None:
            marks.append(self.revocations.revoke_session(session_id))
        if user_id is not None:
            self.sockets.end_user(user_id, reason)
        if session_id is not None:
            self.sockets.end_session(session_id, reason)
        return marks

    def _log_out(
        self, session_id: str | None, user_id: str | None, reason: str, keep: str | None
    ) -> None:
        self.sockets.log_out(session_id, user_id, reason, keep=keep)

    def _end_login(self, credential: Credential, reason: str) -> Sequence[Mark]:
        mark = self.revocations.revoke_login(credential)
        self.sockets.logins.end(reason, lambda c: c.id == credential.id, credential.user_id)
        return (mark,)

    def _move(self, former: str, session_id: str, sender: Sender) -> None:
        self.sockets.move_visitor(
            former, session_id, lambda handshake: sender_of(handshake) == sender
        )


def write_credential(credential: Credential) -> dict[str, Any]:
    """Give a login as an act has it."""
    expires = credential.expires
    return {**asdict(credential), "expires": expires if isfinite(expires) else None}


def write_sender(sender: Sender) -> list[Any]:
    """Give a sender as an act has it."""
    return [sender.address, list(sender.agent)]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise PacketError("an act's argument that is no text")
    return value


def _text_or_none(value: Any) -> str | None:
    return None if value is None else _text(value)


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise PacketError("an act's argument that is no time")
    return float(value)


def _credential(value: Any) -> Credential:
    if not isinstance(value, dict):
        raise PacketError("an act's argument that is no login")
    expires = value.get("expires")
    return Credential(
        user_id=_text(value.get("user_id")),
        id=_text(value.get("id")),
        since=_seconds(value.get("since")),
        expires=inf if expires is None else _seconds(expires),
        session_id=_text_or_none(value.get("session_id")),
    )


def _sender(value: Any) -> Sender:
    if not isinstance(value, list) or len(value) != 2 or not isinstance(value[1], list):
        raise PacketError("an act's argument that is no sender")
    return Sender(_text(value[0]), tuple(map(_text, value[1])))
