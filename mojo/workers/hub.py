"""
The parent's half of the workers' bus: what one of them publishes, all get that listen.

Nothing is read of it here but the channel's name.  A worker that does not read, since its
reactor does not turn, is sent what there is room for (see `mojo.workers.outlet`); the others
do not notice.  Workers ask the hub, too: how many listen to a channel, and whatever else the parent
has answers to (`Hub.answers`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from mojo.cluster.stats import ClusterStats
from mojo.errors import PacketError, SessionMoved
from mojo.workers import frames
from mojo.workers.kept import Kept
from mojo.workers.outlet import Outlet, Pipe
from mojo.workers.subscriptions import Subscriptions

_log = Logger()

#: What is answered to a question: something that JSON has.
Answer = Callable[..., Any]


class Hub:
    """
    What joins the workers of one parent.

    Args:
        clock: tells the time.
        most: most bytes of a frame.

    Attributes:
        stats: what is counted: of what goes to the workers.
        answers: what is answered to which question; it is called with what came with that.
        kept: the stream, and the places of clients.
    """

    def __init__(self, clock: IReactorTime, most: int) -> None:
        self.stats = ClusterStats()
        self.kept = Kept(clock)
        self.answers: dict[str, Answer] = {
            "count": self._count,
            "take": self.kept.take,
            "read": self.kept.read,
        }
        self._clock = clock
        self._most = most
        self._subscriptions: Subscriptions[HubLine] = Subscriptions()
        self._lines: list[HubLine] = []

    def join(self, name: str, pipe: Pipe, heard: Callable[[str], object]) -> HubLine:
        """
        Take a worker in.

        Args:
            name: its name.
            pipe: leads to it.
            heard: called with each word that it says of itself, such as ``"ready"``.
        """
        line = HubLine(self, name, pipe, heard, self._clock, self._most)
        self._lines.append(line)
        return line

    def leave(self, line: HubLine) -> None:
        """Let a worker go."""
        self._lines.remove(line)
        for channels, prefix in line.listens:
            self._subscriptions.remove(line, channels, prefix)
        line.listens.clear()
        if line.uid is not None:
            for other in self._lines:
                if other.uid is not None:
                    other.tell("gone", uid=line.uid)

    def listen(self, line: HubLine, channels: list[bytes], prefix: bytes) -> None:
        """Let a worker have what is published."""
        line.listens.append((channels, prefix))
        self._subscriptions.add(line, channels, prefix)

    def unlisten(self, line: HubLine, channels: list[bytes], prefix: bytes) -> None:
        """Let it have that no longer."""
        line.listens.remove((channels, prefix))
        self._subscriptions.remove(line, channels, prefix)

    def publish(self, frame: bytes) -> None:
        """Give a message to whoever listens, its sender too."""
        self.stats.received += 1
        for line in self._subscriptions.find(frames.first_of(frame)):
            line.send(frame)

    def append(self, frame: bytes) -> None:
        """Add an entry to the stream, and give it to all who follow."""
        namespace, *fields = frames.unpack(frame)
        position = self.kept.append(fields)
        numbered = frames.pack(
            frames.ENTRY, frames.flags_of(frame), position.encode(), namespace, *fields
        )
        for line in self._lines:
            if namespace in line.follows:
                line.send(numbered)

    def _count(self, channel: str) -> int:
        return self._subscriptions.count(channel.encode("latin-1"))


class HubLine:
    """
    The hub's end of the pipes of one worker.

    Args:
        hub: the hub.
        name: the worker's name.
        pipe: leads to it.
        heard: see `Hub.join`.
        clock: tells the time.
        most: most bytes of a frame.

    Attributes:
        listens: the channels and the prefix of each of its listeners.
        follows: the namespaces whose entries it gets.
        uid: what it calls itself to the others; ``None`` if it meets them elsewhere.
    """

    def __init__(
        self,
        hub: Hub,
        name: str,
        pipe: Pipe,
        heard: Callable[[str], object],
        clock: IReactorTime,
        most: int,
    ) -> None:
        self.listens: list[tuple[list[bytes], bytes]] = []
        self.follows: set[bytes] = set()
        self.uid: str | None = None
        self._hub = hub
        self._name = name
        self._heard = heard
        self._reader = frames.FrameReader(most)
        self._outlet = Outlet(clock, hub.stats)
        self._outlet.connect(pipe)
        self._loses = False
        self._is_there = True

    def __repr__(self) -> str:
        return f"<HubLine of {self._name}>"

    def send(self, frame: bytes) -> None:
        """Send what another worker has said."""
        self._look_whether_it_loses(was_sent=self._outlet.send(frame))

    def tell(self, said: str, **values: Any) -> None:
        """Say something that is for this worker alone."""
        self._outlet.tell(frames.pack_control(said, **values))

    def received(self, data: bytes) -> None:
        """
        Take bytes of the worker's.

        Raises:
            PacketError: they are no frames; the worker is not to be listened to any more.
        """
        try:
            for frame in self._reader.feed(data):
                if self._is_there:
                    self._take(frame)
        except (AttributeError, LookupError, TypeError, ValueError) as exc:
            raise PacketError("what no worker says") from exc

    def lost(self) -> None:
        """The worker is gone."""
        if self._is_there:
            self._is_there = False
            self._hub.leave(self)

    def _take(self, frame: bytes) -> None:
        kind = frames.kind_of(frame)
        if kind == frames.MESSAGE:
            self._hub.publish(frame)
        elif kind == frames.ENTRY:
            self._hub.append(frame)
        elif kind == frames.CONTROL:
            self._take_control(frames.unpack_control(frame))
        else:
            raise PacketError("a frame of an unknown kind")

    def _take_control(self, control: dict[str, Any]) -> None:
        said = control["said"]
        if said in ("listen", "unlisten"):
            channels = [channel.encode("latin-1") for channel in control["channels"]]
            change = self._hub.listen if said == "listen" else self._hub.unlisten
            change(self, channels, control["prefix"].encode("latin-1"))
        elif said == "follow":
            self.follows.add(control["namespace"].encode("latin-1"))
            # In its turn: entries that wait for this worker came before it, and who is told of a
            # place in the stream beyond them would take them for new.
            self.send(frames.pack_control("position", position=self._hub.kept.position))
        elif said == "unfollow":
            self.follows.discard(control["namespace"].encode("latin-1"))
        elif said == "keep":
            self._hub.kept.keep(control["name"], control["value"], control["seconds"])
        elif said == "uid":
            self.uid = control["uid"]
        elif said == "ask":
            self._answer(control)
        else:
            self._heard(said)

    def _answer(self, control: dict[str, Any]) -> None:
        answer, number = self._hub.answers[control["what"]], control["id"]
        try:
            frame = frames.pack_control("answer", id=number, answer=answer(*control["args"]))
        except SessionMoved as exc:
            frame = frames.pack_control("moved", id=number, ago=exc.ago)
        self._look_whether_it_loses(was_sent=self._outlet.offer(frame))

    def _look_whether_it_loses(self, *, was_sent: bool) -> None:
        if was_sent:
            self._loses = self._loses and self._outlet.waits
        elif not self._loses:
            self._loses = True
            _log.warn("worker {name} does not read: messages to it are dropped", name=self._name)
