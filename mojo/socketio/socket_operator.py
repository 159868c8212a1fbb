"""
What is sent to one client, as a sentence: ``self.volatile.timeout(5).call("position?")``.

A word that names others, such as ``to`` and ``broadcast``, goes on with them: everyone but
this client, as it is in the servers of Socket.IO.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from mojo.socketio.acks import Answered, Failed, ignore_failure
from mojo.socketio.adapter import Target
from mojo.socketio.operator import ACK_SECONDS, PLAIN, Audience, BroadcastOperator, Flags
from mojo.socketio.rooms import Room


class Sender(Protocol):
    """A connection, as this operator sees it."""

    id: str
    label: str

    @property
    def audience(self) -> Audience:
        """The namespace that it is in."""

    def emit(
        self,
        name: str,
        args: tuple[Any, ...],
        flags: Flags,
        answered: Answered | None = None,
        failed: Failed = ignore_failure,
    ) -> int | None:
        """Send an event; from any thread."""

    def call(self, name: str, args: tuple[Any, ...], flags: Flags) -> Deferred[Any]:
        """Send an event and wait for the acknowledgement."""


class SocketOperator:
    """
    One client of an app.

    Args:
        connection: the client's connection.
        flags: how it is sent to.
    """

    __slots__ = ("_connection", "_flags")

    def __init__(self, connection: Sender, flags: Flags = PLAIN) -> None:
        self._connection = connection
        self._flags = flags

    def __repr__(self) -> str:
        return f"<SocketOperator for {self._connection.label}>"

    @property
    def volatile(self) -> SocketOperator:
        """If the client cannot take the message at once, it does without it."""
        return self._set(volatile=True)

    def compress(self, allowed: bool) -> SocketOperator:
        """Let the transport compress the message, where it can, or not."""
        return self._set(compress=allowed)

    def timeout(self, seconds: float) -> SocketOperator:
        """Wait so many seconds for the acknowledgement."""
        return self._set(timeout=seconds)

    @property
    def broadcast(self) -> BroadcastOperator:
        """Everyone in the app but this client."""
        connection = self._connection
        others = Target(excluded=frozenset((connection.id,)))
        return BroadcastOperator(connection.audience, others, self._flags)

    @property
    def local(self) -> BroadcastOperator:
        """Everyone in the app that is connected to this process, but this client."""
        return self.broadcast.local

    def to(self, *rooms: Room) -> BroadcastOperator:
        """Everyone in any of the rooms but this client."""
        return self.broadcast.to(*rooms)

    def in_(self, *rooms: Room) -> BroadcastOperator:
        """The same as `to`."""
        return self.broadcast.to(*rooms)

    def except_(self, *rooms: Room) -> BroadcastOperator:
        """Everyone in none of the rooms but this client."""
        return self.broadcast.except_(*rooms)

    def emit(self, name: str, *args: Any, ack: Callable[..., object] | None = None) -> None:
        """
        Send an event to this client; from any thread.

        Args:
            name: the event's name.
            args: anything that JSON has, and bytes at any depth.
            ack: called with the arguments of the client's acknowledgement.  After
                `timeout` it is called with an error before them: ``None``, or, without
                arguments, an `AckTimeout` or a `Disconnected`.
        Raises:
            UnsendableError: the name is reserved, or an argument cannot be sent.
        """
        connection, flags = self._connection, self._flags
        if ack is None:
            connection.emit(name, args, flags)
        elif flags.timeout is None:
            connection.emit(name, args, flags, lambda answer: ack(*answer))
        else:
            connection.emit(name, args, flags, lambda answer: ack(None, *answer), ack)

    def send(self, *args: Any, ack: Callable[..., object] | None = None) -> None:
        """Send the event that the client's ``socket.on("message")`` hears; see `emit`."""
        self.emit("message", *args, ack=ack)

    def call(self, name: str, *args: Any) -> Deferred[Any]:
        """
        Send an event and wait for the client's acknowledgement.

        Returns:
            A Deferred of its argument, a tuple if it has several, ``None`` if it has none.
            It fails with `AckTimeout` (`timeout`; 60 seconds unless that was said), or
            with `Disconnected` when the client goes.
        Raises:
            UnsendableError: the name is reserved, or an argument cannot be sent.
        """
        flags = self._flags
        if flags.timeout is None:
            flags = replace(flags, timeout=ACK_SECONDS)
        return self._connection.call(name, args, flags)

    def _set(self, **changes: Any) -> SocketOperator:
        return SocketOperator(self._connection, replace(self._flags, **changes))
