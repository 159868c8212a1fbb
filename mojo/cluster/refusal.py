"""
When Redis answers, and does not do what it is told: it has no memory left, cannot save its data,
or a user may do less than a minute ago.

That is no fault of the message, which waits as if Redis were away.  Each second something is
sent that means nothing to anybody; when that is taken, messages are again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall

from mojo.redis.resp import RespError

#: Seconds between two tries.
RETRY_SECONDS = 1.0
_STATES = frozenset(
    ("BUSY", "LOADING", "MASTERDOWN", "MISCONF", "NOAUTH", "NOPERM", "NOREPLICAS", "OOM",
     "READONLY", "WRONGTYPE")
)  # fmt: skip


def is_state(error: RespError) -> bool:
    """Tell whether Redis refuses everything of this kind, and not this message."""
    word, _, text = str(error).partition(" ")
    # One channel may be forbidden, as of a namespace that an ACL does not know.
    return word in _STATES and not (word == "NOPERM" and "channel" in text)


class Refusal:
    """
    Notes that Redis refuses, and finds out when it does not any longer.

    Args:
        reactor: tells the time.
        ask: sends something that means nothing, by the command that was refused; is given
            that and what takes the answer.
        ended: called when it is taken.

    Attributes:
        why: what Redis says; ``None`` while it does not refuse.
    """

    def __init__(
        self,
        reactor: Any,
        ask: Callable[[str | bytes, Callable[[Any], None]], object],
        ended: Callable[[], object],
    ) -> None:
        self.why: str | None = None
        self._reactor = reactor
        self._ask = ask
        self._ended = ended
        self._command: str | bytes = b""
        self._timer: IDelayedCall | None = None

    def begin(self, command: str | bytes, error: RespError) -> None:
        """Note that it refuses a command."""
        if self.why is None:
            self.why, self._command = str(error), command
            self._ask_later()

    def forget(self) -> None:
        """Know nothing: there is another connection, or none."""
        self.why = None
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def _ask_later(self) -> None:
        self._timer = self._reactor.callLater(RETRY_SECONDS, self._ask_now)

    def _ask_now(self) -> None:
        self._ask(self._command, self._answered)

    def _answered(self, reply: Any) -> None:
        if self.why is None:
            return
        if isinstance(reply, RespError):
            self._ask_later()
        else:
            self.forget()
            self._ended()
