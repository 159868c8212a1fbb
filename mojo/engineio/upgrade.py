"""
The move of a session from long-polling to WebSocket.

The client opens a WebSocket with its session's id, sends a ping with ``probe``, is
answered a pong with ``probe``, lets its GET end, and sends an upgrade packet; from
then on the WebSocket is the transport (Engine.IO protocol v4, "Upgrade").  Anything
else, or ``upgrade_timeout`` seconds, closes the WebSocket, and the session goes on
as it was.
"""

from __future__ import annotations

from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from mojo.engineio.packet import Packet, PacketType, message
from mojo.engineio.ports import CloseReason, Transport
from mojo.engineio.session import EngineSession

_log = Logger()

#: Seconds between two looks for a GET that should be let go.  The client stops
#: polling only when its GET ends, and one may arrive after the probe.
NUDGE_INTERVAL = 0.1

_PROBE = "probe"


class Nudgeable(Transport, Protocol):
    """A transport whose waiting GET can be let go."""

    def nudge(self) -> None:
        """Answer a waiting GET with a noop packet."""


class Upgrade:
    """
    One WebSocket that may become a session's transport.

    Args:
        session: the session, on long-polling.
        current: the session's transport.
        candidate: the WebSocket.
        clock: for the time limit and the nudges.
        timeout: seconds allowed; 0 allows any time.
    """

    def __init__(
        self,
        session: EngineSession,
        current: Nudgeable,
        candidate: Transport,
        clock: IReactorTime,
        timeout: float,
    ) -> None:
        self._session = session
        self._current = current
        self._candidate = candidate
        self._clock = clock
        self._probed = False
        self._nudge_call: IDelayedCall | None = None
        self._timeout_call: IDelayedCall | None = None
        if timeout:
            self._timeout_call = clock.callLater(timeout, self._time_is_up)
        candidate.owner = self
        session.upgrade = self

    def packet_received(self, packet: Packet) -> None:
        """Take the next step; see `TransportOwner`."""
        if self._session.upgrade is not self:
            return
        if packet.type is PacketType.PING and packet.data == _PROBE and self._candidate.writable:
            self._candidate.write([Packet(PacketType.PONG, _PROBE)])
            if not self._probed:
                self._probed = True
                self._nudge()
        elif packet.type is PacketType.UPGRADE and self._probed:
            self._stop_calls()
            self._candidate.owner = self._session
            self._session.switch_transport(self._candidate)
        else:
            self._give_up(f"unexpected {packet.type.name} packet")

    def message_received(self, data: str | bytes) -> None:
        """A message came too early; see `TransportOwner`."""
        self.packet_received(message(data))

    def transport_ready(self) -> None:
        """Nothing waits to be written here; see `TransportOwner`."""

    def transport_lost(self, transport: Transport, reason: CloseReason) -> None:
        """The WebSocket went before it took over; see `TransportOwner`."""
        self._give_up(reason.value)

    def transport_failed(self, transport: Transport, reason: CloseReason, detail: str) -> None:
        """The client broke the protocol on the WebSocket; see `TransportOwner`."""
        self._give_up(detail)

    def abandon(self) -> None:
        """Close the WebSocket: the session has ended."""
        self._stop_calls()
        self._candidate.close(CloseReason.TRANSPORT_CLOSE)

    def _time_is_up(self) -> None:
        self._timeout_call = None
        self._give_up("the client did not complete it in time")

    def _give_up(self, detail: str) -> None:
        if self._session.upgrade is self:
            _log.info(
                "{address}: no upgrade to WebSocket: {detail}",
                address=self._session.handshake.address,
                detail=detail,
            )
            self._session.upgrade = None
            self._stop_calls()
            self._candidate.close(CloseReason.TRANSPORT_ERROR)

    def _nudge(self) -> None:
        self._current.nudge()
        self._nudge_call = self._clock.callLater(NUDGE_INTERVAL, self._nudge)

    def _stop_calls(self) -> None:
        for call in (self._nudge_call, self._timeout_call):
            if call is not None and call.active():
                call.cancel()
        self._nudge_call = self._timeout_call = None
