"""A parent and its workers in one process: what is in their pipes comes when the test says so."""

from __future__ import annotations

from twisted.internet.task import Clock

from mojo.workers import frames
from mojo.workers.bus import WorkerBus
from mojo.workers.hub import Hub
from mojo.workers.link import Link

MOST = 1_000_000


class MemoryPipe:
    """
    One end of a pipe; it is as full as a test says.

    Attributes:
        written: what was written, and has not been taken out at the other end.
        producer: who wants to know when there is room.
    """

    def __init__(self) -> None:
        self.written = bytearray()
        self.producer = None

    def write(self, data: bytes) -> None:
        self.written += data

    def registerProducer(self, producer, streaming) -> None:
        assert streaming
        self.producer = producer

    def loseConnection(self) -> None:
        self.written.clear()

    def take(self) -> bytes:
        data, self.written = bytes(self.written), bytearray()
        return data


class Member:
    """A worker: its link, the hub's line to it, and the pipes between them."""

    def __init__(self, hub: Hub, clock: Clock, name: str) -> None:
        self.heard: list[str] = []
        self.down, self.up = MemoryPipe(), MemoryPipe()
        self.link = Link(clock, MOST)
        self.line = hub.join(name, self.down, self.heard.append)
        self.link.makeConnection(self.up)
        self.published: list[bytes] = []

    def turn(self) -> bool:
        """Move what is in the pipes; tell whether there was something."""
        up, down = self.up.take(), self.down.take()
        if up:
            self.published += [
                frame
                for frame in frames.FrameReader(MOST).feed(up)
                if frames.kind_of(frame) != frames.CONTROL
            ]
            self.line.received(up)
        if down:
            self.link.dataReceived(down)
        return bool(up or down)


class Machine:
    """
    A hub and its members; for the adapters' tests it is an `Exchange`.

    Attributes:
        hub: the hub.
        members: the workers, in the order in which they were made.
    """

    def __init__(self) -> None:
        self.clock = Clock()
        self.hub = Hub(self.clock, MOST)
        self.members: list[Member] = []

    def join(self) -> Member:
        """Start one more."""
        member = Member(self.hub, self.clock, f"{len(self.members)}.1")
        self.members.append(member)
        return member

    def bus(self) -> WorkerBus:
        """Start one more worker, and give its bus."""
        member = self.join()
        bus = WorkerBus(member.link, MOST)
        bus.start()
        return bus

    def turn(self) -> None:
        """Move what is in the pipes until there is nothing."""
        while True in {member.turn() for member in self.members}:
            pass

    @property
    def published(self) -> list[bytes]:
        """Every message that a worker has sent."""
        return [frame for member in self.members for frame in member.published]

    def cut(self, bus: WorkerBus) -> None:
        """Break the pipes of a worker."""
        self._member_of(bus).link.connectionLost()

    cut_off = cut

    def _member_of(self, bus: WorkerBus) -> Member:
        return next(member for member in self.members if member.link is bus._link)
