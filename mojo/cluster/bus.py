"""What carries messages between servers: channels that are published to and listened to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from twisted.internet.defer import Deferred


class Listener(Protocol):
    """
    Who listens to some channels.

    Attributes:
        channels: the names of channels.
        prefix: what the names of more channels begin with.
        probe: one of the channels, to which nobody else listens: whether it is listened to
            is whether this listener hears anything.
        shared: one of the channels, to which each server listens; ``None`` if there is none.
    """

    channels: Sequence[bytes]
    prefix: bytes
    probe: bytes
    shared: bytes | None

    def received(self, channel: bytes, data: bytes) -> None:
        """Take a message of one of the channels; must not raise."""


#: The fields of an entry in a stream.
Entry = Mapping[str, bytes]
#: Takes an entry, and the id that it has; must not raise.
Follower = Callable[[str, Entry], object]


class Bus(Protocol):
    """
    Carries messages to whoever listens, in the order in which each server sent them.

    A message comes once or not at all; who has published it gets it too, if it listens.
    Beside the channels there may be a stream, whose entries all get in the same order, also
    those that were added while they could not read it.
    """

    @property
    def is_up(self) -> bool:
        """Whether messages leave now."""

    def listen(self, listener: Listener) -> None:
        """Give a listener what is published from now on, or from when that is possible."""

    def unlisten(self, listener: Listener) -> None:
        """Give it nothing any longer."""

    def publish(
        self, channel: bytes, data: bytes, *, waits: bool = True, lasts: bool = False
    ) -> None:
        """
        Send a message.

        Args:
            channel: where to.
            data: what.
            waits: whether it waits for its turn if it cannot leave now; else it is dropped.
            lasts: whether it waits for as long as it takes.
        """

    def append(self, entry: Entry, *, waits: bool = True) -> bool:
        """
        Add an entry to the stream that all servers read.

        Args:
            entry: its fields.
            waits: see `publish`.
        Returns:
            Whether it comes back to whoever follows, unless they are cut off.
        """

    def follow(self, namespace: str, follower: Follower, cut_off: Callable[[], object]) -> None:
        """
        Give a follower the entries of a namespace from now on: also those of our own.

        Args:
            namespace: its name.
            follower: takes them.
            cut_off: called when they do not come any more, for a while.
        """

    def unfollow(self, namespace: str) -> None:
        """Give it nothing any longer."""

    def count(self, channel: bytes) -> Deferred[int | None]:
        """Tell how many listen to a channel by its name; ``None`` if that is not known."""


class Kept(Protocol):
    """What is kept for all servers: the stream, which can be read again, and places of clients."""

    @property
    def is_up(self) -> bool:
        """Whether it can be had now."""

    @property
    def position(self) -> str:
        """The id of the last entry that was handed on."""

    def keep(self, name: str, value: bytes, seconds: float) -> None:
        """Keep something for so long, until it is taken."""

    def take_kept(self, name: str) -> Deferred[bytes | None]:
        """Give what is kept, and keep it no longer; fails with `ClusterUnavailable`."""

    def read(self, first: str, last: str, count: int) -> Deferred[list[tuple[str, Entry]]]:
        """Give the ids and entries of a range; fails with `ClusterUnavailable`."""
