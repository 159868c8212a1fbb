"""
What the other servers ask: each request in turn, read, done here, and answered.

See: @socket.io/redis-adapter 8.3, ``RedisAdapter.onrequest``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Any

from mojo.cluster import wire
from mojo.cluster.gathering import Relay
from mojo.cluster.line import Line, Server
from mojo.cluster.names import read_app_rooms, read_target, read_texts, write_room
from mojo.cluster.wire import Kind
from mojo.errors import PacketError, UnsendableError
from mojo.socketio.adapter import (
    Carried,
    Gathered,
    LocalAdapter,
    Recipient,
    SocketFacts,
    Target,
)
from mojo.socketio.operator import ACK_SECONDS
from mojo.socketio.rooms import Room

#: The longest that another server may have our clients' answers waited for, in seconds.
MAX_ACK_SECONDS = 600.0


class Requests:
    """
    The requests to a namespace of this server.

    Args:
        server: this server.
        namespace: the namespace.
        local: its connections of this process.
        line: what the others are spoken to by.
    """

    def __init__(self, server: Server, namespace: Carried, local: LocalAdapter, line: Line) -> None:
        self._server = server
        self._namespace = namespace
        self._local = local
        self._line = line
        self._relays: set[Relay] = set()
        self._serve: dict[int, Callable[[dict[str, Any]], None]] = {
            Kind.SOCKETS: self._serve_sockets,
            Kind.ALL_ROOMS: self._serve_rooms,
            Kind.REMOTE_JOIN: self._serve_join,
            Kind.REMOTE_LEAVE: self._serve_leave,
            Kind.REMOTE_DISCONNECT: self._serve_disconnect,
            Kind.REMOTE_FETCH: self._serve_fetch,
            Kind.SERVER_SIDE_EMIT: self._serve_event,
            Kind.BROADCAST: self._serve_question,
        }

    def take(self, request: dict[str, Any]) -> None:
        """
        Do what is asked; our own requests were done when they were made.

        Raises:
            PacketError: it asks for nothing that there is.
        """
        if request.get("uid") == self._server.uid:
            return
        kind = request.get("type")
        serve = self._serve.get(kind) if type(kind) is int else None
        if serve is None:
            raise PacketError("a request of an unknown type")
        serve(request)

    def give_up(self) -> None:
        """Wait for no client's answer any longer."""
        for relay in list(self._relays):
            relay.give_up()

    def _answer(
        self, request: dict[str, Any], what: str = "answer to a request", **fields: Any
    ) -> bool:
        """
        Answer a request, and tell whether that could be.

        What cannot be sent may be ours or the other's, as an answer is that repeats what was asked:
        it is no error of whoever calls this, who may be a client's connection.
        """
        try:
            self._line.respond(request, {"requestId": request.get("requestId"), **fields})
        except (UnsendableError, PacketError) as exc:
            self._server.refuse(what, exc)
            return False
        return True

    def _name_for(self, request: dict[str, Any]) -> dict[str, Any]:
        """Say who answers, to one of ours: others make nothing of it."""
        return {"server": self._server.uid} if "mojo" in request else {}

    def _serve_sockets(self, request: dict[str, Any]) -> None:
        rooms = frozenset(read_texts(request.get("rooms")))
        found = self._local.select_target(read_target({"rooms": list(rooms)}))
        self._answer(request, sockets=[connection.id for connection in found])

    def _serve_rooms(self, request: dict[str, Any]) -> None:
        self._answer(request, rooms=[write_room(room) for room in self._local.app_rooms()])

    def _serve_join(self, request: dict[str, Any]) -> None:
        self._serve_rooms_of(request, self._local.add_sockets, self._local.join)

    def _serve_leave(self, request: dict[str, Any]) -> None:
        self._serve_rooms_of(request, self._local.del_sockets, self._local.leave)

    def _serve_rooms_of(
        self,
        request: dict[str, Any],
        move: Callable[[Target, Collection[Room]], None],
        move_one: Callable[[Recipient, Room], None],
    ) -> None:
        if "opts" in request:
            move(read_target(request["opts"]), read_app_rooms(request.get("rooms")))
        elif (one := self._one(request)) is not None:
            (room,) = read_app_rooms([request.get("room")])
            move_one(one, room)
            self._answer(request)

    def _serve_disconnect(self, request: dict[str, Any]) -> None:
        close = request.get("close") is True
        if "opts" in request:
            self._local.disconnect_sockets(read_target(request["opts"]), close=close)
        elif (one := self._one(request)) is not None:
            one.disconnect(close=close)
            self._answer(request)

    def _one(self, request: dict[str, Any]) -> Recipient | None:
        """Give the one socket of a request in its old form, if it is here."""
        sid = request.get("sid")
        if not isinstance(sid, str):
            raise PacketError("a request names no socket")
        return self._local.find(sid)

    def _serve_fetch(self, request: dict[str, Any]) -> None:
        encoder = self._namespace.parser.encoder

        def found(sockets: Gathered[SocketFacts]) -> None:
            facts = [wire.write_facts(one, encoder) for one in sockets]
            self._answer(request, sockets=facts, **self._name_for(request))

        self._local.fetch_sockets(read_target(request.get("opts"))).addCallback(found)

    def _serve_event(self, request: dict[str, Any]) -> None:
        name, args = wire.read_event(request.get("data"))
        answer = None
        if request.get("requestId") is not None:
            answer = partial(self._answer_event, request, name)
        self._namespace.server_event(name, args, answer)

    def _answer_event(self, request: dict[str, Any], name: str, result: Any) -> None:
        what = f"answer of a listener of {name!r}"
        kind = Kind.SERVER_SIDE_EMIT.value
        self._answer(request, what, type=kind, data=result, **self._name_for(request))

    def _serve_question(self, request: dict[str, Any]) -> None:
        opts = request.get("opts")
        target = read_target(opts)
        namespace, name, args = wire.read_packet(request.get("packet"))
        if namespace != self._namespace.name:
            raise PacketError("a request for another namespace")
        ack_id = self._namespace.new_ack_id()
        flags = wire.read_flags(opts)
        question = wire.make_event(self._namespace.parser, name, args, ack_id, **flags)
        is_ours = "mojo" in request

        def asked(ids: list[str]) -> None:
            who: dict[str, Any] = {"ids": ids, **self._name_for(request)} if is_ours else {}
            kind = Kind.BROADCAST_CLIENT_COUNT.value
            self._answer(request, type=kind, clientCount=len(ids), **who)

        def answered(cid: str, answer: list[Any]) -> None:
            who: dict[str, Any] = {"sid": cid, "args": answer} if is_ours else {}
            first = answer[0] if answer else None
            kind = Kind.BROADCAST_ACK.value
            if not self._answer(request, "client's answer", type=kind, packet=first, **who):
                lost(cid)

        def lost(cid: str) -> None:
            if is_ours:
                self._answer(request, type=Kind.BROADCAST_LOST.value, sid=cid)

        seconds = wire.read_seconds(opts, ACK_SECONDS, MAX_ACK_SECONDS)
        over = self._relays.discard
        relay = Relay(self._namespace.clock, seconds, asked, answered, lost, over)
        self._relays.add(relay)
        self._local.broadcast_with_ack(question, target, ack_id, relay)
