"""
What an app hangs on one connection while it lives: listeners, and middleware of events.

Most connections have none, and then cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.python.failure import Failure

Listener = Callable[..., object]
EventMiddleware = Callable[[Any, Any], Any]


class Listeners:
    """
    The listeners of a connection.

    Attributes:
        incoming: called with the name and arguments of each event that comes.
        outgoing: called with those of each event that is sent to the client.
        middleware: called with the handler and each event that comes, in order.
    """

    __slots__ = ("incoming", "middleware", "outgoing")

    def __init__(self) -> None:
        self.incoming: list[Listener] = []
        self.outgoing: list[Listener] = []
        self.middleware: list[EventMiddleware] = []


def tell(
    listeners: list[Listener],
    event: tuple[str, tuple[Any, ...]],
    failed: Callable[[Failure], object],
) -> None:
    """
    Call some listeners.

    Args:
        listeners: the listeners.
        event: its name and arguments.
        failed: gets what one raises.
    """
    name, args = event
    for listener in tuple(listeners):
        try:
            listener(name, *args)
        except Exception:
            failed(Failure())


def drop(listeners: list[Listener], listener: Listener | None) -> None:
    """Take one listener out of a list, or with ``None`` all of them."""
    if listener is None:
        listeners.clear()
    elif listener in listeners:
        listeners.remove(listener)
