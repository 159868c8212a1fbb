"""
How the clients of a service that stops leave: one after another, and in a bounded time.

A server that lets ten thousand clients go in one moment sends ten thousand handshakes to
its neighbours in the next.  So no new client is let in from the first moment on, and those
who are there go on as before until it is their turn: long-polling clients first, since they
need the ports, and among equals whoever has been here longest.  What was sent to a client
leaves before its farewell, after which the official client connects again by itself.

A drain has a time for everything and waits for nobody beyond that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from mojo.engineio.ports import CloseReason, SessionState
from mojo.engineio.resource import EngineResource
from mojo.engineio.session import EngineSession
from mojo.engineio.site import EngineSite
from mojo.listening import Listening
from mojo.patience import Patience
from mojo.socketio.server import SocketServer

_log = Logger()

#: Seconds in which clients may fetch what they are owed, WebSockets answer the farewell, and
#: pages and handlers finish, after the last client was told.
GOODBYE_SECONDS = 3.0
#: Most seconds between two clients: a few need not wait as long as thousands.
MOST_SPACING = 0.05
# Seconds between two looks at whether all are gone, and fewest between two batches.
_REST = 0.02


class Mount(Protocol):
    """A path at which the service's clients are."""

    @property
    def engine(self) -> EngineResource:
        """What serves it."""


class Drain:
    """
    The way out of a service's clients.

    Args:
        clock: tells the time; the reactor, or a test's ``Clock``.
        patience: what there is of it.
        seconds: over which the clients leave; 0 lets all of them go at once.
        sockets: the server that they are clients of.
        mounts: the paths at which they are.
        site: where pages may be under way.
        listening: the ports.
    """

    def __init__(
        self,
        clock: IReactorTime,
        patience: Patience,
        seconds: float,
        sockets: SocketServer,
        mounts: Sequence[Mount],
        site: EngineSite,
        listening: Listening,
    ) -> None:
        self._clock = clock
        self._patience = patience
        self._seconds = seconds
        self._sockets = sockets
        self._mounts = mounts
        self._site = site
        self._listening = listening

    async def run(self) -> None:
        """
        Let all clients leave.

        Nothing is left when it is done: no port, no connection, no timer of theirs.
        """
        self._sockets.refuse_new()
        await self._close_ports()
        await self._move_clients()
        self._sockets.stop()
        # What was written last leaves in the turn after this one.
        for _ in range(2):
            await self._patience.rest(0)
        last = self._clock.seconds() + GOODBYE_SECONDS
        while (left := last - self._clock.seconds()) > 0 and self.busy and not self._patience.over:
            await self._close_ports()
            await self._patience.rest(min(left, _REST))
        await self._close_ports(at_any_rate=True)
        for mount in self._mounts:
            mount.engine.abort()
        self._site.abort()
        # Twisted tells of a broken connection in the turn after it was broken.
        await self._patience.rest(0)

    @property
    def busy(self) -> bool:
        """Whether there is a client, a request under way, or an app at work on the end of one."""
        return (
            self._site.busy
            or self._sockets.unfinished.any
            or any(mount.engine.busy for mount in self._mounts)
        )

    async def _move_clients(self) -> None:
        sessions = self._sessions()
        if not sessions or not self._seconds:
            return
        _log.info("{count} clients move on", count=len(sessions))
        spacing = min(self._seconds / len(sessions), MOST_SPACING)
        due = self._clock.seconds()
        for session in sessions:
            wait = due - self._clock.seconds()
            if wait > 0:
                await self._patience.rest(max(wait, _REST))
                await self._close_ports()
            if session.state is SessionState.OPEN:
                session.close(CloseReason.SERVER_SHUTTING_DOWN)
                due += spacing

    def _sessions(self) -> list[EngineSession]:
        """Give the sessions in the order in which they are to leave."""
        sessions = [s for mount in self._mounts for s in mount.engine.engine.sessions.values()]
        sessions.sort(key=lambda s: (s.transport.name != "polling", s.handshake.issued))
        return sessions

    async def _close_ports(self, *, at_any_rate: bool = False) -> None:
        """Close the ports, if nobody needs them: each request may be a connection of its own."""
        if at_any_rate or not self._sockets.engine_stats.transports["polling"]:
            try:
                await self._listening.close()
            except Exception:
                _log.failure("a port could not be closed")
