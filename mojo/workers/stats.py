"""What a worker counts of the others: whole numbers, added to as things happen."""

from __future__ import annotations

from typing import Any

_COUNTED = ("handed_over", "relayed", "taken", "unreached")


class HandoverStats:
    """
    The counters of one worker.

    Args:
        worker: its name.

    Attributes:
        handed_over: connections that went to another worker.
        relayed: connections of which the bytes did.
        taken: connections that came from another worker, itself or its bytes.
        unreached: requests for another worker's session that found nobody there.
    """

    __slots__ = (*_COUNTED, "_worker")

    def __init__(self, worker: str) -> None:
        self._worker = worker
        self.handed_over = 0
        self.relayed = 0
        self.taken = 0
        self.unreached = 0

    def dump(self) -> dict[str, Any]:
        """Give all of them by name."""
        counted = {f"workers_{name}": getattr(self, name) for name in _COUNTED}
        return {"worker": self._worker, **counted}
