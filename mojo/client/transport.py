"""What carries a client's packets, and whom it reports to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from mojo.engineio.packet import Packet
from mojo.engineio.ports import CloseReason


class ClientTransport(Protocol):
    """
    One way to the server: requests or a WebSocket.

    Attributes:
        name: as the URL's ``transport`` has it.
        owner: whom it reports to; an upgrade hands it on.
    """

    name: str
    owner: TransportOwner

    @property
    def writable(self) -> bool:
        """Whether `write` would take packets now."""

    def size_of(self, packet: Packet) -> int:
        """Give the bytes that the server counts for a packet; an estimate if far less."""

    def open(self, eid: str | None) -> None:
        """Go to the server, for a new connection or one that it knows."""

    def write(self, packets: list[Packet], max_payload: int) -> int:
        """Send the first of the packets, and say how many."""

    def pause_reading(self) -> None:
        """Take no more from the server."""

    def resume_reading(self) -> None:
        """Take packets again."""

    def close(self, reason: CloseReason) -> None:
        """Say goodbye: nothing is reported afterwards but `TransportOwner.transport_gone`."""

    def abort(self) -> None:
        """End at once, also a farewell under way."""


class TransportOwner(Protocol):
    """What a transport reports to: an engine, or a probe."""

    def transport_opened(self, transport: ClientTransport) -> None:
        """The WebSocket is open."""

    def transport_ready(self, transport: ClientTransport) -> None:
        """The transport became writable."""

    def packet_received(self, packet: Packet) -> None:
        """A packet came."""

    def transport_lost(
        self, transport: ClientTransport, reason: CloseReason, error: Exception
    ) -> None:
        """The server is gone, or broke the protocol."""

    def transport_gone(self, transport: ClientTransport) -> None:
        """Nothing of the transport is left: no request, no socket, no timer."""


#: Makes a transport for an owner; `ClientTransport.open` must follow.
MakeTransport = Callable[[TransportOwner], ClientTransport]
