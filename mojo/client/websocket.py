"""
The client's side of a WebSocket: a connection's packets, one in each message.

The frames of messages are made here, as the server's are by the server: Autobahn's masks
come from a generator that can be foretold, which RFC 6455 section 5.3 forbids.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from twisted.web.client import URI
from twisted.web.iweb import IAgentEndpointFactory

from mojo.client.address import Address
from mojo.client.cookies import Cookies
from mojo.client.options import ClientOptions
from mojo.client.transport import TransportOwner
from mojo.client.websocket_protocol import WebSocketFactory, WebSocketProtocol
from mojo.engineio.packet import Packet
from mojo.engineio.ports import CloseReason
from mojo.engineio.transports.frames import masked_frame_of


class WebSocketTransport:
    """
    Carries a connection over one WebSocket.

    Args:
        owner: the engine, or a probe.
        clock: for the closing handshake.
        endpoints: gives the server's endpoint.
        address: where the server is.
        options: the client's.
        cookies: the client's.
        new_mask: makes the masks of frames: four bytes that nobody can foretell.
    """

    name = "websocket"

    def __init__(
        self,
        owner: TransportOwner,
        clock: IReactorTime,
        endpoints: IAgentEndpointFactory,
        address: Address,
        options: ClientOptions,
        cookies: Cookies,
        new_mask: Callable[[], bytes] = lambda: os.urandom(4),
    ) -> None:
        self.owner = owner
        self.clock = clock
        self.close_timeout = options.close_timeout
        self._endpoints = endpoints
        self._address = address
        self._options = options
        self._cookies = cookies
        self._new_mask = new_mask
        self._connecting: Deferred[Any] | None = None
        self._socket: WebSocketProtocol | None = None
        self._reported = False
        self._gone = False

    @property
    def writable(self) -> bool:
        """Whether the WebSocket is open, and takes what is written."""
        return self._socket is not None and self._socket.writable

    def size_of(self, packet: Packet) -> int:
        """Give the bytes of a packet's message; see `ClientTransport`."""
        data = packet.data
        if isinstance(data, bytes):
            return len(data)
        return 1 + (len(data) if data.isascii() else len(data.encode("utf-8")))

    def open(self, eid: str | None) -> None:
        """Connect, and make the opening handshake."""
        factory = WebSocketFactory(self, self._address, self._options, self._cookies, eid)
        endpoint = self._endpoints.endpointForURI(URI.fromBytes(self._address.root.encode()))
        # Before the callbacks are added: they run at once if it fails at once.
        self._connecting = connecting = endpoint.connect(factory)
        connecting.addCallbacks(self._connected, self._not_connected)

    def write(self, packets: list[Packet], max_payload: int) -> int:
        """Write all the packets as frames; see `ClientTransport`."""
        assert self._socket is not None
        frames = [masked_frame_of(packet, self._new_mask()) for packet in packets]
        self._socket.transport.writeSequence(frames)
        return len(packets)

    def pause_reading(self) -> None:
        """Leave what the server sends in the kernel; see `ClientTransport`."""
        if self._socket is not None:
            self._socket.transport.pauseProducing()

    def resume_reading(self) -> None:
        """Read again; see `ClientTransport`."""
        if self._socket is not None:
            self._socket.transport.resumeProducing()

    def close(self, reason: CloseReason) -> None:
        """Begin the closing handshake; see `ClientTransport`."""
        self._reported = True
        if self._socket is None:
            self.abort()
        else:
            self.resume_reading()  # or the answer to our Close frame is never read
            self._socket.say_goodbye(reason)

    def abort(self) -> None:
        """Drop the connection; see `ClientTransport`."""
        self._reported = True
        if self._socket is not None:
            self._socket.transport.abortConnection()
        elif self._connecting is not None:
            self._connecting.cancel()
        else:
            self.went()

    # -- from the WebSocket -------------------------------------------------

    def _connected(self, socket: WebSocketProtocol) -> None:
        """Nothing: the WebSocket tells when it is open."""
        self._connecting = None

    def _not_connected(self, failure: Failure) -> None:
        self._connecting = None
        error = failure.value
        assert isinstance(error, Exception)
        self.lose(CloseReason.TRANSPORT_ERROR, error)
        self.went()

    def began(self, socket: WebSocketProtocol) -> None:
        """Note that there is a connection, on which the handshake is made."""
        self._socket = socket

    def opened(self) -> None:
        """Note that the handshake is made."""
        if not self._reported:
            self.owner.transport_opened(self)

    def ready(self) -> None:
        """Note that what was written has gone."""
        if not self._reported:
            self.owner.transport_ready(self)

    def packet_received(self, packet: Packet) -> None:
        """Take a packet."""
        if not self._reported:
            self.owner.packet_received(packet)

    def lose(self, reason: CloseReason, error: Exception) -> None:
        """Report the end, once."""
        if not self._reported:
            self._reported = True
            self.owner.transport_lost(self, reason, error)

    def went(self) -> None:
        """Note that nothing is left."""
        if not self._gone:
            self._gone = True
            self.owner.transport_gone(self)
