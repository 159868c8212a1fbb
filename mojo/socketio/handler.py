"""
What an app writer subclasses: one object per client and app.

The surface is TornadIO2's (``on_open``, ``on_message``, ``on_event``, ``on_close``,
``@event``, ``send``, ``emit``, ``emit_ack``, ``__endpoints__``) with the names that
Socket.IO's own servers have for the rest.  Everything under ``self._connection`` is not
part of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from twisted.internet.defer import Deferred

from mojo.socketio.connection import Connection
from mojo.socketio.dispatch import call_method
from mojo.socketio.event import UNHANDLED, EventTable, build_table, event
from mojo.socketio.listeners import EventMiddleware, Listener, drop
from mojo.socketio.namespace_operator import NamespaceOperator
from mojo.socketio.operator import ACK_SECONDS, Flags
from mojo.socketio.parents import Names
from mojo.socketio.ports import Middleware
from mojo.socketio.presence_lists import OwnPresence
from mojo.socketio.request import SocketRequest
from mojo.socketio.session_methods import SessionMethods
from mojo.socketio.socket_operator import SocketOperator
from mojo.socketio.states import ConnectionState
from mojo.socketio.user_methods import UserMethods


class MojoSocketHandler(UserMethods, SessionMethods, SocketOperator):
    """
    A client's connection to an app.

    Subclass it as ``SocketConnectionHandler`` in an app's ``socket_handlers.py``.  Every
    method that starts with ``on_``, and every ``@event``, may be sync, give a Deferred,
    or be a coroutine.  An exception in one of them is logged, goes to `on_error`, and
    never ends the connection.

    Attributes:
        __endpoints__: handler classes of namespaces below this one, by name:
            ``{"/admin": AdminHandler}`` adds ``/ChatSocket/admin`` to ``/ChatSocket``.
            ``"/doc/<id>"``, an expression or a predicate stands for many, which are
            made on demand; see `mojo.socketio.parents`.
        middleware: functions that are asked before `on_open`, in order.  Each is called
            with the handler, may be async, and may refuse the client as `on_open` may.
        event_middleware: functions that each event goes through, in order.  Each is
            called with the handler and the `IncomingEvent`, whose ``name`` and ``args``
            it may change; it may be async, and refuses the event by returning ``False``
            or raising ``EventRefused("why", data)``.
        validate_events: whether the arguments of the class's events are checked by the
            methods' annotations, unless an ``@event`` says otherwise.
    """

    __endpoints__: ClassVar[Mapping[Names, type[MojoSocketHandler]]] = {}
    middleware: ClassVar[Sequence[Middleware]] = ()
    event_middleware: ClassVar[Sequence[EventMiddleware]] = ()

    validate_events: ClassVar[bool] = False

    event_table: ClassVar[EventTable]
    sees_every_event: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.event_table = build_table(cls, _TAKEN)
        if cls.on_message is MojoSocketHandler.on_message:
            # It handles nothing, and must not keep messages from a catch-all.
            del cls.event_table["message"]
        cls.sees_every_event = cls.on_event is not MojoSocketHandler.on_event

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._connection: Connection = connection

    def __repr__(self) -> str:
        connection = self._connection
        return f"<{type(self).__name__} {connection.label} in {connection.namespace.name}>"

    # -- hooks --------------------------------------------------------------

    def on_open(self, request: SocketRequest) -> Any:
        """
        A client wants to connect.

        Return ``False`` or raise ``ConnectionRefused("why", data)`` to refuse it.  What
        is sent from here reaches the client after it was told that it is connected; what is
        volatile does not wait for that.
        """

    @event("message")
    def on_message(self, *args: Any) -> Any:
        """
        The client called ``socket.send(...)``.

        Override it with the arguments that your clients send: ``on_message(self, msg)``.
        """
        return UNHANDLED

    def on_event(self, name: str, *args: Any) -> Any:
        """
        The client emitted an event; give the acknowledgement.

        Override it to see every event; ``super().on_event(name, *args)`` goes on to the
        method that handles it.  What no method handles is not acknowledged.
        """
        return call_method(self, name, args)

    def on_close(self, reason: str) -> Any:
        """
        The connection that `on_open` let in is gone.

        Args:
            reason: Socket.IO's own words: ``"transport close"``, ``"ping timeout"``,
                ``"client namespace disconnect"``, ...
        """

    def on_logout(self, reason: str) -> Any:
        """
        The login is gone: `user_id` is ``None`` from now on.

        Call `close` here if your app has nothing for anonymous visitors; where the class is
        ``@login_required`` that is done when this returns.  The login that was is still in
        ``self.request.user_id``.

        Args:
            reason: ``"logout"``; ``"login changed"``, when the visitor has logged in as
                somebody else, or anew while a copy of the former cookie was used here;
                ``"expired"``; or ``"revoked"``, or whatever `MojoService.revoke` was given.
        """

    def on_error(self, error: BaseException, event: str) -> Any:
        """
        Something of yours raised; it was logged.

        Args:
            error: the exception.
            event: the event, or ``"on_open"``, ``"on_close"``, ...
        Returns:
            The acknowledgement of the event that failed; ``None`` sends none, so that
            the client's own time limit tells it.
        """

    # -- facts --------------------------------------------------------------

    @property
    def connection(self) -> Connection:
        """What is behind all this; its surface is not promised."""
        return self._connection

    @property
    def id(self) -> str:
        """The connection's id, which is the client's ``socket.id``."""
        return self._connection.id

    @property
    def session_id(self) -> str | None:
        """The visitor, from the ``session_id`` cookie; ``None`` without a good one."""
        return self._connection.session_id

    @property
    def user_id(self) -> str | None:
        """The login, from the ``logged_in`` cookie; ``None`` for anonymous visitors."""
        return self._connection.user_id

    @property
    def logged_in(self) -> str | None:
        """The seed's name of `user_id`."""
        return self._connection.user_id

    @property
    def request(self) -> SocketRequest:
        """Query, headers, cookies, address and ``auth`` of the client."""
        return self._connection.request

    @property
    def connected(self) -> bool:
        """Whether the client was let in and is still here."""
        return self._connection.state is ConnectionState.OPEN

    @property
    def namespace(self) -> NamespaceOperator:
        """Everyone in this app; its ``str()`` is the app's name on the shared path."""
        operator = self._connection.namespace.operator
        assert isinstance(operator, NamespaceOperator)
        return operator

    @property
    def params(self) -> Mapping[str, str]:
        """What the parameters of ``"/doc/<id>"`` are in the name of this namespace."""
        return self._connection.namespace.params

    @property
    def recovered(self) -> bool:
        """Whether the client has come back, with the same id, rooms and data."""
        return self.request.recovered

    @property
    def data(self) -> dict[str, Any]:
        """A dict of the app's own."""
        return self._connection.data

    @property
    def mojo(self) -> Any:
        """The service that this app belongs to."""
        return self._connection.namespace.owner

    @property
    def rooms(self) -> frozenset[str]:
        """The rooms that this connection is in; its own `id` is one of them."""
        rooms = self._connection.namespace.adapter.rooms_of(self._connection)
        return frozenset(room for room in rooms if isinstance(room, str))

    @property
    def buffered(self) -> int:
        """
        Bytes that wait for the client to take them, from all its apps together.

        More than ``SOCKET_IO["max_buffered"]`` do not: see ``SOCKET_IO["overflow"]``.
        """
        return self._connection.client.session.buffered

    @property
    def dropped(self) -> int:
        """Messages that were dropped because the client could not take them, of all its apps."""
        return self._connection.client.session.dropped

    # -- to this client: see also `SocketOperator` -----------------------------

    def drain(self) -> Deferred[None]:
        """
        Wait until nothing is `buffered`, so as to send no faster than the client takes.

        Returns:
            A Deferred, to be awaited in a coroutine; it fails with `Disconnected` when the
            client goes.
        """
        return self._connection.client.session.drain()

    def emit_ack(
        self,
        callback: Callable[[tuple[str, tuple[Any, ...], dict[str, Any]], Any], object],
        name: str,
        *args: Any,
    ) -> None:
        """
        Send an event as TornadIO2 did, the callback first.

        Args:
            callback: called with ``(name, args, {})``, which is what was sent, and the
                list of the acknowledgement's arguments, ``None`` if there are none.
            name: the event's name.
            args: its arguments.
        """
        sent: tuple[str, tuple[Any, ...], dict[str, Any]] = (name, args, {})
        self.emit(name, *args, ack=lambda *data: callback(sent, list(data) or None))

    def call(self, name: str, *args: Any, timeout: float | None = ACK_SECONDS) -> Deferred[Any]:
        """
        Send an event and wait for the client's acknowledgement.

        Args:
            name: the event's name.
            args: its arguments.
            timeout: seconds to wait; ``None`` waits as long as the client is here.
        Returns:
            A Deferred, to be awaited in a coroutine: the acknowledgement's argument,
            a tuple if it has several, ``None`` if it has none.  It fails with
            `AckTimeout`, or with `Disconnected` when the client goes.
        Raises:
            UnsendableError: the name is reserved, or an argument cannot be sent.
        """
        return self._connection.call(name, args, Flags(timeout=timeout))

    def close(self) -> None:
        """End this connection; the client's other apps stay connected."""
        self._connection.disconnect()

    def disconnect(self, *, close: bool = False) -> None:
        """
        End this connection.

        Args:
            close: whether the client's connections to other apps end as well.
        """
        self._connection.disconnect(close=close)

    # -- rooms ------------------------------------------------------------------

    def join(self, *rooms: str) -> None:
        """Enter some rooms; one begins to exist with its first member."""
        self._connection.join(_checked(rooms))

    def leave(self, *rooms: str) -> None:
        """Leave some rooms."""
        self._connection.leave(_checked(rooms))

    def presence(self, room: str = "") -> OwnPresence:
        """
        Give this connection's part in the list of who is in a room, or in the app.

        Args:
            room: the room's name; ``""`` for the list of the app.
        """
        namespace = self._connection.namespace
        return OwnPresence(namespace.presence, (namespace.name, room), self._connection)

    # -- listeners ----------------------------------------------------------------

    def use(self, function: EventMiddleware) -> None:
        """Add middleware for this connection's events; see `event_middleware`."""
        self._connection.listeners.middleware.append(function)

    def on_any(self, listener: Listener) -> None:
        """Call a function with the name and arguments of each event, before it is handled."""
        self._connection.listeners.incoming.append(listener)

    def prepend_any(self, listener: Listener) -> None:
        """Do as `on_any`, before the listeners that there are."""
        self._connection.listeners.incoming.insert(0, listener)

    def off_any(self, listener: Listener | None = None) -> None:
        """Take away a listener of `on_any`, or all of them."""
        drop(self._connection.listeners.incoming, listener)

    def on_any_outgoing(self, listener: Listener) -> None:
        """Call a function with the name and arguments of each event sent to this client."""
        self._connection.listeners.outgoing.append(listener)

    def prepend_any_outgoing(self, listener: Listener) -> None:
        """Do as `on_any_outgoing`, before the listeners that there are."""
        self._connection.listeners.outgoing.insert(0, listener)

    def off_any_outgoing(self, listener: Listener | None = None) -> None:
        """Take away a listener of `on_any_outgoing`, or all of them."""
        drop(self._connection.listeners.outgoing, listener)


def _checked(rooms: tuple[str, ...]) -> tuple[str, ...]:
    for room in rooms:
        if not isinstance(room, str):
            raise TypeError(f"a room's name is a str, not {type(room).__name__}")
    return rooms


MojoSocketHandler.event_table = build_table(MojoSocketHandler)
_TAKEN = frozenset(dir(MojoSocketHandler)) - {"on_message"}
