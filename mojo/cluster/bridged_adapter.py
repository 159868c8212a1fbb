"""
The adapter of a namespace of a cluster to which servers of python-socketio belong as well.

What these say is done to the connections of this process alone.  They know a connection by its id,
and take no room for one; an event is for everybody or for rooms, of which each id is one, without
some ids.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from mojo.cluster import wire
from mojo.cluster.adapter import ClusterAdapter
from mojo.cluster.gathering import Relay
from mojo.cluster.line import MakeLine, Server
from mojo.cluster.names import read_app_rooms
from mojo.cluster.python_wire import Asker, Emitted, read_emitted, write_answer
from mojo.cluster.requests import MAX_ACK_SECONDS
from mojo.cluster.wire import Broadcast, text_of
from mojo.errors import PacketError, UnsendableError
from mojo.socketio.adapter import Carried, LocalAdapter, Recipient, Target

#: From whom their events are, to what takes those of other servers.
_SENDER = "python-socketio"


class Telling(Protocol):
    """What the adapter needs of the bridge."""

    def forget(self, name: str) -> None:
        """Note that there is no such namespace any more."""

    def publish(self, data: bytes) -> None:
        """Tell python-socketio's servers."""


class BridgedAdapter(ClusterAdapter):
    """
    A namespace's adapter; see `mojo.socketio.adapter.Adapter`.

    Args:
        server: this server.
        namespace: the namespace.
        local: its connections of this process.
        make_line: see `ClusterAdapter`.
        bridge: tells python-socketio's servers.
    """

    def __init__(
        self,
        server: Server,
        namespace: Carried,
        local: LocalAdapter,
        make_line: MakeLine,
        bridge: Telling,
    ) -> None:
        super().__init__(server, namespace, local, make_line)
        self._bridge = bridge
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
        if room != but and self._connection(room) is not None:
            raise PacketError("a room that is a connection's id")

    def _find(self, message: dict[str, Any]) -> Recipient | None:
        """Give the connection that a message is about, if it is here."""
        return self._connection(text_of(message.get("sid")))

    def _connection(self, cid: str) -> Recipient | None:
        # A room that no connection is called by has members too.
        found = self._local.select_target(Target(frozenset((cid,))))
        return next((one for one in found if one.id == cid), None)


def _ignore(_: object) -> None:
    """Nobody there asks who was asked, or who is gone."""
