"""
The adapter of a namespace of a cluster, in whatever format the servers speak to each other.

What is told it is done here at once, whether the bus is up or not, and then told the others: what
comes back of our own is passed over.  What comes is judged before anything is done with it;
what cannot be read is counted, and never reaches a client.

A `Line` has the format.  To it and of it requests and responses are maps as `mojo.cluster.wire`
has them, which is what ``@socket.io/redis-adapter`` says.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from mojo.cluster import wire
from mojo.cluster.gathering import Asking, Gathering
from mojo.cluster.line import MakeLine, Server
from mojo.cluster.names import read_hosted, write_room
from mojo.cluster.requests import Requests
from mojo.cluster.shared_recovery import SharedRecovery
from mojo.cluster.wire import Broadcast, Kind
from mojo.errors import PacketError, UnsendableError
from mojo.socketio.acks import AckCollector
from mojo.socketio.adapter import Carried, Gathered, LocalAdapter, SocketFacts, Target
from mojo.socketio.message import Message
from mojo.socketio.rooms import Room

_log = Logger()


class ClusterAdapter:
    """
    A namespace's adapter; see `mojo.socketio.adapter.Adapter`.

    Args:
        server: this server.
        namespace: the namespace.
        local: its connections of this process.
        make_line: makes what it speaks to the others by.
        listens: whether there are any: the namespace may be at other servers alone, which are
            told and cannot be asked, for their answers would come to nobody.
    """

    def __init__(
        self,
        server: Server,
        namespace: Carried,
        local: LocalAdapter,
        make_line: MakeLine,
        *,
        listens: bool = True,
    ) -> None:
        self._listens = listens
        self._server = server
        self._bus = server.bus
        self._namespace = namespace
        self._local = local
        self._gatherings: dict[str, Gathering] = {}
        self._askings: dict[str, Asking] = {}
        self._line = make_line(server, namespace, self if listens else None)
        self._requests = Requests(server, namespace, local, self._line)
        if isinstance(local, SharedRecovery):
            local.will_come = self._line.will_come
        # What is of this process alone is done without a step in between.
        self.add = local.add
        self.remove = local.remove
        self.join = local.join
        self.leave = local.leave
        self.swap = local.swap
        self.rooms_of = local.rooms_of

    def __repr__(self) -> str:
        return f"<ClusterAdapter of {self._namespace.name}>"

    def close(self) -> None:
        """Listen no longer."""
        self.give_up()
        self._line.close()

    def give_up(self) -> None:
        """Wait for nobody any longer, and leave no timer."""
        for gathering in list(self._gatherings.values()):
            gathering.give_up()
        self._requests.give_up()

    def server_gone(self, uid: str) -> None:
        """Wait no longer for a server that is gone."""
        for gathering in list(self._gatherings.values()):
            gathering.gone(uid)
        for asking in list(self._askings.values()):
            asking.gone(uid)

    # -- what is told the others ---------------------------------------------------

    def broadcast(self, message: Message, target: Target) -> None:
        """Send a message to all of a target; see `Adapter`."""
        shared = self._local if isinstance(self._local, SharedRecovery) else None
        if target.local or message.event is None:
            self._local.broadcast(message, target)
            return
        echo = None
        if shared is None:
            self._local.broadcast(message, target)
        else:
            # Our clients get it in its turn, with the offset that it has everywhere.
            echo = partial(self._echo, shared, message, target)
        name, args = message.event
        opts = wire.write_opts(target, **wire.write_flags(message))
        packet = wire.write_packet(self._namespace.name, name, args)
        with self._losing(name):
            self._line.broadcast(packet, opts, waits=not message.volatile, echo=echo)

    def _echo(self, shared: SharedRecovery, message: Message, target: Target, offset: str) -> None:
        shared.broadcast_at(offset or shared.position, message, target)

    def broadcast_with_ack(
        self, message: Message, target: Target, ack_id: int, collector: AckCollector
    ) -> None:
        """Send a message to all of a target, and wait for all; see `Adapter`."""
        if target.local or message.event is None:
            self._local.broadcast_with_ack(message, target, ack_id, collector)
            return
        name, args = message.event
        request_id = self._server.new_id()
        flags = {**wire.write_flags(message), "timeout": round(collector.timeout * 1000)}
        request = wire.write_request(
            self._server.uid,
            Kind.BROADCAST,
            requestId=request_id,
            packet=wire.write_packet(self._namespace.name, name, args),
            opts=wire.write_opts(target, **flags),
        )
        collector.ask_elsewhere()
        asking = Asking(request_id, collector)
        is_sent = False
        if self._can_ask:
            with self._losing(name):
                self._line.request(request, waits=False)
                is_sent = True
        if is_sent:
            self._askings[request_id] = asking
            collector.when_over(partial(self._askings.pop, request_id, None))
            self._count_others(asking.counted)
        else:
            asking.counted(None)
        self._local.broadcast_with_ack(message, target, ack_id, collector)

    def fetch_sockets(self, target: Target) -> Deferred[Gathered[SocketFacts]]:
        """Give what there is to know of each connection; see `Adapter`."""
        here = self._local.fetch_sockets(target)
        if target.local:
            return here
        opts = wire.write_opts(target)
        elsewhere = self._gather(Kind.REMOTE_FETCH, {"opts": opts})

        def join(found: Gathered[Any]) -> Deferred[Gathered[SocketFacts]]:
            return here.addCallback(
                lambda ours: Gathered([*ours, *found], found.missing, found.missing_servers)
            )

        return elsewhere.addCallback(join)

    def add_sockets(self, target: Target, rooms: Collection[Room]) -> None:
        """Put all of a target into some rooms; see `Adapter`."""
        self._tell(Kind.REMOTE_JOIN, target, rooms=sorted(map(write_room, rooms)))
        self._local.add_sockets(target, rooms)

    def del_sockets(self, target: Target, rooms: Collection[Room]) -> None:
        """Take all of a target out of some rooms; see `Adapter`."""
        self._tell(Kind.REMOTE_LEAVE, target, rooms=sorted(map(write_room, rooms)))
        self._local.del_sockets(target, rooms)

    def disconnect_sockets(self, target: Target, *, close: bool) -> None:
        """End all of a target; see `Adapter`."""
        self._tell(Kind.REMOTE_DISCONNECT, target, close=close)
        self._local.disconnect_sockets(target, close=close)

    def server_side_emit(self, name: str, args: Sequence[Any]) -> None:
        """Send an event to the other servers' listeners; see `Adapter`."""
        request = wire.write_request(self._server.uid, Kind.SERVER_SIDE_EMIT, data=[name, *args])
        self._line.request(request)

    def server_side_call(self, name: str, args: Sequence[Any]) -> Deferred[Gathered[Any]]:
        """Send an event to the other servers' listeners, and wait; see `Adapter`."""
        return self._gather(Kind.SERVER_SIDE_EMIT, {"data": [name, *args]})

    def _tell(self, kind: Kind, target: Target, **fields: Any) -> None:
        if not target.local:
            opts = wire.write_opts(target)
            request = wire.write_request(self._server.uid, kind, opts=opts, **fields)
            self._line.request(request)

    def _gather(self, kind: Kind, fields: dict[str, Any]) -> Deferred[Gathered[Any]]:
        """Ask all other servers something."""
        request_id = self._server.new_id()
        request = wire.write_request(self._server.uid, kind, requestId=request_id, **fields)
        can_ask = self._can_ask
        # Also where nobody hears it: what cannot be sent is the caller's error.
        self._line.request(request, waits=False)
        over = partial(self._gatherings.pop, request_id, None)
        gathering = Gathering(self._namespace.clock, self._server.names, over)
        if can_ask:
            self._gatherings[request_id] = gathering
            self._count_others(gathering.counted)
        else:
            gathering.counted(None)
        return gathering.result

    @property
    def _can_ask(self) -> bool:
        return self._listens and self._bus.is_up

    def _count_others(self, counted: Callable[[int | None], object]) -> None:
        def take(servers: int | None) -> None:
            counted(None if servers is None else max(servers - 1, 0))

        self._line.count_servers().addCallback(take)

    @contextmanager
    def _losing(self, name: str) -> Iterator[None]:
        try:
            yield
        except UnsendableError as exc:
            # Our clients have got it by then, or will: an error would say that nobody has.
            self._server.stats.unsent += 1
            _log.error(
                "{app}: event {event!r} did not go to the other servers: {error}",
                app=self._namespace.name,
                event=name,
                error=str(exc),
            )

    # -- what the others tell ---------------------------------------------------------

    def concerns(self, rooms: Collection[str]) -> bool:
        """Tell whether what is for members of these rooms may be for somebody here."""
        return not rooms or any(self._local.concerns(read_hosted(room)) for room in rooms)

    def take_broadcast(self, sent: Broadcast, offset: str | None = None) -> None:
        """Send on what another server sent to its clients; see `Taker`."""
        # "/a#b" is a room of "/a" to a channel's name, and may be a namespace to its sender.
        if sent.uid == self._server.uid or sent.namespace != self._namespace.name:
            return
        message = wire.make_event(self._namespace.parser, sent.name, sent.args, **sent.flags)
        if offset is not None and isinstance(self._local, SharedRecovery):
            self._local.broadcast_at(offset, message, sent.target)
        else:
            self._local.broadcast(message, sent.target)

    def take_request(self, request: dict[str, Any]) -> None:
        """Do what another server asks; see `Taker`."""
        self._requests.take(request)

    def take_response(self, response: dict[str, Any]) -> None:
        """Take what another server answered; see `Taker`."""
        request_id = response.get("requestId")
        if not isinstance(request_id, str):
            raise PacketError("a response to nothing")
        asking = self._askings.get(request_id)
        gathering = self._gatherings.get(request_id)
        if asking is not None:
            self._take_ack(asking, response)
        elif gathering is not None:
            if isinstance(response.get("sockets"), list):
                facts = [wire.read_facts(one) for one in response["sockets"]]
                gathering.answered(response.get("server"), facts)
            elif response.get("type") == Kind.SERVER_SIDE_EMIT:
                gathering.answered(response.get("server"), [response.get("data")])
            else:
                raise PacketError("a response to something else")

    def _take_ack(self, asking: Asking, response: dict[str, Any]) -> None:
        kind = response.get("type")
        if kind == Kind.BROADCAST_CLIENT_COUNT:
            count, ids = response.get("clientCount"), response.get("ids")
            asking.asks(response.get("server"), count, ids)
        elif kind == Kind.BROADCAST_ACK:
            args = response.get("args")
            answer = args if isinstance(args, list) else [response.get("packet")]
            asking.answered(response.get("sid"), answer)
        elif kind == Kind.BROADCAST_LOST:
            asking.lost(response.get("sid"))
        else:
            raise PacketError("a response of an unknown type")
