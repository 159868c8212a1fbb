"""
Handing one message to many connections, nearly none of which is called.

A connection that is open, and to whose listeners nothing has to be told, has a ``line``: its
session.  What these are sent goes to all of them together (`mojo.engineio.flushing`).  The others
are sent it one by one, and when those have it: a listener may end whom it likes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from mojo.engineio.session import EngineSession
from mojo.socketio.message import Message

# Fewer than these are sent a message one by one: where the broadcasts of a turn go to many small
# rooms, nearly each goes to others than the one before.
_MANY = 32


class Addressee(Protocol):
    """
    A connection that is sent something.

    Attributes:
        line: the session that takes what is sent to it, if nothing else is to be done.
        wire_name: the namespace's name on the wire.
    """

    line: EngineSession | None
    wire_name: str

    def send(self, message: Message) -> None:
        """Send a message to the client."""


Someone = TypeVar("Someone", bound=Addressee)


def deliver(message: Message, connections: Sequence[Someone]) -> None:
    """Send a message to some connections, each of them once."""
    others = connections
    if len(connections) >= _MANY and not message.volatile:
        others = _to_lines(message, connections)
    for connection in others:
        connection.send(message)


def _to_lines(message: Message, connections: Sequence[Someone]) -> Sequence[Someone]:
    """Send a message to those who have a line, and give the others."""
    lines: dict[str, list[EngineSession]] = {}
    name = None
    others = []
    for connection in connections:
        session = connection.line
        if session is None:
            others.append(connection)
            continue
        # A namespace has a name or two: nearly always it is that of the connection before.
        if connection.wire_name != name:
            name = connection.wire_name
            sessions = lines.setdefault(name, [])
        sessions.append(session)
    for name, sessions in lines.items():
        sessions[0].flushes.send_to_all(sessions, message.packets(name))
    return others
