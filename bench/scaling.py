"""
How Mojo's costs grow: one process, a clock that is advanced, transports that only count.

It is what Mojo itself does for a recipient, a join, a leave, a connection that goes and a
heartbeat, without the kernel and without WebSocket frames; `mojo.service` with a
registry, visitors and statistics, as a user has it.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from itertools import count
from statistics import median

from twisted.internet.task import Clock

from bench.servers import PROJECT
from mojo.engineio.handshake import Handshake, Identity
from mojo.engineio.packet import Packet, PacketType, message
from mojo.engineio.ports import CloseReason, TransportOwner
from mojo.engineio.session import EngineSession
from mojo.project.loader import load_project
from mojo.service import MojoService
from mojo.socketio.handler import MojoSocketHandler

CONNECTIONS = (100, 300, 1000, 3000, 10_000)
ROOMS = (1, 10, 100, 1000, 10_000)
MEMBERS = 10
REPEATS = 5
#: About how many operations one figure is of.
OPERATIONS = 3000

Curve = dict[str, list[tuple[int, float]]]


class CountingTransport:
    """Takes everything at once, as a WebSocket whose client reads."""

    name = "websocket"
    unsent = 0
    writable = True
    closes_in_band = False
    owner: TransportOwner

    def __init__(self) -> None:
        self.written = 0

    def write(self, packets: list[Packet]) -> int:
        """Count packets."""
        self.written += len(packets)
        return len(packets)

    def close(self, reason: CloseReason) -> None:
        """End."""

    def pause_reading(self) -> None:
        """Read no more."""

    def resume_reading(self) -> None:
        """Read again."""


class World:
    """
    A service with connections.

    Attributes:
        sessions: their Engine.IO sessions.
        transports: what carries these.
        handlers: their handlers.
    """

    def __init__(self, connections: int) -> None:
        self.clock = Clock()
        self.service = MojoService.from_project(self.clock, load_project(PROJECT), endpoints=())
        self.handlers: list[MojoSocketHandler] = []
        self._engine = self.service.mounts["/socket.io"].engine.engine
        self._visitors = count()
        self.sessions: list[EngineSession] = []
        self.transports: list[CountingTransport] = []
        self.connect(connections)

    def connect(self, connections: int) -> None:
        """Connect some more."""
        for _ in range(connections):
            visitor = f"visitor {next(self._visitors)}"
            session = self._engine.new_session(
                Handshake(
                    b"/socket.io/?EIO=4&transport=websocket",
                    b"Host: 127.0.0.1\r\n",
                    "127.0.0.1",
                    False,
                    identity=Identity(session_id=visitor),
                    issued=self.clock.seconds(),
                )
            )
            transport = CountingTransport()
            transport.owner = session
            self._engine.start(session, transport)
            session.packet_received(message("0"))
            self.sessions.append(session)
            self.transports.append(transport)
            (handler,) = self.service.session(visitor).connections
            self.handlers.append(handler)
        self.clock.advance(0)

    @property
    def written(self) -> int:
        """How many packets the transports took."""
        return sum(transport.written for transport in self.transports)


def _cost(operate: Callable[[], int]) -> float:
    """Give the microseconds of processor time of an operation; ``operate`` says how many."""
    figures = []
    for _ in range(REPEATS):
        done, used = 0, 0.0
        while done < OPERATIONS:
            begun = time.process_time()
            done += operate()
            used += time.process_time() - begun
        figures.append(used / done * 1e6)
    return median(figures)


def _expect(seen: int, expected: int, what: str) -> None:
    if seen != expected:
        raise SystemExit(f"bench: {seen} {what}, and not {expected}: nothing was measured")


def _broadcast(world: World) -> float:
    before, sent = world.written, 0

    def operate() -> int:
        nonlocal sent
        world.service.emit("all", "x" * 64)
        world.clock.advance(0)
        sent += 1
        return len(world.sessions)

    cost = _cost(operate)
    _expect(world.written - before, sent * len(world.sessions), "deliveries")
    return cost


def _room_broadcast(world: World, rooms: int) -> float:
    before, sent = world.written, 0
    namespace = world.handlers[0].namespace

    def operate() -> int:
        nonlocal sent
        namespace.to(f"r{sent * 7919 % rooms}").emit("room", "x" * 64)
        world.clock.advance(0)
        sent += 1
        return MEMBERS

    cost = _cost(operate)
    _expect(world.written - before, sent * MEMBERS, "deliveries")
    return cost


def _join_and_leave(world: World, room: Callable[[int], str]) -> tuple[float, float]:
    handlers = world.handlers
    joins: list[float] = []
    leaves: list[float] = []
    for _ in range(REPEATS):
        done, joining, leaving = 0, 0.0, 0.0
        while done < OPERATIONS:
            some = handlers[:1000]
            pairs = [(handler, room(done + i)) for i, handler in enumerate(some)]
            # What a handler is in already would be left, and not be as it was.
            pairs = [(handler, name) for handler, name in pairs if name not in handler.rooms]
            begun = time.process_time()
            for handler, name in pairs:
                handler.join(name)
            between = time.process_time()
            for handler, name in pairs:
                handler.leave(name)
            joining += between - begun
            leaving += time.process_time() - between
            done += len(pairs)
        joins.append(joining / done * 1e6)
        leaves.append(leaving / done * 1e6)
    return median(joins), median(leaves)


def _disconnect(world: World, room: Callable[[int], str]) -> float:
    figures = []
    some = min(50, len(world.sessions) // 2)
    for _ in range(REPEATS):
        done, used = 0, 0.0
        while done < OPERATIONS // 4:
            world.connect(some)
            for i, handler in enumerate(world.handlers[-some:]):
                handler.join(room(i))
            leaving = world.sessions[-some:]
            begun = time.process_time()
            for session in leaving:
                session.lose(CloseReason.TRANSPORT_CLOSE)
            world.clock.advance(0)
            used += time.process_time() - begun
            done += some
            del world.sessions[-some:], world.handlers[-some:], world.transports[-some:]
            left = len(world.service.current_sessions)
            _expect(left, len(world.sessions), "visitors are here")
        figures.append(used / done * 1e6)
    return median(figures)


def _heartbeat(world: World) -> float:
    interval = world.service.settings.socket_io.ping_interval
    pong = Packet(PacketType.PONG)
    before, beats = world.written, 0

    def operate() -> int:
        nonlocal beats
        world.clock.advance(interval)
        world.clock.advance(0)
        for session in world.sessions:
            session.packet_received(pong)
        beats += 1
        return len(world.sessions)

    cost = _cost(operate)
    _expect(world.written - before, beats * len(world.sessions), "pings")
    return cost


def curves(tell: Callable[[str], None]) -> dict[str, Curve]:
    """
    Give all curves.

    Args:
        tell: called with a line for each size.
    """
    return {"connections": _by_connections(tell), "rooms": _by_rooms(tell)}


def _by_connections(tell: Callable[[str], None]) -> Curve:
    """Give the cost of each operation for some numbers of connections, in microseconds."""
    curve: Curve = {name: [] for name in ("broadcast", "join", "leave", "disconnect", "heartbeat")}
    for connections in CONNECTIONS:
        world = World(connections)
        _add(curve, connections, "connections", tell, _costs(world))
        _forget(world)
    return curve


def _costs(world: World) -> Iterator[tuple[str, float]]:
    yield "broadcast", _broadcast(world)
    join, leave = _join_and_leave(world, lambda i: f"r{i % 100}")
    yield "join", join
    yield "leave", leave
    yield "disconnect", _disconnect(world, lambda i: f"r{i % 100}")
    yield "heartbeat", _heartbeat(world)


def _by_rooms(tell: Callable[[str], None]) -> Curve:
    """Give the same for some numbers of rooms with ten members; 10,000 connections."""
    curve: Curve = {name: [] for name in ("broadcast", "join", "leave", "disconnect")}
    for rooms in ROOMS:
        world = World(CONNECTIONS[-1])
        for room in range(rooms):
            for i in range(MEMBERS):
                world.handlers[(room * MEMBERS + i) % len(world.handlers)].join(f"r{room}")
        _add(curve, rooms, "rooms", tell, _costs_in_rooms(world, rooms))
        _forget(world)
    return curve


def _costs_in_rooms(world: World, rooms: int) -> Iterator[tuple[str, float]]:
    yield "broadcast", _room_broadcast(world, rooms)
    # One room of many, and in the same pass never twice: rooms grow by a few members.
    join, leave = _join_and_leave(world, lambda i: f"r{(i * 7919 + rooms // 2) % rooms}")
    yield "join", join
    yield "leave", leave
    yield "disconnect", _disconnect(world, lambda i: f"r{i * 7919 % rooms}")


def _add(
    curve: Curve,
    size: int,
    what: str,
    tell: Callable[[str], None],
    costs: Iterator[tuple[str, float]],
) -> None:
    gc.collect()
    said = []
    for name, cost in costs:
        curve[name].append((size, cost))
        said.append(f"{name} {cost:.2f}")
    tell(f"{size:6,} {what}: {', '.join(said)} µs")


def _forget(world: World) -> None:
    world.__dict__.clear()
    gc.collect()
