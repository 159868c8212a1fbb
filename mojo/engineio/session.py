"""
One Engine.IO connection, whatever transport carries it at the moment.

A session is ``OPEN`` from its handshake, ``CLOSING`` while a long-polling client
has yet to fetch what it is still owed, and ``CLOSED`` once the server has forgotten
it.  Packets leave in the order in which they were sent, on whichever transport is
current when they leave; packets arrive in the order in which the client sent them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from enum import Enum, StrEnum
from typing import Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from mojo.engineio.handshake import Handshake
from mojo.engineio.heartbeat import ClientHeartbeat, Heartbeat, Watch
from mojo.engineio.options import EngineOptions
from mojo.engineio.packet import Packet, PacketType, message
from mojo.engineio.payload import SEPARATOR

_log = Logger()


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
    def writable(self) -> bool:
        """Whether `write` would take packets now."""

    @property
    def closes_in_band(self) -> bool:
        """Whether the client learns of the end by a close packet (long-polling)."""

    def write(self, packets: list[Packet]) -> int:
        """Send the first of the packets, and say how many."""

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

    def transport_ready(self) -> None:
        """The transport became writable."""

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


class SessionHost(Protocol):
    """What a session needs of its server."""

    clock: IReactorTime
    options: EngineOptions
    heartbeat: Heartbeat[EngineSession]
    client_heartbeat: ClientHeartbeat[EngineSession]

    def flush_soon(self, session: EngineSession) -> None:
        """Call ``session.flush()`` when the reactor's turn ends."""

    def linger(self, session: EngineSession) -> None:
        """Give a closing session ``close_timeout`` seconds to end."""

    def forget(self, session: EngineSession) -> None:
        """Drop a closed session."""


