"""
How a namespace's broadcasts reach its connections.

An adapter is the one thing that a cluster replaces: it keeps a `LocalAdapter` for the
connections of this process, and carries each broadcast to the others as well.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Protocol

from mojo.socketio.message import Message
from mojo.socketio.rooms import Room, Rooms


class Recipient(Protocol):
    """A connection, as an adapter sees it."""

    def send(self, message: Message) -> None:
        """Send a message to the client."""


class Adapter(Protocol):
    """What a namespace needs of whatever carries its broadcasts."""

    def add(self, connection: Recipient) -> None:
        """Take in a connection of this process."""

    def remove(self, connection: Recipient) -> None:
        """Drop a connection and its place in every room."""

    def join(self, connection: Recipient, room: Room) -> None:
        """Put a connection into a room."""

    def leave(self, connection: Recipient, room: Room) -> None:
        """Take a connection out of a room."""

    def rooms_of(self, connection: Recipient) -> Collection[Room]:
        """Give the rooms that a connection is in."""

    def select(self, rooms: Collection[Room], except_: Collection[Room]) -> Iterator[Recipient]:
        """Give connections of this process; see `Rooms.select`."""

    def broadcast(
        self, message: Message, rooms: Collection[Room], except_: Collection[Room]
    ) -> None:
        """Send a message to every connection in the rooms but those in ``except_``."""


class LocalAdapter(Rooms[Recipient]):
    """The adapter of a server that is alone: its rooms are all there are."""

    def broadcast(
        self, message: Message, rooms: Collection[Room], except_: Collection[Room]
    ) -> None:
        """Send a message to every connection in the rooms but those in ``except_``."""
        for connection in self.select(rooms, except_):
            connection.send(message)
