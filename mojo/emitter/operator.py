"""
Whom an emitter sends to, as a sentence: ``emitter.app("Chat").to("lobby").emit("said", text)``.

The words are those of `mojo.socketio.operator`.  There are no answers: those go to servers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Generic, TypeVar

from mojo.cluster import wire
from mojo.cluster.names import write_room
from mojo.cluster.wire import Kind
from mojo.emitter.formats import Command, MakeFormat
from mojo.errors import UnsendableError
from mojo.socketio.adapter import EVERYONE, Target
from mojo.socketio.packet import RESERVED_EVENTS, ROOT
from mojo.socketio.rooms import Room
from mojo.users import user_key

#: What publishing gives, now or later; see `EmitterOperator.emit`.
Published = TypeVar("Published")
Publish = Callable[[Command], Published]


class EmitterOperator(Generic[Published]):
    """
    Some of the clients of a namespace, wherever they are connected.

    An operator is never changed: each word gives a new one.

    Args:
        publish: gives Redis a command.
        make_format: makes what says how servers of a namespace are told.
        namespace: the namespace's name.
        target: which of its clients.
        flags: how they are sent to.
    """

    def __init__(
        self,
        publish: Publish[Published],
        make_format: MakeFormat,
        namespace: str = ROOT,
        target: Target = EVERYONE,
        flags: dict[str, Any] | None = None,
    ) -> None:
        self._publish = publish
        self._make_format = make_format
        self._format = make_format(namespace)
        self._namespace = namespace
        self._target = target
        self._flags = flags or {}

    def __repr__(self) -> str:
        # Not the rooms: those of visitors have their ids for names.
        return f"<{type(self).__name__} of {self._namespace}>"

    # -- whom -----------------------------------------------------------------

    def of(self, namespace: str) -> EmitterOperator[Published]:
        """Everyone in a namespace: ``"/ChatSocket"``; a slash that is missing is put before it."""
        name = namespace if namespace.startswith("/") else f"/{namespace}"
        return EmitterOperator(self._publish, self._make_format, name)

    def app(self, name: str) -> EmitterOperator[Published]:
        """Everyone in an app: ``"Chat"``."""
        return self.of(f"/{name}Socket")

    def to(self, *rooms: Room) -> EmitterOperator[Published]:
        """
        Those in any of the rooms too; a connection's id is a room of its own.

        Raises:
            TypeError: there is none: it would be everyone.
        """
        if not rooms:
            raise TypeError("to() takes one room at least: without any it would be everyone")
        return self._choose(rooms=self._target.rooms | frozenset(rooms))

    def in_(self, *rooms: Room) -> EmitterOperator[Published]:
        """The same as `to`."""
        return self.to(*rooms)

    def except_(self, *rooms: Room) -> EmitterOperator[Published]:
        """Those in none of the rooms."""
        return self._choose(excluded=self._target.excluded | frozenset(rooms))

    def session(self, session_id: str) -> EmitterOperator[Published]:
        """A visitor's connections; further words choose among them."""
        return self._choose(within=("session", session_id))

    def user(self, user_id: str | int) -> EmitterOperator[Published]:
        """A login's connections; further words choose among them."""
        return self._choose(within=("user", user_key(user_id)))

    @property
    def volatile(self) -> EmitterOperator[Published]:
        """A client that cannot take the message at once does without it."""
        return self._with(volatile=True)

    def compress(self, allowed: bool) -> EmitterOperator[Published]:
        """Let transports compress the message, where they can, or not."""
        return self._with(compress=allowed)

    # -- what -----------------------------------------------------------------

    def emit(self, name: str, *args: Any) -> Published:
        """
        Send an event to all of them.

        Args:
            name: the event's name.
            args: anything that JSON has, and bytes at any depth.
        Returns:
            How many servers heard of it, whether they have such clients or not; ``None`` by a
            stream, which those read, too, who are away now.
        Raises:
            UnsendableError: the name is reserved, or an argument cannot be sent.
            RedisUnavailable: it was not sent, or it is not known whether it was.
        """
        if not isinstance(name, str):
            raise UnsendableError(f"an event's name is a str, not {type(name).__name__}")
        if name in RESERVED_EVENTS:
            raise UnsendableError(f"event {name!r} is reserved: clients close on it")
        opts = wire.write_opts(self._target, **self._flags)
        packet = wire.write_packet(self._namespace, name, args)
        return self._publish(self._format.broadcast(packet, opts))

    def send(self, *args: Any) -> Published:
        """Send all of them the event that ``socket.on("message")`` hears."""
        return self.emit("message", *args)

    def sockets_join(self, *rooms: str) -> Published:
        """Put all of them into some rooms."""
        return self._ask(Kind.REMOTE_JOIN, rooms=sorted(map(write_room, rooms)))

    def sockets_leave(self, *rooms: str) -> Published:
        """Take all of them out of some rooms."""
        return self._ask(Kind.REMOTE_LEAVE, rooms=sorted(map(write_room, rooms)))

    def disconnect_sockets(self, *, close: bool = False) -> Published:
        """End all of these connections, and with ``close`` their clients' others."""
        return self._ask(Kind.REMOTE_DISCONNECT, close=close)

    def server_side_emit(self, name: str, *args: Any) -> Published:
        """Send an event to the servers themselves; see `NamespaceOperator.on_server`."""
        fields = {"data": [name, *args]}
        return self._publish(self._format.request(Kind.SERVER_SIDE_EMIT, fields))

    # -- within ---------------------------------------------------------------

    def _ask(self, kind: Kind, **fields: Any) -> Published:
        opts = wire.write_opts(self._target)
        return self._publish(self._format.request(kind, {"opts": opts, **fields}))

    def _choose(self, **changes: Any) -> EmitterOperator[Published]:
        return self._copy(replace(self._target, **changes), self._flags)

    def _with(self, **flags: Any) -> EmitterOperator[Published]:
        return self._copy(self._target, {**self._flags, **flags})

    def _copy(self, target: Target, flags: dict[str, Any]) -> EmitterOperator[Published]:
        return EmitterOperator(self._publish, self._make_format, self._namespace, target, flags)
