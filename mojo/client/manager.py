"""
One connection to a server, shared by sockets in several namespaces, and made anew when lost.

As the official client's ``Manager``, whose events it has: ``open``, ``error``, ``ping``, ``close``,
``reconnect_attempt``, ``reconnect``, ``reconnect_error`` and ``reconnect_failed``.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.web.iweb import IAgentEndpointFactory, IPolicyForHTTPS

from mojo.client.address import parse_url
from mojo.client.backoff import Backoff
from mojo.client.cookies import Cookies
from mojo.client.endpoints import Endpoints, default_reactor
from mojo.client.engine import ClientEngine, EngineState
from mojo.client.listeners import Listeners
from mojo.client.options import ClientOptions
from mojo.client.polling import PollingTransport
from mojo.client.requests import HttpRequests
from mojo.client.socket import Auth, Socket
from mojo.client.transport import MakeTransport, TransportOwner
from mojo.client.websocket import WebSocketTransport
from mojo.engineio.deadlines import Deadlines
from mojo.engineio.packet import Packet as EnginePacket
from mojo.engineio.ports import CloseReason
from mojo.errors import ConnectError, PacketError
from mojo.socketio.json_parser import JsonParser
from mojo.socketio.parser import PacketDecoder, Parser

_log = Logger()
_random = secrets.SystemRandom().random


class ManagerState(Enum):
    """Where a manager's connection is."""

    CLOSED = "closed"
    OPENING = "opening"
    OPEN = "open"


