"""A worker's end of the pipes to its parent: what it says and asks, and what it is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Protocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from mojo.cluster.stats import ClusterStats
from mojo.errors import ClusterUnavailable, PacketError, SessionMoved
from mojo.workers import frames
from mojo.workers.outlet import Outlet, Pipe

_log = Logger()

#: Seconds in which the parent answers what somebody waits for.
ASK_SECONDS = 5.0


class ParentGone(ClusterUnavailable):
    """There is no parent any more, and soon no worker."""


class Link(Protocol):
    """
    The link to the parent.

    Args:
        clock: tells the time.
        most: most bytes of a frame.

    Attributes:
        max_message: the most bytes of a message that the parent takes.
        max_session: the most bytes of a session that it takes.
        stats: what is counted.
        told: what is done when the parent says something, by what it says.
        carries: takes the frames of other workers.
        lost: called when what was said may not have arrived.
        gone: called when there is no parent any more.
    """

    def __init__(self, clock: IReactorTime, most: int) -> None:
        self.clock = clock
        self.max_message = frames.max_message_in(most)
        self.max_session = frames.max_session_in(most)
        self.stats = ClusterStats()
        self.told: dict[str, Callable[[dict[str, Any]], object]] = {
            "answer": self._answered,
            "moved": self._moved,
        }
        self.carries: Callable[[bytes], object] = lambda _: None
        self.lost: Callable[[], object] = lambda: None
        self.gone: Callable[[], object] = lambda: None
        self._outlet = Outlet(clock, self.stats)
        self._reader = frames.FrameReader(most)
        self._asked: dict[int, Deferred[Any]] = {}
        self._questions = 0
        self._closed: Deferred[None] = Deferred()

    @property
    def is_up(self) -> bool:
        """Whether there is a parent."""
        return self._outlet.is_open

    def connectionMade(self) -> None:
        """Begin to speak."""
        self._outlet.connect(cast(Pipe, self.transport))

    def dataReceived(self, data: bytes) -> None:
        """Take what the parent says."""
        try:
            for frame in self._reader.feed(data):
                self._take(frame)
        except PacketError:
            _log.failure("the parent says what cannot be read")
            assert self.transport is not None
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure | None = None) -> None:
        """There is no parent any more."""
        self._outlet.stopProducing()
        asked, self._asked = self._asked, {}
        for answered in asked.values():
            answered.errback(ParentGone("there is no parent any more"))
        self._closed.callback(None)
        self.lost()
        self.gone()

    def send(self, frame: bytes) -> bool:
        """Send what is for other workers; see `Outlet.send`."""
        return self._outlet.send(frame)

    def tell(self, said: str, **values: Any) -> None:
        """Say something to the parent."""
        self._outlet.tell(frames.pack_control(said, **values))

    def offer(self, said: str, **values: Any) -> bool:
        """Say what may be lost; tell whether there was room for it."""
        return self._outlet.offer(frames.pack_control(said, **values))

    def ask(self, what: str, *args: Any) -> Deferred[Any]:
        """
        Ask the parent something; fails with `ClusterUnavailable`, or with `SessionMoved`.

        The parent may not answer.  Whoever does not want to wait any longer cancels.

        Args:
            what: which question.
            args: what belongs to it, and JSON has.
        """
        if not self.is_up:
            return fail(ParentGone("there is no parent any more"))
        self._questions += 1
        number = self._questions
        if not self.offer("ask", id=number, what=what, args=args):
            return fail(ClusterUnavailable("the parent does not read"))
        answered: Deferred[Any] = Deferred(lambda _: self._forget(number))
        self._asked[number] = answered
        return answered

    def close(self) -> Deferred[None]:
        """Say no more; fires when all that was said has left."""
        assert self.transport is not None
        self.transport.loseConnection()
        return self._closed

    def _take(self, frame: bytes) -> None:
        if frames.kind_of(frame) != frames.CONTROL:
            self.stats.received += 1
            self.carries(frame)
            return
        control = frames.unpack_control(frame)
        told = self.told.get(control["said"])
        if told is None:
            raise PacketError("an unknown word")
        told(control)

    def _forget(self, number: int) -> None:
        self._asked.pop(number, None)

    def _answered(self, control: dict[str, Any]) -> None:
        asked = self._asked.pop(control["id"], None)
        if asked is not None:
            asked.callback(control["answer"])

    def _moved(self, control: dict[str, Any]) -> None:
        asked = self._asked.pop(control["id"], None)
        if asked is not None:
            asked.errback(SessionMoved(control["ago"]))
