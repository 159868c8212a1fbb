"""
The Socket.IO side of one Engine.IO session: it reads packets and sorts them out.

A packet that the protocol does not allow, in form or at this moment, closes the session
at once: the text says that the receiver MUST close, and a peer that is lost in the
protocol cannot be talked to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from mojo.credential import Credential
from mojo.engineio.ports import CloseReason, SessionState
from mojo.engineio.session import EngineSession
from mojo.errors import ConnectionRefused, PacketError
from mojo.socketio.connection import Connection
from mojo.socketio.dialect import Query, dialect_of
from mojo.socketio.logins import LiveLogins
from mojo.socketio.namespace import Namespace
from mojo.socketio.options import SocketOptions
from mojo.socketio.packet import ROOT, Packet, PacketType
from mojo.socketio.parser import Parser
from mojo.socketio.reasons import DisconnectReason
from mojo.socketio.states import OPEN, ConnectionState

Route = Callable[[str, dict[str, Any]], Namespace | None]


class ClientHost(Protocol):
    """What a client needs of its server."""

    options: SocketOptions
    parser: Parser

    logins: LiveLogins

    def client_arrived(self, client: Client) -> None:
        """A client came, and has joined nothing yet."""

    def client_joined(self, client: Client) -> None:
        """A client joined a namespace."""

    def client_gone(self, client: Client) -> None:
        """A client went."""

    def attachment_awaited(self, client: Client) -> None:
        """A client owes us an attachment."""

    def attachments_complete(self, client: Client) -> None:
        """A client owes us none."""


class Client:
    """
    One client, with a connection for each namespace it has joined.

    Args:
        server: what it is a client of.
        route: gives a namespace of its mount for a name on the wire and the client's
            ``auth``; ``None``, if there is none.
        session: what carries its packets.

    Attributes:
        user_id: the login of the handshake, until the visitor logs out.
        dialect: how it speaks.
    """

    __slots__ = (
        "_connections",
        "_decoder",
        "_left",
        "_paused",
        "_returning",
        "_route",
        "_server",
        "dialect",
        "session",
        "user_id",
    )

    def __init__(self, server: ClientHost, route: Route, session: EngineSession) -> None:
        self.session = session
        self.user_id = session.handshake.user_id
        self.dialect = dialect_of(session.handshake.protocol)
        self._server = server
        self._route = route
        self._decoder = server.parser.decoder(server.options.max_attachments)
        self._connections: dict[str, Connection] = {}
        # Namespaces that we ended: the client may have sent more before it knew.
        # No more of them are remembered than it may have joined.
        self._left: dict[str, None] | None = None
        self._paused: set[Connection] | None = None
        # Namespaces whose places are asked for elsewhere.
        self._returning: dict[str, Deferred[Any]] | None = None
        if self.user_id is not None:
            credential = session.handshake.credential or Credential(user_id=self.user_id)
            server.logins.hold(self, credential)
        server.client_arrived(self)

    @property
    def connections(self) -> tuple[Connection, ...]:
        """The connections, also those that the app has not let in yet."""
        return tuple(self._connections.values())

    # -- from the session ---------------------------------------------------

    def message_received(self, data: str | bytes) -> None:
        """Take one Engine.IO message."""
        try:
            if type(data) is str and self._decoder.pending is None:
                # What nearly every packet is, on the shortest way.
                event = self._server.parser.read_event(data)
                if event is not None:
                    namespace, payload, ack_id = event
                    connection = self._connections.get(namespace)
                    if connection is not None and connection.state is OPEN:
                        connection.event_received(payload, ack_id)
                        return
            packet = self._decoder.feed(data)
            if packet is not None:
                if isinstance(data, bytes):
                    self._server.attachments_complete(self)
                self._dispatch(packet, self.dialect.take_query(packet))
            else:
                # Attachments are only gathered for who may send them (CVE-2026-48804).
                assert self._decoder.pending is not None
                self.dialect.take_query(self._decoder.pending)
                self._connection_for(self._decoder.pending)
                self._server.attachment_awaited(self)
        except PacketError as exc:
            self.session.fail(CloseReason.PARSE_ERROR, str(exc))

    def session_closed(self, reason: CloseReason) -> None:
        """End every connection with the session's reason."""
        self._server.logins.drop(self)
        self._server.client_gone(self)
        self._returning = None
        for connection in self.connections:
            connection.ended(reason)

    def join_root(self) -> None:
        """
        Connect a client that expects it to ``"/"``.

        A mount may have no such namespace.  Then nothing is said of it, since these clients
        take a refusal there for one of all their namespaces.
        """
        if self.session.state is SessionState.OPEN:
            namespace = self._route(ROOT, {})
            if namespace is not None:
                self._join(namespace, ROOT, {}, {})

    def _dispatch(self, packet: Packet, query: Query) -> None:
        if self._returning and packet.namespace in self._returning:
            if packet.type is not PacketType.DISCONNECT:
                raise PacketError(f"{packet.type.name} for a namespace that is being joined")
            del self._returning[packet.namespace]
            return
        if packet.type is PacketType.CONNECT and packet.namespace not in self._connections:
            self._connect(packet, query)
            return
        connection = self._connection_for(packet)
        if connection is None:
            return
        if packet.type is PacketType.EVENT:
            connection.event_received(packet.data, packet.ack_id)
        elif packet.type is PacketType.ACK:
            assert packet.ack_id is not None
            connection.ack_received(packet.ack_id, packet.data)
        elif packet.type is PacketType.DISCONNECT:
            connection.ended(DisconnectReason.CLIENT_NAMESPACE)
        else:
            raise PacketError(f"unexpected {packet.type.name} packet")

    def _connection_for(self, packet: Packet) -> Connection | None:
        """
        Find the connection that a packet is for.

        Returns:
            ``None`` if we ended it, and the client may not have known when it sent this.
        Raises:
            PacketError: the client has not joined that namespace.
        """
        connection = self._connections.get(packet.namespace)
        if connection is not None and (
            connection.state is ConnectionState.OPEN or packet.type is PacketType.DISCONNECT
        ):
            return connection
        if packet.namespace in (self._left or ()) and packet.type is not PacketType.CONNECT:
            return None
        raise PacketError(f"{packet.type.name} for a namespace that was not joined")

    def _connect(self, packet: Packet, query: Query) -> None:
        if self._left:
            self._left.pop(packet.namespace, None)
        auth = self.dialect.auth_of(packet, query)
        if (
            len(self._connections) + len(self._returning or ())
            >= self._server.options.max_namespaces
        ):
            self._refuse(packet.namespace, "Too many namespaces")
            return
        namespace = self._route(packet.namespace, auth)
        if namespace is None:
            self._refuse(packet.namespace, "Invalid namespace")
            return
        self._join(namespace, packet.namespace, auth, query)

    def _join(self, namespace: Namespace, name: str, auth: dict[str, Any], query: Query) -> None:
        recalled = namespace.recall(self, auth)
        if recalled is None:
            self._open(namespace, name, auth, query, None)
            return
        self._returning = self._returning or {}
        self._returning[name] = recalled
        recalled.addCallback(self._recalled, recalled, namespace, name, auth, query)

    def _recalled(
        self,
        restored: Any,
        recalled: Deferred[Any],
        namespace: Namespace,
        name: str,
        auth: dict[str, Any],
        query: Query,
    ) -> None:
        """Go on with a client whose place was found at another server, or was not."""
        if self._returning is None or self._returning.get(name) is not recalled:
            return  # it has gone, or does not want it any longer
        del self._returning[name]
        found = self._route(name, auth)
        if found is None:
            self._refuse(name, "Invalid namespace")
        else:
            self._open(found, name, auth, query, restored)

    def _open(
        self, namespace: Namespace, name: str, auth: dict[str, Any], query: Query, restored: Any
    ) -> None:
        connection = namespace.connect(self, name, auth, query, restored)
        self._connections[name] = connection
        connection.open()

    def _refuse(self, name: str, why: str) -> None:
        refusal = self.dialect.refused(self._server.parser, ConnectionRefused(why))
        self.session.send_packets(refusal.packets(name))

    # -- from the server ----------------------------------------------------

    def log_out(self, reason: str) -> None:
        """
        Take the login away, from every connection and from those still to come.

        One that has a login of its own, by a token, keeps that.
        """
        self.user_id = None
        logins = self._server.logins
        logins.drop(self)
        for connection in self.connections:
            if connection not in logins:
                connection.log_out(reason)

    def move(self, session_id: str) -> None:
        """Be another visitor's, with every connection and with those still to come."""
        handshake = self.session.handshake
        self.session.handshake = handshake.moved(session_id)
        for connection in self.connections:
            connection.namespace.moved(connection, handshake.session_id, session_id)

    def disconnect(self) -> None:
        """Tell every connection that the server has ended it, and end the session."""
        for connection in self.connections:
            connection.disconnect()
        self.session.close(CloseReason.FORCED_SERVER_CLOSE)

    # -- from the connections -----------------------------------------------

    def joined(self) -> None:
        """Note that a namespace let the client in."""
        self._server.client_joined(self)

    def remove(self, connection: Connection) -> None:
        """Drop a connection that ended."""
        self.resume(connection)
        if self._connections.pop(connection.wire_name, None) is not None:
            if self._left is None:
                self._left = {}
            self._left[connection.wire_name] = None
            if len(self._left) > self._server.options.max_namespaces:
                del self._left[next(iter(self._left))]

    def pause(self, connection: Connection) -> None:
        """Read no more from the client: one of its connections cannot keep up."""
        if self._paused is None:
            self._paused = set()
        self._paused.add(connection)
        self.session.pause()

    def resume(self, connection: Connection) -> None:
        """Read again, unless another connection cannot keep up."""
        if self._paused and connection in self._paused:
            self._paused.remove(connection)
            if not self._paused:
                self.session.resume()
