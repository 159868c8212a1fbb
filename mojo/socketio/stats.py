"""What a Socket.IO server counts: whole numbers, added to as things happen."""

from __future__ import annotations

from typing import Any


class SocketStats:
    """
    The counters of one server, for all its namespaces.

    Attributes:
        active_connections: connections that there are.
        max_connections: most connections that there were at one time.
        total_connections: connections that there have been.
        refused_connections: those that were refused, or went while the app was deciding.
        handler_errors: exceptions of apps, in any of their methods.
    """

    __slots__ = (
        "active_connections",
        "handler_errors",
        "max_connections",
        "refused_connections",
        "total_connections",
    )

    def __init__(self) -> None:
        self.active_connections = 0
        self.max_connections = 0
        self.total_connections = 0
        self.refused_connections = 0
        self.handler_errors = 0

    def connection_opened(self) -> None:
        """Count a connection that was let in."""
        self.total_connections += 1
        self.active_connections += 1
        self.max_connections = max(self.max_connections, self.active_connections)

    def connection_closed(self) -> None:
        """Count a connection that ended."""
        self.active_connections -= 1

    def dump(self) -> dict[str, Any]:
        """Give all of them by name."""
        return {name: getattr(self, name) for name in self.__slots__}
