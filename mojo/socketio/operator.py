"""
Whom a broadcast is for, as a sentence: ``app.to("room").except_(me).emit("said", text)``.

An operator is never changed: each word gives a new one, so that one may be kept and
used again.
"""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.interfaces import IReactorTime

from mojo.socketio.adapter import Adapter
from mojo.socketio.parser import Parser
from mojo.socketio.rooms import Room
from mojo.socketio.threads import run_in_reactor


class Audience(Protocol):
    """The namespace that an operator chooses from."""

    name: str
    clock: IReactorTime
    adapter: Adapter
    parser: Parser


class BroadcastOperator:
    """
    Some of the connections of a namespace.

    Args:
        namespace: where they are.
        rooms: they are in one of these; everyone, if empty.
        excluded: they are in none of these.
    """

    __slots__ = ("_excluded", "_namespace", "_rooms")

    def __init__(
        self,
        namespace: Audience,
        rooms: frozenset[Room] = frozenset(),
        excluded: frozenset[Room] = frozenset(),
    ) -> None:
        self._namespace = namespace
        self._rooms = rooms
        self._excluded = excluded

    def __str__(self) -> str:
        return self._namespace.name

    def __repr__(self) -> str:
        return f"<BroadcastOperator for {self._namespace.name}>"

    @property
    def name(self) -> str:
        """The namespace's name: ``"/ChatSocket"``."""
        return self._namespace.name

    def to(self, *rooms: Room) -> BroadcastOperator:
        """Those in any of the rooms too; a connection's ``id`` is a room of its own."""
        return BroadcastOperator(self._namespace, self._rooms | set(rooms), self._excluded)

    in_ = to

    def except_(self, *rooms: Room) -> BroadcastOperator:
        """Those in none of the rooms."""
        return BroadcastOperator(self._namespace, self._rooms, self._excluded | set(rooms))

    def emit(self, name: str, *args: Any) -> None:
        """
        Send an event to all of them; from any thread.

        Raises:
            UnsendableError: the name is reserved, or an argument cannot be sent.
        """
        namespace = self._namespace
        message = namespace.parser.event(name, args)
        run_in_reactor(
            namespace.clock,
            namespace.adapter.broadcast,
            message,
            self._rooms,
            self._excluded,
        )

    def send(self, *args: Any) -> None:
        """Send all of them the event that ``socket.on("message")`` hears."""
        self.emit("message", *args)
