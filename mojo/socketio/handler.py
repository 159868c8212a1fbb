"""
What an app writer subclasses: one object per client and app.

The surface is TornadIO2's (``on_open``, ``on_message``, ``on_event``, ``on_close``,
``@event``, ``send``, ``emit``, ``emit_ack``, ``__endpoints__``) with the names that
Socket.IO's own servers have for the rest.  Everything under ``self._connection`` is not
part of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from twisted.internet.defer import Deferred

from mojo.socketio.connection import Connection, ConnectionState
from mojo.socketio.event import UNHANDLED, EventTable, build_table, event
from mojo.socketio.operator import BroadcastOperator
from mojo.socketio.request import SocketRequest


class MojoSocketHandler:
    """
    A client's connection to an app.

    Subclass it as ``SocketConnectionHandler`` in an app's ``socket_handlers.py``.  Every
    method that starts with ``on_``, and every ``@event``, may be sync, give a Deferred,
    or be a coroutine.  An exception in one of them is logged, goes to `on_error`, and
    never ends the connection.

    Attributes:
        data: a dict of the app's own.
        __endpoints__: handler classes of namespaces below this one, by name:
            ``{"/admin": AdminHandler}`` adds ``/ChatSocket/admin`` to ``/ChatSocket``.
    """

    __endpoints__: ClassVar[Mapping[str, type[MojoSocketHandler]]] = {}

    event_table: ClassVar[EventTable]
    sees_every_event: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.event_table = build_table(cls)
        cls.sees_every_event = cls.on_event is not MojoSocketHandler.on_event

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.data: dict[str, Any] = {}

    def __repr__(self) -> str:
        connection = self._connection
        return f"<{type(self).__name__} {connection.id} in {connection.namespace.name}>"

    # -- hooks --------------------------------------------------------------

    def on_open(self, request: SocketRequest) -> Any:
        """
        A client wants to connect.

        Return ``False`` or raise ``ConnectionRefused("why", data)`` to refuse it.  What
        is sent from here reaches the client after it was told that it is connected.
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
        return self._connection.call_event(name, args)

    def on_close(self, reason: str) -> Any:
        """
        The connection that `on_open` let in is gone.

        Args:
            reason: Socket.IO's own words: ``"transport close"``, ``"ping timeout"``,
                ``"client namespace disconnect"``, ...
        """

    def on_logout(self, reason: str) -> Any:
        """
        The visitor logged out: `user_id` is ``None`` from now on.

        Call `close` here if your app has nothing for anonymous visitors.  The login that
        was is still in ``self.request.user_id``.

        Args:
            reason: ``"logout"``.
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
    def namespace(self) -> BroadcastOperator:
        """Everyone in this app; its ``str()`` is the app's name on the shared path."""
        return self._connection.namespace.operator

    @property
    def mojo(self) -> Any:
        """The service that this app belongs to."""
        return self._connection.namespace.owner

    @property
    def rooms(self) -> frozenset[str]:
        """The rooms that this connection is in; its own `id` is one of them."""
        rooms = self._connection.namespace.adapter.rooms_of(self._connection)
        return frozenset(room for room in rooms if isinstance(room, str))

    # -- to this client -----------------------------------------------------

    def emit(self, name: str, *args: Any, ack: Callable[..., object] | None = None) -> None:
        """
        Send an event to this client.

        Args:
            name: the event's name.
            args: anything that JSON has, and bytes at any depth.
            ack: called with the arguments of the client's acknowledgement.
        Raises:
            UnsendableError: the name is reserved, or an argument cannot be sent.
        """
        self._connection.emit(name, args, ack)

    def send(self, *args: Any, ack: Callable[..., object] | None = None) -> None:
        """Send the event that the client's ``socket.on("message")`` hears."""
        self._connection.emit("message", args, ack)

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
        self._connection.emit(name, args, lambda *data: callback(sent, list(data) or None))

    def call(self, name: str, *args: Any, timeout: float | None = 60.0) -> Deferred[Any]:
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
        """
        return self._connection.call(name, args, timeout).addCallback(_unwrap)

    def close(self) -> None:
        """End this connection; the client's other apps stay connected."""
        self._connection.disconnect()

    # -- rooms and others ---------------------------------------------------

    def join(self, room: str) -> None:
        """Enter a room; it begins to exist with its first member."""
        _check_room(room)
        self._connection.join(room)

    def leave(self, room: str) -> None:
        """Leave a room."""
        _check_room(room)
        self._connection.leave(room)

    @property
    def broadcast(self) -> BroadcastOperator:
        """Everyone in this app but this connection."""
        return self.namespace.except_(self._connection.id)

    def to(self, *rooms: str) -> BroadcastOperator:
        """Everyone in any of the rooms but this connection."""
        return self.broadcast.to(*rooms)


def _check_room(room: object) -> None:
    if not isinstance(room, str):
        raise TypeError(f"a room's name is a str, not {type(room).__name__}")


def _unwrap(answer: list[Any]) -> Any:
    if len(answer) > 1:
        return tuple(answer)
    return answer[0] if answer else None


MojoSocketHandler.event_table = build_table(MojoSocketHandler)
