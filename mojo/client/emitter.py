"""
Emitting with conditions, as a sentence: ``socket.timeout(5).emit("save", document, ack=saved)``.

An `Emitter` is immutable: what is kept of it serves any number of times.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from twisted.internet.defer import Deferred

Ack = Callable[..., object]


@dataclass(frozen=True, slots=True)
class Flags:
    """
    The conditions.

    Attributes:
        timeout: seconds to wait for an acknowledgement; ``None`` leaves it to the
            socket.
        volatile: whether the event is dropped rather than kept waiting.
    """

    timeout: float | None = None
    volatile: bool = False


class Sender(Protocol):
    """What sends the events of a socket."""

    def emit(self, name: str, args: tuple[Any, ...], flags: Flags, ack: Ack | None) -> None:
        """Send an event, or keep it until it can be sent."""

    def call(self, name: str, args: tuple[Any, ...], flags: Flags) -> Deferred[Any]:
        """Send an event whose acknowledgement is waited for."""


class Emitter:
    """Emits to a server, under conditions; made by `Socket.timeout` and `Socket.volatile`."""

    __slots__ = ("_flags", "_sender")

    def __init__(self, sender: Sender, flags: Flags) -> None:
        self._sender = sender
        self._flags = flags

    def timeout(self, seconds: float) -> Emitter:
        """Wait only so long for the acknowledgement."""
        return Emitter(self._sender, replace(self._flags, timeout=seconds))

    @property
    def volatile(self) -> Emitter:
        """Drop the event if it cannot leave at once."""
        return Emitter(self._sender, replace(self._flags, volatile=True))

    def emit(self, name: str, *args: Any, ack: Ack | None = None) -> None:
        """Send an event; see `Socket.emit`."""
        self._sender.emit(name, args, self._flags, ack)

    def send(self, *args: Any, ack: Ack | None = None) -> None:
        """Send the event ``message``; see `Socket.emit`."""
        self._sender.emit("message", args, self._flags, ack)

    def call(self, name: str, *args: Any) -> Deferred[Any]:
        """Send an event and wait for its acknowledgement; see `Socket.call`."""
        return self._sender.call(name, args, self._flags)
