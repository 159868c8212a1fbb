"""
The workers' bus: a `mojo.cluster.bus.Bus` that goes through the parent, and needs no Redis.

The parent is there as long as the worker is, so nothing is made again and nothing is checked: what
was listened to is heard.  What cannot leave waits as it does for a slow Redis.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from mojo.cluster.bus import Entry, Follower, Listener
from mojo.errors import ClusterUnavailable
from mojo.workers import frames
from mojo.workers.link import ASK_SECONDS, Link
from mojo.workers.subscriptions import Subscriptions

_log = Logger()

Item = TypeVar("Item")


class WorkerBus:
    """
    A bus, and what is kept for all workers; see `mojo.cluster.bus`.

    Args:
        link: leads to the parent.
        max_message: most bytes of a message.

    Attributes:
        position: the id of the last entry that was handed on.
    """

    def __init__(self, link: Link, max_message: int) -> None:
        self.position = "0-0"
        self._link = link
        self._stats = link.stats
        self._max_message = max_message
        self._has_logged = False
        self._subscriptions: Subscriptions[Listener] = Subscriptions()
        self._followers: dict[bytes, tuple[Follower, Callable[[], object]]] = {}
        link.carries = self._take
        link.told["position"] = self._positioned
        link.lost = self._cut_off

    def __repr__(self) -> str:
        return "<WorkerBus>"

    def start(self) -> None:
        """Begin; the link is there already."""
        self._stats.up = self._link.is_up

    def stop(self) -> Deferred[None]:
        """End; the link stays as long as the process."""
        self._stats.up = False
        return succeed(None)

    # -- Bus ------------------------------------------------------------------------

    @property
    def is_up(self) -> bool:
        """Whether messages leave now, and come."""
        return self._stats.up and self._link.is_up

    def listen(self, listener: Listener) -> None:
        """Give a listener what is published; see `Bus`."""
        self._subscriptions.add(listener, listener.channels, listener.prefix)
        self._tell("listen", listener)

    def unlisten(self, listener: Listener) -> None:
        """Give it nothing any longer; see `Bus`."""
        self._subscriptions.remove(listener, listener.channels, listener.prefix)
        self._tell("unlisten", listener)

    def publish(
        self, channel: bytes, data: bytes, *, waits: bool = True, lasts: bool = False
    ) -> None:
        """Send a message; see `Bus`."""
        flags = waits * frames.WAITS | lasts * frames.LASTS
        self._post(len(data), frames.pack(frames.MESSAGE, flags, channel, data))

    def count(self, channel: bytes) -> Deferred[int | None]:
        """Tell how many listen to a channel; see `Bus`."""
        if not self.is_up:
            return succeed(None)
        return self._link.ask("count", channel.decode("latin-1")).addErrback(lambda _: None)

    def append(self, entry: Entry, *, waits: bool = True) -> bool:
        """Add an entry to the stream; see `Bus`."""
        fields = [part for name, value in entry.items() for part in (name.encode(), value)]
        frame = frames.pack(frames.ENTRY, waits * frames.WAITS, entry["nsp"], *fields)
        if not self.is_up:
            self._stats.unsent += 1
            return False
        if self._post(len(frame), frame):
            return True
        self._cut_off()
        return False

    def follow(self, namespace: str, follower: Follower, cut_off: Callable[[], object]) -> None:
        """Give a follower the entries of a namespace; see `Bus`."""
        name = namespace.encode("utf-8", "surrogatepass")
        self._followers[name] = (follower, cut_off)
        self._link.tell("follow", namespace=name.decode("latin-1"))

    def unfollow(self, namespace: str) -> None:
        """Give it nothing any longer; see `Bus`."""
        name = namespace.encode("utf-8", "surrogatepass")
        if self._followers.pop(name, None) is not None:
            self._link.tell("unfollow", namespace=name.decode("latin-1"))

    # -- Kept -----------------------------------------------------------------------

    def keep(self, name: str, value: bytes, seconds: float) -> None:
        """Keep something until it is taken; see `Kept`."""
        if len(value) > self._max_message:
            self._refuse(len(value))
            return
        self._link.offer("keep", name=name, value=value.decode("latin-1"), seconds=seconds)

    def take_kept(self, name: str) -> Deferred[bytes | None]:
        """Give what is kept, once; see `Kept`."""

        def read(value: str | None) -> bytes | None:
            return None if value is None else value.encode("latin-1")

        return self._ask(read, "take", name)

    def read(self, first: str, last: str, count: int) -> Deferred[list[tuple[str, Entry]]]:
        """Give a range of the stream, to its end; see `Kept`."""
        after = int(first[1:].partition("-")[0]) if first.startswith("(") else -1
        return self._ask(_read_entries, "read", after, count)

    # -- within -----------------------------------------------------------------------

    def _ask(self, read: Callable[[Any], Item], what: str, *args: Any) -> Deferred[Item]:
        asked = self._link.ask(what, *args).addTimeout(ASK_SECONDS, self._link.clock)

        def failed(_: object) -> Item:
            raise ClusterUnavailable("the parent does not answer")

        return asked.addCallbacks(read, failed)

    def _post(self, size: int, frame: bytes) -> bool:
        if size > self._max_message:
            self._refuse(size)
            return False
        return self._link.send(frame)

    def _refuse(self, size: int) -> None:
        self._stats.unsent += 1
        if not self._has_logged:
            self._has_logged = True
            _log.warn(
                "cluster: {size} bytes are too much for other workers, of which there may be "
                "{most}; more like it are only counted",
                size=size,
                most=self._max_message,
            )

    def _tell(self, said: str, listener: Listener) -> None:
        channels = [channel.decode("latin-1") for channel in listener.channels]
        self._link.tell(said, channels=channels, prefix=listener.prefix.decode("latin-1"))

    def _take(self, frame: bytes) -> None:
        fields = frames.unpack(frame)
        if frames.kind_of(frame) == frames.MESSAGE:
            channel, data = fields
            for listener in self._subscriptions.find(channel):
                listener.received(channel, data)
            return
        position, namespace, *parts = fields
        self.position = position.decode("ascii")
        follower, _ = self._followers.get(namespace, (None, None))
        if follower is not None:
            follower(self.position, _entry_of(parts))

    def _cut_off(self) -> None:
        """Tell the followers that what was added may not come."""
        for _, cut_off in list(self._followers.values()):
            cut_off()

    def _positioned(self, control: dict[str, Any]) -> None:
        self.position = control["position"]


def _entry_of(parts: list[bytes]) -> Entry:
    return dict(zip((name.decode() for name in parts[::2]), parts[1::2], strict=True))


def _read_entries(found: list[tuple[int, list[str]]]) -> list[tuple[str, Entry]]:
    return [(f"{number}-0", _entry_of(list(map(b64decode, parts)))) for number, parts in found]
