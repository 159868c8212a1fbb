"""
The adapter of a namespace of a cluster to which servers of python-socketio belong as well.

What these say is done to the connections of this process alone.  They know a connection by its id,
and take no room for one; an event is for everybody or for rooms, of which each id is one, without
some ids.  What they have no words for is not told them: it would reach too many.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection
from typing import Any, Protocol

from twisted.logger import Logger

from mojo.cluster import wire
from mojo.cluster.adapter import ClusterAdapter
from mojo.cluster.gathering import Relay
from mojo.cluster.line import MakeLine, Server
from mojo.cluster.names import read_app_rooms, write_room
from mojo.cluster.python_wire import (
    Asker,
    Emitted,
    read_emitted,
    write_act,
    write_answer,
    write_emitted,
)
from mojo.cluster.requests import MAX_ACK_SECONDS
from mojo.cluster.wire import Broadcast, text_of
from mojo.errors import PacketError, UnsendableError
from mojo.socketio.adapter import Carried, LocalAdapter, Recipient, Target
from mojo.socketio.message import Message
from mojo.socketio.rooms import Room

_log = Logger()

#: How many ids of connections that went are known, of each namespace.
MAX_GONE = 1000
#: From whom their events are, to what takes those of other servers.
_SENDER = "python-socketio"


class Telling(Protocol):
    """
    What the adapter needs of the bridge.

    Attributes:
        host_id: what this server calls itself to python-socketio's.
    """

    host_id: str

    def forget(self, name: str) -> None:
        """Note that there is no such namespace any more."""

    def publish(self, data: bytes, *, waits: bool = True) -> None:
        """Tell python-socketio's servers; see `mojo.cluster.bus.Bus.publish`."""