class Manager(Listeners):
    """
    A connection to a server, for any number of sockets.

    Args:
        url: the server's; its path names the namespace of `socket` if that is given
            none.
        reactor: makes connections and tells the time; the running one by default.
        tls: judges the server's certificate; by default as a browser does.
        endpoints: makes the connections in place of TCP and TLS: a proxy, a UNIX socket.
        parser: the format of packets, the same as the server's.
        random: gives a number from 0 up to 1, for the delays.
        auto_connect: whether `socket` connects at once.
        options: see `ClientOptions`.
    Raises:
        ValueError: the URL or an option cannot be used.

    Attributes:
        engine: the Engine.IO connection of the moment, or the last one.
    """

    def __init__(
        self,
        url: str,
        *,
        reactor: Any = None,
        tls: IPolicyForHTTPS | None = None,
        endpoints: IAgentEndpointFactory | None = None,
        parser: Parser | None = None,
        random: Callable[[], float] = _random,
        auto_connect: bool = True,
        **options: Any,
    ) -> None:
        super().__init__()
        self.options = ClientOptions(**options)
        self.address = parse_url(url, self.options.path, self.options.query)
        self.clock = reactor or default_reactor()
        self.parser: Parser = parser or JsonParser()
        self.auto_connect = auto_connect
        self.engine: ClientEngine | None = None
        self.state = ManagerState.CLOSED
        self._endpoints = endpoints or Endpoints(self.clock, tls)
        self._cookies = Cookies(self.options.cookies)
        self._backoff = Backoff(self.options, random)
        self._decoder: PacketDecoder
        self._attachments: Deadlines[ClientEngine] = Deadlines(
            self.clock, self.options.attachment_timeout, _attachment_late
        )
        self._sockets: dict[str, Socket] = {}
        self._paused: set[Socket] = set()
        self._reconnecting = False
        self._skip_reconnect = False
        self._reconnect_call: IDelayedCall | None = None
        self._engines: set[ClientEngine] = set()
        self._closings: list[Deferred[None]] = []

    def __repr__(self) -> str:
        return f"<Manager of {self.address}, {self.state.value}>"

    def socket(
        self,
        namespace: str | None = None,
        *,
        auth: Auth = None,
        retries: int = 0,
        ack_timeout: float | None = None,
    ) -> Socket:
        """
        Give the socket of a namespace, and connect it unless ``auto_connect`` is off.

        Args:
            namespace: its name; by default the path of the URL.
            auth: what the server's handler gets as ``auth``: a dict, or a function
                that gives one, or a Deferred or coroutine of one, for each connection.
            retries: how often an event is sent again that was not acknowledged.
            ack_timeout: seconds to wait for an acknowledgement.
        """
        name = self.address.namespace if namespace is None else namespace
        if not name.startswith("/"):
            name = f"/{name}"
        socket = self._sockets.get(name)
        if socket is None:
            socket = Socket(self, name, auth=auth, retries=retries, ack_timeout=ack_timeout)
            self._sockets[name] = socket
        if self.auto_connect:
            socket.open()
        return socket

    @property
    def sockets(self) -> Mapping[str, Socket]:
        """The sockets by namespace."""
        return dict(self._sockets)

    @property
    def reconnecting(self) -> bool:
        """Whether a lost connection is being made anew."""
        return self._reconnecting

    @property
    def writable(self) -> bool:
        """Whether a message would leave now, rather than wait."""
        return self.engine is not None and self.engine.writable

    @property
    def expired(self) -> bool:
        """Whether the server's ping is overdue, so that nothing should be sent."""
        return self.engine is not None and self.engine.expired

    def open(self) -> None:
        """Connect, if nothing is connected or connecting."""
        if self.state is not ManagerState.CLOSED:
            return
        self._skip_reconnect = False
        self.state = ManagerState.OPENING
        transports: dict[str, MakeTransport] = {
            "polling": self._make_polling,
            "websocket": self._make_websocket,
        }
        self.engine = engine = ClientEngine(self.clock, self.options, transports, self)
        self._engines.add(engine)
        engine.open()

    def close(self) -> Deferred[None]:
        """
        Disconnect every socket, and do not connect again unless asked to.

        Returns:
            A Deferred that fires when the last TCP connection is gone.
        """
        self._skip_reconnect = True
        self._reconnecting = False
        self._stop_waiting()
        # Let go of it first: whoever is told may connect again, with another.
        engine, self.engine = self.engine, None
        was_open = self.state is ManagerState.OPEN
        self.state = ManagerState.CLOSED
        if engine is not None:
            self._attachments.clear()
            engine.close()
        if was_open:
            self._tell("close", CloseReason.FORCED_CLOSE.value)
        for socket in tuple(self._sockets.values()):
            socket.manager_stopped(CloseReason.FORCED_CLOSE.value)
        return self.closed()

    def closed(self) -> Deferred[None]:
        """Give a Deferred that fires when no TCP connection is left."""
        closing: Deferred[None] = Deferred()
        if self._engines:
            self._closings.append(closing)
        else:
            closing.callback(None)
        return closing

    # -- from the sockets -----------------------------------------------------

    def socket_opened(self, socket: Socket) -> None:
        """Connect for a socket, or let it join at once."""
        if self.state is ManagerState.OPEN:
            socket.manager_opened()
        elif not self._reconnecting:
            self.open()

    def socket_closed(self) -> Deferred[None]:
        """Disconnect, unless there are other sockets."""
        if any(socket.active for socket in self._sockets.values()):
            return succeed(None)
        return self.close()

    def check_size(self, packets: Iterable[EnginePacket]) -> None:
        """
        Check that the server takes what is to be sent.

        Raises:
            UnsendableError: it does not.
        """
        assert self.engine is not None
        self.engine.check_size(packets)

    def send(self, packets: Iterable[EnginePacket]) -> None:
        """Send packets."""
        assert self.engine is not None
        self.engine.send_packets(packets)

    def pause(self, socket: Socket) -> None:
        """Read no more from the server: one of the sockets cannot keep up."""
        self._paused.add(socket)
        if self.engine is not None:
            self.engine.pause()

    def resume(self, socket: Socket) -> None:
        """Read again, unless another socket cannot keep up."""
        self._paused.discard(socket)
        if not self._paused and self.engine is not None:
            self.engine.resume()

    # -- EngineReceiver -----------------------------------------------------

    def engine_opened(self, engine: ClientEngine) -> None:
        """Let the sockets join."""
        _log.info("connected to {server}", server=self.address)
        self.state = ManagerState.OPEN
        self._decoder = self.parser.decoder(self.options.max_attachments)
        attempts = self._backoff.attempts
        reconnected, self._reconnecting = self._reconnecting, False
        self._backoff.reset()
        if self._paused:
            engine.pause()
        self._tell("open")
        for socket in self._active_sockets():
            if engine.state is EngineState.OPEN:
                socket.manager_opened()
        if reconnected:
            self._tell("reconnect", attempts)

    def engine_pinged(self, engine: ClientEngine) -> None:
        """Tell who listens."""
        self._tell("ping")

    def message_received(self, engine: ClientEngine, data: str | bytes) -> None:
        """Take one Engine.IO message."""
        try:
            packet = self._decoder.feed(data)
            if packet is None:
                self._attachments.start(engine)
                return
            self._attachments.stop(engine)
            # A packet for a namespace that we left may have been on its way.
            socket = self._sockets.get(packet.namespace)
            if socket is not None and socket.active:
                socket.packet_received(packet)
        except PacketError as exc:
            engine.fail(CloseReason.PARSE_ERROR, exc)

    def engine_closed(self, engine: ClientEngine, reason: CloseReason, error: Exception) -> None:
        """Note that the connection is gone, or could not be made, and go on."""
        what = "disconnected from" if self.state is ManagerState.OPEN else "could not connect to"
        _log.info(
            "{what} {server}: {reason}: {error}",
            what=what if engine is self.engine else "closed the connection to",
            server=self.address,
            reason=reason.value,
            error=str(error) or type(error).__name__,
        )
        if engine is not self.engine:
            return  # we closed it
        self._attachments.clear()
        was_open = self.state is ManagerState.OPEN
        self.state = ManagerState.CLOSED
        if was_open:
            self._backoff.reset()
            self._tell("close", reason.value)
            for socket in self._active_sockets():
                socket.manager_closed(reason.value)
        else:
            failure = _as_connect_error(error)
            again, self._reconnecting = self._reconnecting, False
            self._tell("error", failure)
            for socket in self._active_sockets():
                socket.manager_failed(failure)
            if again:
                self._tell("reconnect_error", failure)
        # Whoever was told may have connected again, or given up.
        if self.state is ManagerState.CLOSED and self.options.reconnection:
            self._reconnect()

    def engine_gone(self, engine: ClientEngine) -> None:
        """Forget an engine."""
        self._engines.discard(engine)
        if not self._engines:
            closings, self._closings = self._closings, []
            for closing in closings:
                closing.callback(None)

    # -- within -------------------------------------------------------------

    def _active_sockets(self) -> list[Socket]:
        return [socket for socket in self._sockets.values() if socket.active]

    def _reconnect(self) -> None:
        if self._reconnecting or self._skip_reconnect:
            return
        if self._backoff.attempts >= self.options.reconnection_attempts:
            _log.warn("gave up connecting to {server}", server=self.address)
            self._backoff.reset()
            self._tell("reconnect_failed")
            for socket in self._active_sockets():
                socket.manager_gave_up()
            return
        self._reconnecting = True
        delay = self._backoff.next_delay()
        self._reconnect_call = self.clock.callLater(delay, self._attempt)

    def _attempt(self) -> None:
        self._reconnect_call = None
        self._tell("reconnect_attempt", self._backoff.attempts)
        # Whoever was told may have thought better of it.
        if not self._skip_reconnect:
            self.open()

    def _stop_waiting(self) -> None:
        if self._reconnect_call is not None:
            self._reconnect_call.cancel()
            self._reconnect_call = None

    def _make_polling(self, owner: TransportOwner) -> PollingTransport:
        requests = HttpRequests(
            self.clock, self._endpoints, self.address, self.options, self._cookies
        )
        return PollingTransport(owner, self.clock, requests, self.options.close_timeout)

    def _make_websocket(self, owner: TransportOwner) -> WebSocketTransport:
        return WebSocketTransport(
            owner, self.clock, self._endpoints, self.address, self.options, self._cookies
        )


def _attachment_late(engine: ClientEngine) -> None:
    engine.fail(CloseReason.PARSE_ERROR, PacketError("an attachment did not come"))


def _as_connect_error(error: Exception) -> ConnectError:
    """Give the error that listeners get, with its cause."""
    if isinstance(error, ConnectError):
        return error
    failure = ConnectError(str(error) or type(error).__name__)
    failure.__cause__ = error
    return failure
