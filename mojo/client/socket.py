"""
A client in one namespace.

A socket is *active* from `connect` until one side disconnects it or the server refuses it:
meanwhile its manager makes a lost connection anew.  It is *connected* while the server has let it
in.  What is emitted while it is not waits, and is sent when it is, unless it is volatile.

Events are handled one after another in the order in which they came, also when a listener is
async.  Acknowledgements go past that queue, and so do ``connect``, ``connect_error`` and
``disconnect``, which tell of the socket's state.

The names and rules are those of the official client's ``Socket``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from mojo.calls import run
from mojo.client.emitter import Ack, Emitter, Flags
from mojo.client.incoming import Incoming
from mojo.client.listeners import EventListeners, Function, Listener
from mojo.client.options import ClientOptions
from mojo.client.outgoing import Line, Outgoing
from mojo.client.reasons import SocketReason
from mojo.errors import ConnectError, Disconnected, PacketError, UnsendableError
from mojo.socketio.acks import wrap
from mojo.socketio.dispatch import event_name
from mojo.socketio.event import UNHANDLED
from mojo.socketio.packet import Packet, PacketType
from mojo.socketio.turns import Turns

_log = Logger()

AuthData = Mapping[str, Any] | None
#: What a server's handler gets as ``auth``, or what gives it.
Auth = AuthData | Callable[[], AuthData | Awaitable[AuthData]]

_OLD_SERVER = "the server speaks an old version of the protocol, that of Socket.IO 2"


class SocketHost(Line, Protocol):
    """What a socket needs of its manager."""

    options: ClientOptions

    def socket(self, namespace: str | None = None) -> Socket:
        """Give the socket of another namespace."""

    def close(self) -> Deferred[None]:
        """Disconnect every socket."""

    def socket_opened(self, socket: Socket) -> None:
        """Connect for a socket, or let it join at once."""

    def socket_closed(self) -> Deferred[None]:
        """Disconnect, unless there are other sockets."""

    def pause(self, socket: Socket) -> None:
        """Read no more from the server: the socket cannot keep up."""

    def resume(self, socket: Socket) -> None:
        """Read again."""


class Socket(EventListeners):
    """
    One client in one namespace; made by `Manager.socket` and `connect`.

    Attributes:
        manager: the connection, which sockets in other namespaces may share.
        namespace: its name.
        auth: what the server is told at the next connection; see `Manager.socket`.
        id: the id that the server gave; ``None`` while not connected.
        connected: whether the server has let us in.
        active: whether a lost connection would be made anew.
        recovered: whether the last connection continued the one before it: the server
            knows the rooms, and has sent what was missed.
    """

    def __init__(
        self,
        manager: SocketHost,
        namespace: str,
        *,
        auth: Auth = None,
        retries: int = 0,
        ack_timeout: float | None = None,
    ) -> None:
        super().__init__()
        self.manager = manager
        self.namespace = namespace
        self.auth = auth
        self.id: str | None = None
        self.connected = False
        self.active = False
        self.recovered = False
        self._outgoing = Outgoing(manager, namespace, retries=retries, ack_timeout=ack_timeout)
        self._turns = Turns(manager.options.max_queued_events, self)
        self._waiting: list[Deferred[Socket]] = []
        # Events that came before we were let in: a recovered connection begins with them.
        self._early: list[Packet] = []
        # Counts connections, so that nothing is taken from one into the next.
        self._connection = 0
        self._joining = False
        self._pid: str | None = None
        self._offset: str | None = None

    def __repr__(self) -> str:
        state = "connected" if self.connected else "active" if self.active else "disconnected"
        return f"<Socket {self.namespace}, {state}>"

    def turns_full(self) -> None:
        """Read no more for a while; see `Turns`."""
        self.manager.pause(self)

    def turns_drained(self) -> None:
        """Read again; see `Turns`."""
        self.manager.resume(self)

    # -- the connection -----------------------------------------------------

    def open(self) -> None:
        """Connect, and do not wait for it."""
        if not self.connected and not self._joining:
            self.active = True
            self.manager.socket_opened(self)

    def connect(self) -> Deferred[Socket]:
        """
        Connect.

        Returns:
            A Deferred of the socket.  It fails with `ConnectError` when the server
            refuses us or no more attempts are made, and with `Disconnected` when
            `disconnect` is called first.
        """
        if self.connected:
            return succeed(self)
        waiting: Deferred[Socket] = Deferred(self._waiting.remove)
        self._waiting.append(waiting)
        self.open()
        return waiting

    def disconnect(self) -> Deferred[None]:
        """
        Leave the namespace, and do not come back unless asked to.

        Returns:
            A Deferred that fires when the connection is gone, if no other socket
            uses it, and at once if one does.
        """
        if self.connected:
            self.manager.send(self.manager.parser.disconnect().packets(self.namespace))
        self._stop(SocketReason.CLIENT_DISCONNECT)
        return self.manager.socket_closed()

    # -- to the server ------------------------------------------------------

    def emit(self, name: str, *args: Any, ack: Ack | None = None) -> None:
        """
        Send an event, or keep it until there is a connection.

        Args:
            name: the event's name.
            args: anything that JSON has, and bytes at any depth.
            ack: called with the arguments of the server's acknowledgement.  If there is a
                time limit, the option ``ack_timeout`` or `timeout`, it is called with an
                error in front of them: ``None``, or `AckTimeout` or `Disconnected` alone.
        Raises:
            UnsendableError: the name is reserved, an argument cannot be sent, or
                the server takes no message of that size.
        """
        self._outgoing.emit(name, args, Flags(), ack)

    def send(self, *args: Any, ack: Ack | None = None) -> None:
        """Send the event ``message``; see `emit`."""
        self._outgoing.emit("message", args, Flags(), ack)

    def call(self, name: str, *args: Any, timeout: float | None = None) -> Deferred[Any]:
        """
        Send an event and wait for the server's acknowledgement.

        Args:
            name: the event's name.
            args: its arguments.
            timeout: seconds to wait; by default the option ``ack_timeout``, or 60.
        Returns:
            A Deferred, to be awaited in a coroutine: the acknowledgement's argument,
            a tuple if it has several, ``None`` if it has none.  It fails with
            `AckTimeout`, or with `Disconnected` when the connection goes.
        Raises:
            UnsendableError: as `emit`.
        """
        return self._outgoing.call(name, args, Flags(timeout))

    def timeout(self, seconds: float) -> Emitter:
        """Wait only so long for acknowledgements: ``socket.timeout(5).call("save", document)``."""
        return Emitter(self._outgoing, Flags(timeout=seconds))

    @property
    def volatile(self) -> Emitter:
        """Drop what cannot leave at once: ``socket.volatile.emit("position", x, y)``."""
        return Emitter(self._outgoing, Flags(volatile=True))

    # -- listeners ----------------------------------------------------------

    def on_any_outgoing(self, listener: Function) -> Function:
        """Call a listener with the name and arguments of every event that is sent."""
        self._outgoing.listeners.append(listener)
        return listener

    def off_any_outgoing(self, listener: Listener | None = None) -> None:
        """Take back `on_any_outgoing`, for one listener or all."""
        kept = [] if listener is None else [k for k in self._outgoing.listeners if k != listener]
        self._outgoing.listeners = kept

    # -- from the manager ---------------------------------------------------

    def manager_opened(self) -> None:
        """Ask the server to be let in."""
        self._joining = True
        self._connection += 1
        if callable(self.auth):
            run(
                self.auth,
                partial(self._join, self._connection),
                partial(self._auth_failed, self._connection),
            )
        else:
            self._join(self._connection, self.auth)

    def manager_failed(self, error: ConnectError) -> None:
        """Note that an attempt to connect failed."""
        if not self.connected:
            self._tell("connect_error", error)

    def manager_closed(self, reason: str) -> None:
        """Note that the connection is gone."""
        if self.connected:
            self._lose(reason)
        else:
            self._forget_attempt()
            self._tell("connect_error", ConnectError(reason))

    def manager_gave_up(self) -> None:
        """Note that no more attempts will be made."""
        self.active = False
        self._fail_waiting(ConnectError("the server could not be reached"))

    def manager_stopped(self, reason: str) -> None:
        """Note that the manager was told to disconnect."""
        self._stop(reason)

    def packet_received(self, packet: Packet) -> None:
        """
        Take a packet of the server.

        Raises:
            PacketError: the protocol does not allow it now.
        """
        if packet.type is PacketType.EVENT:
            if self.connected:
                self._event_received(packet)
            else:
                self._early.append(packet)
        elif packet.type is PacketType.ACK:
            assert packet.ack_id is not None
            self._outgoing.ack_received(packet.ack_id, packet.data)
        elif packet.type is PacketType.CONNECT:
            if self.connected:
                raise PacketError("a second CONNECT for a namespace")
            self._let_in(packet.data)
        elif packet.type is PacketType.CONNECT_ERROR:
            self._refused(_error_of(packet.data))
        elif self.connected:
            self._stop(SocketReason.SERVER_DISCONNECT)
            self.manager.socket_closed()
        else:
            self._refused(ConnectError(SocketReason.SERVER_DISCONNECT.value))

    # -- within: coming and going -------------------------------------------

    def _join(self, connection: int, auth: AuthData) -> None:
        if connection != self._connection or not self._joining:
            return  # the function that gave it took longer than the connection lasted
        data: dict[str, Any] = {}
        if self._pid is not None:
            data["pid"] = self._pid
            if self._offset is not None:
                data["offset"] = self._offset
        try:
            message = self.manager.parser.connect({**data, **(auth or {})})
            self.manager.send(message.packets(self.namespace))
        except (TypeError, ValueError):  # UnsendableError is a TypeError
            self._auth_failed(connection, Failure())

    def _auth_failed(self, connection: int, failure: Failure) -> None:
        _log.failure("auth for {namespace} failed", failure, namespace=self.namespace)
        if connection == self._connection and self._joining:
            self._refused(ConnectError("auth failed"))

    def _let_in(self, data: Any) -> None:
        if not isinstance(data, dict) or not isinstance(data.get("sid"), str):
            self._refused(ConnectError(_OLD_SERVER))
            return
        self.id = data["sid"]
        pid = data.get("pid")
        self.recovered = isinstance(pid, str) and pid == self._pid
        self._pid = pid if isinstance(pid, str) else None
        if not self.recovered:
            self._offset = None
        self.connected = True
        self._joining = False
        connection = self._connection
        # First whoever waits, in time to listen to the events that are here already.
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.callback(self)
        early, self._early = self._early, []
        for packet in early:
            self._event_received(packet)
        if self._is_connection(connection):
            self._outgoing.connected()
        if self._is_connection(connection):
            self._tell("connect")

    def _is_connection(self, connection: int) -> bool:
        """Whether a connection is still there, after an app's code ran."""
        return self.connected and self._connection == connection

    def _refused(self, error: ConnectError) -> None:
        self.active = False
        self._forget_attempt()
        self._fail_waiting(error)
        self._tell("connect_error", error)
        self.manager.socket_closed()

    def _stop(self, reason: str) -> None:
        """End for good, until `open`; which whoever is told may do at once."""
        self.active = False
        self._fail_waiting(Disconnected(str(reason)))
        if self.connected:
            self._lose(reason)
        else:
            self._forget_attempt()

    def _lose(self, reason: str) -> None:
        self.connected = False
        self.id = None
        self._forget_attempt()
        self._outgoing.disconnected(str(reason))
        self._tell("disconnect", str(reason))

    def _forget_attempt(self) -> None:
        self._joining = False
        self._early.clear()

    def _fail_waiting(self, error: Exception) -> None:
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.errback(error)

    # -- within: events -----------------------------------------------------

    def _event_received(self, packet: Packet) -> None:
        name, args = event_name(packet.data[0]), packet.data[1:]
        spare = 0
        # A server that lets clients recover adds the offset to events that need no answer.
        if self._pid is not None and packet.ack_id is None and args and isinstance(args[-1], str):
            self._offset = args[-1]
            spare = 1
        self._turns.take(
            Incoming(
                name,
                partial(self._deliver, name, args, spare),
                partial(self._acknowledge, self._connection, packet.ack_id, name),
            )
        )

    def _acknowledge(self, connection: int, ack_id: int | None, name: str, result: Any) -> None:
        if ack_id is None or result is UNHANDLED or not self._is_connection(connection):
            return
        try:
            self._outgoing.acknowledge(ack_id, wrap(result))
        except UnsendableError:
            _log.failure("the acknowledgement of {event!r} cannot be sent", event=name)


def _error_of(data: Any) -> ConnectError:
    """Read the payload of a CONNECT_ERROR: some servers send a text only."""
    if isinstance(data, dict):
        return ConnectError(str(data.get("message", "Connection refused")), data.get("data"))
    return ConnectError(str(data))