class BridgedAdapter(ClusterAdapter):
    """
    A namespace's adapter; see `mojo.socketio.adapter.Adapter`.

    Args:
        server: this server.
        namespace: the namespace.
        local: its connections of this process.
        make_line: see `ClusterAdapter`.
        bridge: tells python-socketio's servers.
        listens: see `ClusterAdapter`.
    """

    def __init__(
        self,
        server: Server,
        namespace: Carried,
        local: LocalAdapter,
        make_line: MakeLine,
        bridge: Telling,
        *,
        listens: bool = True,
    ) -> None:
        super().__init__(server, namespace, local, make_line, listens=listens)
        self.remove = self._remove
        self._bridge = bridge
        # What an app sends in on_close leaves out somebody who has gone.
        self._gone: OrderedDict[str, None] = OrderedDict()
        self._has_complained = False
        self._relays: set[Relay] = set()
        self._takers: dict[str, Callable[[dict[str, Any]], None]] = {
            "emit": self._take_emit,
            "disconnect": self._take_disconnect,
            "enter_room": self._take_enter,
            "leave_room": self._take_leave,
            "close_room": self._take_close,
        }

    def __repr__(self) -> str:
        return f"<BridgedAdapter of {self._namespace.name}>"

    def close(self) -> None:
        """Listen no longer."""
        self._bridge.forget(self._namespace.name)
        super().close()

    def give_up(self) -> None:
        """Wait for nobody any longer, and leave no timer."""
        super().give_up()
        for relay in list(self._relays):
            relay.give_up()

    def _remove(self, member: Recipient) -> None:
        """Drop a connection; see `Adapter`."""
        self._local.remove(member)
        self._gone[member.id] = None
        if len(self._gone) > MAX_GONE:
            self._gone.popitem(last=False)

    # -- what python-socketio's servers are told -----------------------------------

    def broadcast(self, message: Message, target: Target) -> None:
        """Send a message to all of a target; see `Adapter`."""
        super().broadcast(message, target)
        if message.event is None or target.local:
            return
        name, args = message.event
        rooms = self._elsewhere(target)
        if rooms == []:
            return
        if not all(map(self._is_own, target.excluded)):
            self._complain(name)
            return
        host_id, namespace = self._bridge.host_id, self._namespace
        with self._losing(name):
            data = write_emitted(
                host_id, namespace.name, name, args, rooms, namespace.parser.encoder
            )
            self._bridge.publish(data, waits=not message.volatile)

    def add_sockets(self, target: Target, rooms: Collection[Room]) -> None:
        """Put all of a target into some rooms; see `Adapter`."""
        super().add_sockets(target, rooms)
        for sid in self._named(target):
            for room in sorted(map(write_room, rooms)):
                self._tell_act("enter_room", sid=sid, room=room)

    def del_sockets(self, target: Target, rooms: Collection[Room]) -> None:
        """Take all of a target out of some rooms; see `Adapter`."""
        super().del_sockets(target, rooms)
        names = sorted(map(write_room, rooms))
        named = self._named(target)
        for room in names:
            # Whoever is in it is of the target.
            if not _is_narrow(target) and (not target.rooms or room in named):
                self._tell_act("close_room", room=room)
            else:
                for sid in named:
                    self._tell_act("leave_room", sid=sid, room=room)

    def disconnect_sockets(self, target: Target, *, close: bool) -> None:
        """End all of a target; see `Adapter`."""
        super().disconnect_sockets(target, close=close)
        for sid in self._named(target):
            self._tell_act("disconnect", sid=sid)

    def _tell_act(self, method: str, **fields: str) -> None:
        self._bridge.publish(
            write_act(self._bridge.host_id, method, self._namespace.name, **fields)
        )

    def _named(self, target: Target) -> list[str]:
        """
        Give the rooms of a target which may be ids of connections there.

        There nobody is in the room of an id but that connection, and what is no connection's id
        means nothing.
        """
        return [] if _is_narrow(target) else self._elsewhere(target) or []

    def _elsewhere(self, target: Target) -> list[str] | None:
        """Give the rooms of a target, of which others than ours may be; ``None`` for everybody."""
        if target.within is not None:
            # To be in two rooms at once is not for them.
            return [] if target.rooms else [write_room(target.within)]
        if not target.rooms:
            return None
        return sorted(write_room(room) for room in target.rooms if not self._is_own(room))

    def _is_own(self, room: Room) -> bool:
        """Tell whether a room is the id of a connection that is here, or was until a moment ago."""
        return isinstance(room, str) and (self._local.find(room) is not None or room in self._gone)

    def _complain(self, name: str) -> None:
        if not self._has_complained:
            self._has_complained = True
            _log.warn(
                "{app}: event {event!r} is not told python-socketio: it is not for some rooms, "
                "which can only be said of clients; more like it are passed over",
                app=self._namespace.name,
                event=name,
            )

    # -- what python-socketio's servers tell ---------------------------------------

    def take_message(self, message: dict[str, Any]) -> None:
        """
        Do what a message says.

        Raises:
            PacketError: it cannot be read, or says nothing that there is.
            UnsendableError: no client would take its event.
        """
        method = message.get("method")
        take = self._takers.get(method) if isinstance(method, str) else None
        if take is None:
            raise PacketError("an unknown method")
        take(message)

    def _take_emit(self, message: dict[str, Any]) -> None:
        emitted = read_emitted(message)
        rooms = emitted.target.rooms
        if rooms and not any(map(self._local.concerns, rooms)):
            return
        if emitted.asker is not None:
            self._ask(emitted, emitted.asker)
        else:
            name, args, target, _ = emitted
            self.take_broadcast(Broadcast(_SENDER, self._namespace.name, name, args, target, {}))

    def _ask(self, emitted: Emitted, asker: Asker) -> None:
        """Send an event, and pass on the first answer: there is one callback, called once."""
        namespace = self._namespace
        ack_id = namespace.new_ack_id()
        question = wire.make_event(namespace.parser, emitted.name, emitted.args, ack_id)

        def answered(cid: str, args: list[Any]) -> None:
            relay.give_up()
            try:
                self._bridge.publish(write_answer(asker, args, namespace.parser.encoder))
            except UnsendableError as exc:
                # It is no error of the client's connection, which calls this.
                self._server.refuse("client's answer", exc)

        over = self._relays.discard
        relay = Relay(namespace.clock, MAX_ACK_SECONDS, _ignore, answered, _ignore, over)
        self._relays.add(relay)
        self._local.broadcast_with_ack(question, emitted.target, ack_id, relay)

    def _take_disconnect(self, message: dict[str, Any]) -> None:
        connection = self._find(message)
        if connection is not None:
            connection.disconnect()

    def _take_enter(self, message: dict[str, Any]) -> None:
        (room,) = read_app_rooms([message.get("room")])
        connection = self._find(message)
        if connection is not None:
            self._refuse_id(room, but=connection.id)
            self._local.join(connection, room)

    def _take_leave(self, message: dict[str, Any]) -> None:
        (room,) = read_app_rooms([message.get("room")])
        connection = self._find(message)
        if connection is not None:
            # Of its own room as well: it is what it is found by.
            self._refuse_id(room)
            self._local.leave(connection, room)

    def _take_close(self, message: dict[str, Any]) -> None:
        (room,) = read_app_rooms([message.get("room")])
        self._refuse_id(room)
        self._local.del_sockets(Target(frozenset((room,))), (room,))

    def _refuse_id(self, room: str, but: str = "") -> None:
        """Refuse what python-socketio refuses as well: the room that is one's id is one's own."""
        if room != but and self._local.find(room) is not None:
            raise PacketError("a room that is a connection's id")

    def _find(self, message: dict[str, Any]) -> Recipient | None:
        """Give the connection that a message is about, if it is here."""
        return self._local.find(text_of(message.get("sid")))


def _is_narrow(target: Target) -> bool:
    """Tell whether not all of a target's rooms are meant."""
    return target.local or bool(target.excluded) or target.within is not None


def _ignore(_: object) -> None:
    """Nobody there asks who was asked, or who is gone."""
