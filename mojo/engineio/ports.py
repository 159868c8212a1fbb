"""
What a session, what carries it and what it is for are to each other.

The session is in `mojo.engineio.session`, the transports in `mojo.engineio.transports`, the
move from one to the other in `mojo.engineio.upgrade`.
"""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import Protocol, TypeVar

from twisted.internet.interfaces import IReactorTime

from mojo.engineio.flushing import Flushable, FlushQueue
from mojo.engineio.heartbeat import ClientHeartbeat, Heartbeat
from mojo.engineio.options import EngineOptions
from mojo.engineio.packet import Packet
from mojo.engineio.stats import EngineStats


class Sessionlike(Flushable, Protocol):
    """What a server keeps of its sessions."""


Session = TypeVar("Session", bound=Sessionlike)


class CloseReason(StrEnum):
    """Why a session ended, in the words of the reference implementation."""

    TRANSPORT_CLOSE = "transport close"
    TRANSPORT_ERROR = "transport error"
    PING_TIMEOUT = "ping timeout"
    PARSE_ERROR = "parse error"
    FORCED_CLOSE = "forced close"
    FORCED_SERVER_CLOSE = "forced server close"
    SERVER_SHUTTING_DOWN = "server shutting down"


class SessionState(Enum):
    """Where a session is in its life."""

    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"


#: To look an enum's member up for each message takes as long as two calls.
OPEN = SessionState.OPEN


class Transport(Protocol):
    """
    What carries a session's packets.

    Attributes:
        name: as the URL's ``transport`` has it.
        owner: whom it reports to; an upgrade hands it to the session.
    """

    name: str
    owner: TransportOwner

    @property
    def unsent(self) -> int:
        """How many bytes it took by `write` that its client does not take."""

    @property
    def writable(self) -> bool:
        """Whether `write` would take packets now, and the client takes what it is sent."""

    @property
    def closes_in_band(self) -> bool:
        """Whether the client learns of the end by a close packet (long-polling)."""

    def write(self, packets: list[Packet]) -> int:
        """
        Send the first of the packets, and say how many; none while it is not `writable`.

        A WebSocket takes all, if they are less than 64 kB; see `mojo.engineio.owing`.
        """

    def close(self, reason: CloseReason) -> None:
        """End the transport; a request or socket still open is answered."""

    def pause_reading(self) -> None:
        """Stop taking packets from the client."""

    def resume_reading(self) -> None:
        """Take packets again."""


class TransportOwner(Protocol):
    """What a transport reports to: a session, or an upgrade not yet completed."""

    def packet_received(self, packet: Packet) -> None:
        """A packet came."""

    def message_received(self, data: str | bytes) -> None:
        """A packet came that carries a message; the same as by `packet_received`."""

    def transport_ready(self) -> None:
        """The client took something of what it was sent, or asks for more."""

    def transport_lost(self, transport: Transport, reason: CloseReason) -> None:
        """The client is gone."""

    def transport_failed(self, transport: Transport, reason: CloseReason, detail: str) -> None:
        """The client broke the protocol."""


class Receiver(Protocol):
    """What an application makes for each session; see `EngineServer`."""

    def message_received(self, data: str | bytes) -> None:
        """A message came; exceptions are logged and the session goes on."""

    def session_closed(self, reason: CloseReason) -> None:
        """The session ended; called once, and nothing is called after it."""


class Abandonable(Protocol):
    """An upgrade under way, as its session sees it."""

    def abandon(self) -> None:
        """Close the transport that was to take over."""


class SessionHost(Protocol[Session]):
    """What a session needs of its server."""

    clock: IReactorTime
    options: EngineOptions
    heartbeat: Heartbeat[Session]
    client_heartbeat: ClientHeartbeat[Session]
    flushes: FlushQueue[Session]
    stats: EngineStats

    def linger(self, session: Session) -> None:
        """Give a closing session ``close_timeout`` seconds to end."""

    def forget(self, session: Session) -> None:
        """Drop a closed session."""