class EngineSession:
    """
    One Engine.IO connection.

    Attributes:
        eid: the session's id in its client's URLs.  Whoever knows it can speak for
            the client: it is never logged or shown to others.
        handshake: the facts of the request that opened it.
        transport: what carries it now.
        state: see `SessionState`.
    """

    __slots__ = (
        "__weakref__",
        "_flush_pending",
        "_heartbeat",
        "_host",
        "_outbox",
        "_paused",
        "_receiver",
        "eid",
        "failure",
        "handshake",
        "state",
        "transport",
        "upgrade",
    )

    def __init__(self, host: SessionHost, eid: str, handshake: Handshake) -> None:
        self._host = host
        self.eid = eid
        self.handshake = handshake
        self.state = SessionState.OPEN
        self.transport: Transport
        #: What may become the transport, once it has proved itself.
        self.upgrade: Abandonable | None = None
        #: What the client did wrong, if that is why the session ended.
        self.failure = ""
        self._receiver: Receiver | None = None
        self._outbox: list[Packet] = []
        self._flush_pending = False
        self._paused = False
        self._heartbeat: Watch[EngineSession] = (
            host.heartbeat if handshake.protocol == 4 else host.client_heartbeat
        )

    def __repr__(self) -> str:
        return f"<EngineSession {self.state.value} from {self.handshake.address}>"

    def open(self, transport: Transport, receiver: Callable[[EngineSession], Receiver]) -> None:
        """Begin: queue the open packet and start the heartbeat."""
        options = self._host.options
        self.transport = transport
        upgrades = [
            name
            for name in options.transports
            if name == "websocket" and transport.name == "polling" and options.allow_upgrades
        ]
        facts = {
            "sid": self.eid,
            "upgrades": upgrades,
            "pingInterval": round(options.ping_interval * 1000),
            "pingTimeout": round(options.ping_timeout * 1000),
            "maxPayload": options.max_payload,
        }
        self._outbox.append(Packet(PacketType.OPEN, json.dumps(facts, separators=(",", ":"))))
        self._heartbeat.start(self)
        try:
            self._receiver = receiver(self)
        except Exception:
            _log.failure("the application refused a session from {address}", address=self._address)
            self.close(CloseReason.FORCED_SERVER_CLOSE)
        self.flush()

    # -- for the application ------------------------------------------------

    @property
    def _address(self) -> str:
        return self.handshake.address

    def send(self, data: str | bytes) -> None:
        """
        Send one message; after the end it is dropped.

        Raises:
            ValueError: the text is not Unicode (a lone surrogate), or holds U+001E,
                which separates the packets of a long-polling payload: what follows
                it would be read as a packet.
        """
        if isinstance(data, str):
            data.encode("utf-8")
            if SEPARATOR in data:
                raise ValueError("a text message cannot hold U+001E, the packet separator")
        self.send_packets((message(data),))

    def send_packets(self, packets: Iterable[Packet]) -> None:
        """Send packets that were made before, perhaps for many sessions."""
        if self.state is SessionState.OPEN:
            self._outbox.extend(packets)
            if not self._flush_pending:
                self._flush_pending = True
                self._host.flush_soon(self)

    def close(self, reason: CloseReason = CloseReason.FORCED_CLOSE) -> None:
        """
        End the session after what was sent has left.

        The receiver is told at once.  A long-polling client that is between two
        GETs has ``close_timeout`` seconds to fetch the rest.
        """
        if self.state is not SessionState.OPEN:
            return
        self.state = SessionState.CLOSING
        self._heartbeat.stop(self)
        self._abandon_upgrade()
        if self.transport.closes_in_band:
            self._outbox.append(Packet(PacketType.CLOSE))
            self._host.linger(self)
        self._tell(reason)
        self.flush()
        if not self.transport.closes_in_band:
            self.lose(reason)

    def pause(self) -> None:
        """
        Take no more packets from the client until `resume`.

        The heartbeat rests meanwhile: the client's answers are not being read.
        """
        if self.state is SessionState.OPEN and not self._paused:
            self._paused = True
            self._heartbeat.stop(self)
            self.transport.pause_reading()

    def resume(self) -> None:
        """Take packets again."""
        if self._paused:
            self._paused = False
            if self.state is SessionState.OPEN:
                self._heartbeat.start(self)
                self.transport.resume_reading()

    def fail(self, reason: CloseReason, detail: str) -> None:
        """
        End the session at once: the client broke the protocol.

        Args:
            reason: what the application is told.
            detail: what the operator is told.
        """
        if self.state is SessionState.CLOSED:
            return
        self.failure = detail
        _log.info(
            "{address} on {path}: {reason}: {detail}",
            address=self._address,
            path=self.handshake.path,
            reason=reason.value,
            detail=detail,
        )
        self.lose(reason)

    # -- for the server and the transports ----------------------------------

    def lose(self, reason: CloseReason) -> None:
        """End the session at once: the client is gone."""
        if self.state is not SessionState.CLOSED:
            self._end(reason)
            self._tell(reason)

    def ping(self) -> None:
        """Send the heartbeat's ping."""
        self.send_packets((Packet(PacketType.PING),))

    def flush(self) -> None:
        """Hand the transport what it can take."""
        self._flush_pending = False
        if self._outbox and self.state is not SessionState.CLOSED and self.transport.writable:
            taken = self.transport.write(self._outbox)
            del self._outbox[:taken]
            if not self._outbox and self.state is SessionState.CLOSING:
                self.lose(CloseReason.FORCED_CLOSE)

    def switch_transport(self, transport: Transport) -> None:
        """Go on with another transport: the end of an upgrade."""
        previous, self.transport = self.transport, transport
        self.upgrade = None
        previous.close(CloseReason.TRANSPORT_CLOSE)
        if self._paused:
            transport.pause_reading()
        self.flush()

    def packet_received(self, packet: Packet) -> None:
        """Take one packet of the client; see `TransportOwner`."""
        if self.state is not SessionState.OPEN:
            return
        if packet.type is PacketType.MESSAGE:
            assert self._receiver is not None
            try:
                self._receiver.message_received(packet.data)
            except Exception:
                _log.failure("a message from {address} failed", address=self._address)
        elif packet.type is PacketType.PONG and self.handshake.protocol == 4:
            self._host.heartbeat.pong_received(self)
        elif packet.type is PacketType.CLOSE:
            self.lose(CloseReason.TRANSPORT_CLOSE)
        elif packet.type is PacketType.PING and self.handshake.protocol == 3:
            self._heartbeat.start(self)
            self.send_packets((Packet(PacketType.PONG, packet.data),))
        elif packet.type in (PacketType.PING, PacketType.PONG):
            # "invalid heartbeat direction": in v3 the client pings, since v4 the server.
            self.fail(CloseReason.TRANSPORT_ERROR, f"the client sent a {packet.type.name}")
        elif packet.type is not PacketType.NOOP:
            self.fail(CloseReason.PARSE_ERROR, f"unexpected {packet.type.name} packet")

    def transport_ready(self) -> None:
        """The transport became writable; see `TransportOwner`."""
        self.flush()

    def transport_lost(self, transport: Transport, reason: CloseReason) -> None:
        """The client is gone; see `TransportOwner`."""
        if transport is self.transport:
            self.lose(reason)

    def transport_failed(self, transport: Transport, reason: CloseReason, detail: str) -> None:
        """The client broke the protocol; see `TransportOwner`."""
        if transport is self.transport:
            self.fail(reason, detail)

    def _tell(self, reason: CloseReason) -> None:
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            try:
                receiver.session_closed(reason)
            except Exception:
                _log.failure("the end of {address} was not handled", address=self._address)

    def _end(self, reason: CloseReason) -> None:
        self.state = SessionState.CLOSED
        self._heartbeat.stop(self)
        self._host.forget(self)
        self._outbox.clear()
        self._abandon_upgrade()
        self.transport.close(reason)

    def _abandon_upgrade(self) -> None:
        upgrade, self.upgrade = self.upgrade, None
        if upgrade is not None:
            upgrade.abandon()


class Abandonable(Protocol):
    """An upgrade under way, as its session sees it."""

    def abandon(self) -> None:
        """Close the transport that was to take over."""
