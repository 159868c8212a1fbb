"""
What an Engine.IO server counts: whole numbers, added to as things happen.

Rates are made of these numbers by who has a clock: `mojo.stats`.
"""

from __future__ import annotations

from collections import Counter
from typing import Any


class EngineStats:
    """
    The counters of one server, or of several that share them.

    Attributes:
        active_sessions: sessions that there are.
        max_sessions: most sessions that there were at one time.
        total_sessions: sessions that there have been.
        transports: sessions that there are, by the transport that carries them.
        upgrades: sessions that moved to WebSocket.
        packets_sent: packets that were handed to a transport.
        packets_recv: packets that came.
        bytes_sent: bytes of frames and response bodies, without what is around them.
        bytes_recv: bytes of WebSockets and request bodies.
        dropped: messages that were dropped; see `EngineOptions`.
        refused: requests that were refused, by the code of the protocol's error.
        closes: sessions that ended, by reason.
    """

    __slots__ = (
        "active_sessions",
        "bytes_recv",
        "bytes_sent",
        "closes",
        "dropped",
        "max_sessions",
        "packets_recv",
        "packets_sent",
        "refused",
        "total_sessions",
        "transports",
        "upgrades",
    )

    def __init__(self) -> None:
        self.active_sessions = 0
        self.max_sessions = 0
        self.total_sessions = 0
        self.transports: Counter[str] = Counter()
        self.upgrades = 0
        self.packets_sent = 0
        self.packets_recv = 0
        self.bytes_sent = 0
        self.bytes_recv = 0
        self.dropped = 0
        self.refused: Counter[int] = Counter()
        self.closes: Counter[str] = Counter()

    def session_opened(self, transport: str) -> None:
        """Count a session that begins on a transport."""
        self.transports[transport] += 1
        self.total_sessions += 1
        self.active_sessions += 1
        self.max_sessions = max(self.max_sessions, self.active_sessions)

    def session_moved(self, before: str, after: str) -> None:
        """Count a session that moved from one transport to another."""
        self.transports[before] -= 1
        self.transports[after] += 1
        self.upgrades += 1

    def session_closed(self, transport: str, reason: str) -> None:
        """Count a session that ended."""
        self.transports[transport] -= 1
        self.active_sessions -= 1
        self.closes[reason] += 1

    def dump(self) -> dict[str, Any]:
        """Give all of them by name, in types that JSON has."""
        return {
            "active_sessions": self.active_sessions,
            "max_sessions": self.max_sessions,
            "total_sessions": self.total_sessions,
            "sessions_by_transport": dict(self.transports),
            "upgrades": self.upgrades,
            "packets_sent": self.packets_sent,
            "packets_recv": self.packets_recv,
            "bytes_sent": self.bytes_sent,
            "bytes_recv": self.bytes_recv,
            "dropped": self.dropped,
            "refused_by_code": {str(int(code)): count for code, count in self.refused.items()},
            "closes_by_reason": dict(self.closes),
        }
