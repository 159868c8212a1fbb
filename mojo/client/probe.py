"""
The move of a connection from long-polling to WebSocket, as the client makes it.

A WebSocket with the connection's id is opened beside the requests and asked with a probe.
If the answer is right, the requests come to rest, an upgrade packet is sent on the WebSocket,
and it is the transport from then on (Engine.IO protocol v4, "Upgrade").  Anything else, or
too much time, closes the WebSocket, and the requests go on.
"""

from __future__ import annotations

from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from mojo.client.polling import PollingTransport
from mojo.client.transport import ClientTransport, MakeTransport, TransportOwner
from mojo.engineio.packet import Packet, PacketType
from mojo.engineio.ports import CloseReason

_log = Logger()

_PROBE = "probe"


class ProbedEngine(TransportOwner, Protocol):
    """What a probe needs of its engine."""

    def switch_transport(self, transport: ClientTransport) -> None:
        """Go on with another transport."""

    def probe_failed(self) -> None:
        """Go on as before."""


class Probe:
    """
    One WebSocket that may become a connection's transport.

    Args:
        engine: the connection.
        current: its transport.
        make_candidate: makes the WebSocket.
        clock: for the time limit.
        timeout: seconds allowed; 0 allows any time.

    Attributes:
        switching: whether the requests are coming to rest, so that nothing may be sent.
    """

    def __init__(
        self,
        engine: ProbedEngine,
        current: PollingTransport,
        make_candidate: MakeTransport,
        clock: IReactorTime,
        timeout: float,
    ) -> None:
        self._engine = engine
        self._current = current
        self._candidate = make_candidate(self)
        self._over = False
        self.switching = False
        self._timeout_call: IDelayedCall | None = None
        if timeout:
            self._timeout_call = clock.callLater(timeout, self._time_is_up)

    def begin(self, eid: str) -> None:
        """Open the WebSocket."""
        self._candidate.open(eid)

    def abandon(self) -> None:
        """Close the WebSocket: the connection has ended."""
        self._finish()
        self._candidate.abort()

    # -- TransportOwner -----------------------------------------------------

    def transport_opened(self, transport: ClientTransport) -> None:
        """Ask the server whether it is there."""
        transport.write([Packet(PacketType.PING, _PROBE)], 0)

    def transport_ready(self, transport: ClientTransport) -> None:
        """Nothing waits to be written here."""

    def packet_received(self, packet: Packet) -> None:
        """Take the answer to the probe."""
        if self._over or self.switching:
            self._give_up(f"unexpected {packet.type.name} packet")
        elif packet.type is PacketType.PONG and packet.data == _PROBE:
            self.switching = True
            self._current.rest(self._rested)
        else:
            self._give_up(f"unexpected {packet.type.name} packet")

    def transport_lost(
        self, transport: ClientTransport, reason: CloseReason, error: Exception
    ) -> None:
        """Go on without: the WebSocket could not be had."""
        self._give_up(str(error) or reason.value)

    def transport_gone(self, transport: ClientTransport) -> None:
        """Nothing of the WebSocket is left."""
        self._engine.transport_gone(transport)

    # -- within -------------------------------------------------------------

    def _rested(self) -> None:
        if not self._over:
            self._finish()
            self._candidate.write([Packet(PacketType.UPGRADE)], 0)
            self._candidate.owner = self._engine
            self._engine.switch_transport(self._candidate)

    def _time_is_up(self) -> None:
        self._give_up("the server did not complete it in time")

    def _give_up(self, detail: str) -> None:
        if self._over:
            return
        self._finish()
        _log.info("no upgrade to WebSocket: {detail}", detail=detail)
        self._candidate.abort()
        self._engine.probe_failed()
        self._current.go_on()

    def _finish(self) -> None:
        self._over = True
        self.switching = False
        if self._timeout_call is not None and self._timeout_call.active():
            self._timeout_call.cancel()
