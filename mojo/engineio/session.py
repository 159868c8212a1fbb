"""
One Engine.IO connection, whatever transport carries it at the moment.

A session is ``OPEN`` from its handshake, ``CLOSING`` while a long-polling client
has yet to fetch what it is still owed, and ``CLOSED`` once the server has forgotten
it.  Packets leave in the order in which they were sent, on whichever transport is
current when they leave; packets arrive in the order in which the client sent them.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import Logger

from mojo.engineio.handshake import Handshake
from mojo.engineio.heartbeat import Watch
from mojo.engineio.packet import Packet, PacketType
from mojo.engineio.packet_sender import PacketSender
from mojo.engineio.ports import (
    OPEN,
    Abandonable,
    CloseReason,
    Receiver,
    SessionHost,
    SessionState,
    Transport,
)
from mojo.engineio.welcome import open_packets

_log = Logger()


class EngineSession(PacketSender):
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
        "_heartbeat",
        "_paused",
        "_receiver",
        "eid",
        "failure",
        "handshake",
        "upgrade",
    )

    def __init__(self, host: SessionHost[EngineSession], eid: str, handshake: Handshake) -> None:
        super().__init__(host)
        self.eid = eid
        self.handshake = handshake
        #: What may become the transport, once it has proved itself.
        self.upgrade: Abandonable | None = None
        #: What the client did wrong, if that is why the session ended.
        self.failure = ""
        self._receiver: Receiver | None = None
        self._paused = False
        self._heartbeat: Watch[EngineSession] = (
            host.heartbeat if handshake.protocol == 4 else host.client_heartbeat
        )

    def __repr__(self) -> str:
        return f"<EngineSession {self.state.value} from {self.handshake.address}>"

    def open(self, transport: Transport, receiver: Callable[[EngineSession], Receiver]) -> None:
        """Begin: queue the open packet and start the heartbeat; `flush` must follow."""
        self.transport = transport
        self._outbox.put(open_packets(self.eid, transport.name, self._host.options))
        self._host.stats.session_opened(transport.name)
        self._heartbeat.start(self)
        try:
            self._receiver = receiver(self)
        except Exception:
            _log.failure(
                "the application refused a session from {address}", address=self.handshake.address
            )
            self.close(CloseReason.FORCED_SERVER_CLOSE)

    # -- for the application ------------------------------------------------

    def close(self, reason: CloseReason = CloseReason.FORCED_CLOSE) -> None:
        """
        End the session after what was sent has left.

        The receiver is told at once.  A client that does not take the rest at once, as a
        long-polling client between two GETs, has ``close_timeout`` seconds for it.
        """
        self._settle()
        if self.state is not SessionState.OPEN:
            return
        self.state = SessionState.CLOSING
        self._reason = reason
        self._heartbeat.stop(self)
        self._abandon_upgrade()
        if self.transport.closes_in_band:
            self._outbox.put((Packet(PacketType.CLOSE),))
        self._tell(reason)
        self.flush()
        if self.state is SessionState.CLOSING:
            self._host.linger(self)

    def pause(self) -> None:
        """
        Take no more packets from the client until `resume`.

        The heartbeat rests meanwhile: the client's answers are not being read.
        """
        if self.state is SessionState.OPEN and not self._paused:
            self._paused = True
            self._heartbeat.stop(self)
            self._adjust_reading()

    def resume(self) -> None:
        """Take packets again."""
        if self._paused:
            self._paused = False
            if self.state is SessionState.OPEN:
                self._heartbeat.start(self)
                self._adjust_reading()

    def fail(self, reason: CloseReason, detail: str) -> None:
        """
        End the session at once: the client broke the protocol, or is too far behind.

        Args:
            reason: what the application is told.
            detail: what the operator is told.
        """
        if self.state is SessionState.CLOSED:
            return
        self.failure = detail
        self._note("{reason}: {detail}", reason=reason.value, detail=detail)
        self.lose(reason)

    # -- for the server and the transports ----------------------------------

    def lose(self, reason: CloseReason) -> None:
        """End the session at once: the client is gone."""
        if self.state is not SessionState.CLOSED:
            self._end(reason)
            self._tell(reason)

    def ping(self) -> None:
        """Send the heartbeat's ping, past all that waits for the client."""
        self._send_first(Packet(PacketType.PING))

    def switch_transport(self, transport: Transport) -> None:
        """Go on with another transport: the end of an upgrade."""
        previous, self.transport = self.transport, transport
        self.upgrade = None
        self._host.stats.session_moved(previous.name, transport.name)
        previous.close(CloseReason.TRANSPORT_CLOSE)
        if self._paused or self._clogged:
            transport.pause_reading()
        self.flush()

    def message_received(self, data: str | bytes) -> None:
        """Take one message of the client; see `TransportOwner`."""
        self._host.stats.packets_recv += 1
        if self.state is OPEN:
            try:
                self._receiver.message_received(data)  # type: ignore[union-attr]
            except Exception:
                _log.failure("a message from {address} failed", address=self.handshake.address)

    def packet_received(self, packet: Packet) -> None:
        """Take one packet of the client; see `TransportOwner`."""
        if packet.type is PacketType.MESSAGE:
            self.message_received(packet.data)
            return
        self._host.stats.packets_recv += 1
        if self.state is not SessionState.OPEN:
            return
        if packet.type is PacketType.PONG and self.handshake.protocol == 4:
            self._host.heartbeat.pong_received(self)
        elif packet.type is PacketType.CLOSE:
            self.lose(CloseReason.TRANSPORT_CLOSE)
        elif packet.type is PacketType.PING and self.handshake.protocol == 3:
            self._heartbeat.start(self)
            self._send_first(Packet(PacketType.PONG, packet.data))
            if self._outbox.high:
                self.relieve(0)
        elif packet.type in (PacketType.PING, PacketType.PONG):
            # "invalid heartbeat direction": in v3 the client pings, since v4 the server.
            self.fail(CloseReason.TRANSPORT_ERROR, f"the client sent a {packet.type.name}")
        elif packet.type is not PacketType.NOOP:
            self.fail(CloseReason.PARSE_ERROR, f"unexpected {packet.type.name} packet")

    def transport_ready(self) -> None:
        """The client takes what it is sent; see `TransportOwner`."""
        if self.buffered and self.state is SessionState.OPEN:
            self._heartbeat.progress(self)
        self.flush()

    def transport_lost(self, transport: Transport, reason: CloseReason) -> None:
        """The client is gone; see `TransportOwner`."""
        if transport is self.transport:
            self.lose(reason)

    def transport_failed(self, transport: Transport, reason: CloseReason, detail: str) -> None:
        """The client broke the protocol; see `TransportOwner`."""
        if transport is self.transport:
            self.fail(reason, detail)

    def _adjust_reading(self) -> None:
        if self._paused or self._clogged:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def _note(self, what: str, **facts: object) -> None:
        who = self.handshake
        _log.info("{address} on {path}: " + what, address=who.address, path=who.path, **facts)

    def _tell(self, reason: CloseReason) -> None:
        self._outbox.ended(reason.value)
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            try:
                receiver.session_closed(reason)
            except Exception:
                _log.failure("the end of {address} was not handled", address=self.handshake.address)

    def _end(self, reason: CloseReason) -> None:
        self.state = SessionState.CLOSED
        self._reason = self._reason or reason
        self._host.stats.session_closed(self.transport.name, self._reason)
        self._heartbeat.stop(self)
        self._host.forget(self)
        self._outbox.clear()
        self._abandon_upgrade()
        self.transport.close(reason)

    def _abandon_upgrade(self) -> None:
        upgrade, self.upgrade = self.upgrade, None
        if upgrade is not None:
            upgrade.abandon()
