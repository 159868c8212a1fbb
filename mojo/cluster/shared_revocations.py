"""
What is revoked, in all servers: those that were away or are started learn of it.

Each server tells the others of what it revokes; who is not there at that moment reads it when it
is back, and before its ports take anybody when it starts.  That is waited for no longer than
`LEARNING_SECONDS`: a Redis that is away keeps nobody out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from mojo.cluster.marks import MarkSource
from mojo.errors import ClusterUnavailable, PacketError
from mojo.sessions.revocations import Mark, Revocations

_log = Logger()

#: The longest, in seconds, that new clients wait until it is known what is revoked; and seconds
#: between two tries to learn it.
LEARNING_SECONDS, RETRY_SECONDS = 3.0, 2.0
#: How many revocations are kept at once.
MAX_BATCH = 1000


class SharedRevocations:
    """
    The revocations of a server as a part of those of all.

    Args:
        revocations: what is known here.
        source: where the rest is.
        clock: tells the time.
        learnt: called with what was not known here: whoever has such a login loses it.
    """

    def __init__(
        self,
        revocations: Revocations,
        source: MarkSource,
        clock: IReactorTime,
        learnt: Callable[[Sequence[Mark]], object],
    ) -> None:
        self._revocations = revocations
        self._source = source
        self._clock = clock
        self._learnt = learnt
        self._is_running = False
        self._is_due = False
        # Whether it was told that something is wrong.
        self._is_told = False
        self._work: Deferred[None] | None = None
        # What is not kept yet.
        self._unkept: dict[tuple[str, str], Mark] = {}
        self._waiting: list[Deferred[None]] = []
        self._retry: IDelayedCall | None = None
        self._limit: IDelayedCall | None = None

    def __repr__(self) -> str:
        return f"<SharedRevocations of {self._source!r}>"

    def known(self) -> Deferred[None]:
        """Give what fires when it is known what is revoked, or when that takes too long."""
        known: Deferred[None] = Deferred()
        self._waiting.append(known)
        return known

    def start(self) -> None:
        """Learn what is revoked."""
        self._is_running = True
        self._limit = self._clock.callLater(LEARNING_SECONDS, self._give_up)
        self.look()

    def look(self) -> None:
        """Learn what was revoked meanwhile."""
        self._is_due = True
        self._begin()

    def keep(self, marks: Sequence[Mark]) -> None:
        """Let others learn of something later."""
        self._unkept.update({(mark.kind, mark.key): mark for mark in marks})
        self._begin()

    async def stop(self) -> None:
        """Keep what is not kept yet, if that can be done, and end."""
        self._is_running = False
        for call in (self._retry, self._limit):
            if call is not None and call.active():
                call.cancel()
        self._retry = self._limit = None
        self._fire()
        try:
            await self._write()
        except ClusterUnavailable:
            _log.error("{count} revocations are not kept", count=len(self._unkept))
        self._unkept.clear()
        await self._source.close()

    # -- within -----------------------------------------------------------------

    def _begin(self) -> None:
        if self._is_running and self._work is None and self._retry is None:
            work = self._work = Deferred.fromCoroutine(self._run())
            work.addErrback(lambda failure: _log.failure("revocations", failure))
            if work.called:
                self._work = None

    async def _run(self) -> None:
        try:
            while self._is_running and (self._is_due or self._unkept):
                if self._is_due:
                    self._is_due = False
                    await self._read()
                await self._write()
            self._is_told = False
        except (ClusterUnavailable, PacketError) as exc:
            self._is_due = True
            if self._is_running:
                if not self._is_told:
                    self._is_told = True
                    _log.warn("cluster: revocations are not read or kept: {why}", why=str(exc))
                self._retry = self._clock.callLater(RETRY_SECONDS, self._try_again)
        finally:
            self._work = None

    def _try_again(self) -> None:
        self._retry = None
        self._begin()

    async def _read(self) -> None:
        marks = await self._source.read()
        news = self._revocations.learn(marks)
        if news:
            _log.info("cluster: {count} revocations were learnt", count=len(news))
            self._learnt(news)
        # A Redis that has lost what it kept gets it again.
        there = {(mark.kind, mark.key): mark.at for mark in marks}
        for mark in self._revocations.marks():
            name = (mark.kind, mark.key)
            if there.get(name, mark.at - 1) < mark.at:
                self._unkept.setdefault(name, mark)
        self._fire()

    async def _write(self) -> None:
        while self._unkept:
            batch = dict(list(self._unkept.items())[:MAX_BATCH])
            await self._source.keep(list(batch.values()))
            for name, mark in batch.items():
                if self._unkept.get(name) is mark:
                    del self._unkept[name]

    def _give_up(self) -> None:
        if self._waiting:
            _log.warn("cluster: clients are let in before it is known what was revoked")
        self._fire()

    def _fire(self) -> None:
        waiting, self._waiting = self._waiting, []
        for known in waiting:
            known.callback(None)
