"""What a cluster counts: whole numbers, added to as things happen."""

from __future__ import annotations

from typing import Any


class ClusterStats:
    """
    The counters of one server's part in a cluster.

    Attributes:
        up: whether what is sent reaches the other servers now, and theirs us.
        published: messages that were sent to other servers.
        received: messages that came, from others and from ourselves.
        refused: messages that came and could not be read, or asked for what cannot be.
        unsent: messages that were not sent: too many waited, or too long; or the connection
            broke under them.
        reconnects: connections to Redis that were lost, or could not be made.
    """

    __slots__ = ("published", "received", "reconnects", "refused", "unsent", "up")

    def __init__(self) -> None:
        self.up = False
        self.published = 0
        self.received = 0
        self.refused = 0
        self.unsent = 0
        self.reconnects = 0

    def dump(self) -> dict[str, Any]:
        """Give all of them by name."""
        return {f"cluster_{name}": getattr(self, name) for name in self.__slots__}
