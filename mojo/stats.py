"""
A service's statistics: what its layers count, and how fast it grows.

The names are TornadIO2's where it has them.  Nothing is done per message but to add to
a number; once a second the numbers are noted, and a rate is what was added since the
note that is ten seconds old.
"""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple, Protocol

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from mojo.engineio.stats import EngineStats
from mojo.socketio.stats import SocketStats

#: Seconds over which rates are averaged.
PERIOD = 10
_INTERVAL = 1.0


class _Totals(NamedTuple):
    """What there had been of each at a time; the names are those of their rates."""

    time: float
    connections_ps: int
    packets_sent_ps: int
    packets_recv_ps: int
    bytes_sent_ps: int
    bytes_recv_ps: int


class Counters(Protocol):
    """What counts something."""

    def dump(self) -> dict[str, Any]:
        """Give all of it by name."""


class ServiceStats(Service):
    """
    The statistics of one service, since it was made.

    Args:
        clock: tells the time and wakes us.
        engine: what Engine.IO counts.
        sockets: what Socket.IO counts.

    Attributes:
        engine: see above.
        sockets: see above.
        cluster: what the part in a cluster counts, if there is one.
        workers: what is counted of other workers, if there are any.
    """

    def __init__(self, clock: IReactorTime, engine: EngineStats, sockets: SocketStats) -> None:
        self.engine = engine
        self.sockets = sockets
        self.cluster: Counters | None = None
        self.workers: Counters | None = None
        self._clock = clock
        self._began = clock.seconds()
        self._notes: deque[_Totals] = deque(maxlen=PERIOD + 1)
        self._looping = LoopingCall(self._note)
        self._looping.clock = clock

    def startService(self) -> None:
        """Begin to note the numbers."""
        super().startService()  # type: ignore[no-untyped-call]
        self._looping.start(_INTERVAL)

    def stopService(self) -> None:
        """Note them no more."""
        super().stopService()  # type: ignore[no-untyped-call]
        if self._looping.running:
            self._looping.stop()
        self._notes.clear()

    def dump(self) -> dict[str, Any]:
        """
        Give everything by name, as JSON has it.

        The names that end in ``_ps`` are per second, over the last `PERIOD` seconds; ``uptime`` is
        in seconds.  `EngineStats` and `SocketStats` tell what the others are.
        """
        return {
            "uptime": self._clock.seconds() - self._began,
            **self.sockets.dump(),
            **self.engine.dump(),
            **({} if self.cluster is None else self.cluster.dump()),
            **({} if self.workers is None else self.workers.dump()),
            **self._rates(),
        }

    def _rates(self) -> dict[str, float]:
        now = self._totals()
        before = self._notes[0] if self._notes else now
        seconds = now.time - before.time
        return {
            name: (after - earlier) / seconds if seconds else 0.0
            for name, after, earlier in zip(_Totals._fields[1:], now[1:], before[1:], strict=True)
        }

    def _totals(self) -> _Totals:
        engine = self.engine
        return _Totals(
            self._clock.seconds(),
            self.sockets.total_connections,
            engine.packets_sent,
            engine.packets_recv,
            engine.bytes_sent,
            engine.bytes_recv,
        )

    def _note(self) -> None:
        self._notes.append(self._totals())
