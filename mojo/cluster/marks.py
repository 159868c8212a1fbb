"""
Where a server learns what was revoked while it was away: a `MarkSource`.

With Redis it is kept there, see `redis_marks`.  Without, as among the workers of a machine, another
one of them is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from mojo.cluster.channel import MojoChannel
from mojo.cluster.peers import Peers, Standing
from mojo.cluster.presence_wire import in_parts
from mojo.cluster.wire import is_number
from mojo.errors import PacketError
from mojo.sessions.revocations import KINDS, Mark

#: Seconds in which a sibling must begin to answer, and go on.
SIBLING_SECONDS = 0.3


class MarkSource(Protocol):
    """Who knows what was revoked."""

    async def read(self) -> list[Mark]:
        """
        Give all of it.

        Raises:
            ClusterUnavailable: it cannot be had now.
        """

    async def keep(self, marks: Sequence[Mark]) -> None:
        """
        Know of more.

        Raises:
            ClusterUnavailable: not now.
        """

    async def close(self) -> None:
        """End."""


class SiblingMarks:
    """
    What another server knows that was there before.

    All are asked who knows, and the first that answers is asked for what: one that was known to be
    there may be dead by now.

    Args:
        channel: what they are asked by.
        clock: for the time limit.
        peers: tells whether this server was there before; who was not knows once it was told.
        marks: gives what is known here, for those who ask.
    """

    def __init__(
        self,
        channel: MojoChannel,
        clock: IReactorTime,
        peers: Peers,
        marks: Callable[[], Iterable[Mark]],
    ) -> None:
        self._channel = channel
        self._clock = clock
        self._peers = peers
        self._marks = marks
        self._question = 0
        self._parts: list[Mark] = []
        self._answer: Deferred[None] = Deferred()
        self._late: IDelayedCall | None = None
        self._is_chosen = False
        self._was_told = False
        channel.takers["knows?"] = self._take_call
        channel.takers["knows"] = self._take_offer
        channel.takers["marks?"] = self._take_question
        channel.takers["marks"] = self._take_part

    def __repr__(self) -> str:
        return "<SiblingMarks>"

    async def read(self) -> list[Mark]:
        """Ask one of the others; nothing is known where nobody answers; see `MarkSource`."""
        self._question += 1
        self._parts = []
        answer = self._answer = Deferred()
        self._late = self._clock.callLater(SIBLING_SECONDS, answer.callback, None)
        self._is_chosen = False
        self._channel.tell("knows?", [self._question], waits=False)
        await answer
        return self._parts

    async def keep(self, marks: Sequence[Mark]) -> None:
        """Do nothing: the others are told of each as it is made."""

    async def close(self) -> None:
        """Wait for nobody."""
        self._end()

    def _waits_for(self, question: Any) -> bool:
        """Tell whether an answer is awaited, and wait for the next one too."""
        if question != self._question or self._late is None or not self._late.active():
            return False
        self._late.reset(SIBLING_SECONDS)
        return True

    def _end(self) -> None:
        if self._late is not None and self._late.active():
            self._late.cancel()
            self._answer.callback(None)

    def _take_call(self, uid: str, args: list[Any]) -> None:
        question = _number(args)
        if self._was_told or self._peers.standing is Standing.HERE:
            self._channel.tell("knows", [question], to=uid, waits=False)

    def _take_offer(self, uid: str, args: list[Any]) -> None:
        if self._waits_for(_number(args)) and not self._is_chosen:
            self._is_chosen = True
            self._channel.tell("marks?", [self._question], to=uid, waits=False)

    def _take_question(self, uid: str, args: list[Any]) -> None:
        question = _number(args)
        parts = list(in_parts(map(list, self._marks())))
        for number, part in enumerate(parts, 1):
            self._channel.tell("marks", [question, number == len(parts), part], to=uid)

    def _take_part(self, uid: str, args: list[Any]) -> None:
        if len(args) != 3 or not isinstance(args[2], list):
            raise PacketError("an answer has marks")
        marks = [read_mark(item) for item in args[2]]
        if self._waits_for(args[0]):
            self._parts += marks
            if args[1] is True:
                self._was_told = True
                self._end()


def _number(args: list[Any]) -> int:
    if len(args) != 1 or not isinstance(args[0], int):
        raise PacketError("a question has a number")
    return args[0]


def read_mark(item: Any) -> Mark:
    """
    Give a mark as messages have it.

    Raises:
        PacketError: it is none.
    """
    if not isinstance(item, list) or len(item) != 4:
        raise PacketError("a mark has a kind, a key and a moment")
    kind, key, at, user_id = item
    if kind not in KINDS or not isinstance(key, str) or not isinstance(user_id, str):
        raise PacketError("a mark of an unknown kind")
    if not is_number(at):
        raise PacketError("a mark without a moment")
    return Mark(kind, key, float(at), user_id)
