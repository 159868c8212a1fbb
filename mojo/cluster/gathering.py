"""
What was asked of the other servers, until they have answered or their time is up.

How many servers there are is asked at the same time, and the answers may come before that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from mojo.errors import PacketError
from mojo.socketio.acks import AckCollector
from mojo.socketio.adapter import Gathered

#: Seconds in which other servers may answer; for clients' answers it is the question's own.
REQUEST_SECONDS = 5.0


class Gathering:
    """
    A question that each server answers once.

    Args:
        clock: for the time limit.
        names: what people call those of Mojo's, by what they call themselves.
        over: called when the answers are complete, or given up.

    Attributes:
        result: fires with what came, in the order in which it came.
    """

    def __init__(
        self, clock: IReactorTime, names: Mapping[str, str], over: Callable[[], object]
    ) -> None:
        # Those that have not answered, and how many of these never will.
        self._silent = dict(names)
        self._dead: dict[str, str] = {}
        self.result: Deferred[Gathered[Any]] = Deferred(lambda _: self._stop())
        self._over = over
        self._items: list[Any] = []
        self._came = 0
        self._servers: int | None = None
        self._timer = clock.callLater(REQUEST_SECONDS, self.give_up)

    def counted(self, others: int | None) -> None:
        """Learn how many other servers there are; ``None`` if nobody can say."""
        if others is None:
            self.give_up()
        else:
            self._servers = others
            self._finish_if_done()

    def answered(self, server: Any, items: Iterable[Any]) -> None:
        """Take what one server gave; a text is its name, if it is one of Mojo's."""
        if isinstance(server, str):
            self._silent.pop(server, None)
        self._came += 1
        self._items += items
        self._finish_if_done()

    def gone(self, server: str) -> None:
        """Wait for a server no longer."""
        if server in self._silent:
            self._dead[server] = self._silent.pop(server)
            self._finish_if_done()

    def _finish_if_done(self) -> None:
        if self._servers is not None and self._came + len(self._dead) >= self._servers:
            self.give_up()

    def give_up(self) -> None:
        """Wait for nobody any longer."""
        missing = 1 if self._servers is None else max(self._servers - self._came, 0)
        self._stop()
        if not self.result.called:
            names = {**self._silent, **self._dead} if missing else {}
            self.result.callback(Gathered(self._items, missing, sorted(names.values())))

    def _stop(self) -> None:
        if self._timer.active():
            self._timer.cancel()
        self._over()


class Asking:
    """
    A broadcast whose clients are asked for an answer, as it goes on at the other servers.

    The collector waits for each server until it has said how many clients it asks, and then
    for these, by their ids if it has said those.

    Args:
        name: a name that no other question has.
        collector: gathers the answers.
    """

    def __init__(self, name: str, collector: AckCollector) -> None:
        self._name = name
        self._collector = collector
        self._numbers = 0
        # Whom each of Mojo's servers asks.
        self._of_server: dict[str, list[str]] = {}
        # Servers that are known of and have not said whom they ask, and that were early.
        self._silent: list[str] = []
        self._early = 0
        self._unnamed: list[str] = []

    def _new_key(self) -> str:
        self._numbers += 1
        return f"?{self._name}/{self._numbers}"

    def counted(self, others: int | None) -> None:
        """Learn how many other servers there are; ``None`` if nobody can say."""
        if others is None:
            self._silent.append(key := self._new_key())
            self._collector.expect(key, _nothing)
            self._collector.lost(key)
        for _ in range((others or 0) - self._early):
            self._silent.append(key := self._new_key())
            self._collector.expect(key, _nothing)
        self._collector.all_asked()

    def asks(self, server: Any, count: Any, ids: Any) -> None:
        """
        Learn how many clients a server asks.

        Args:
            server: its name, if it is one of Mojo's.
            count: how many.
            ids: their connections' ids, if the server says so.
        Raises:
            PacketError: it is no number.
        """
        if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= 1_000_000:
            raise PacketError("a count is a number")
        if isinstance(ids, list) and len(ids) == count and all(isinstance(i, str) for i in ids):
            keys = ids
        else:
            keys = [self._new_key() for _ in range(count)]
            self._unnamed += keys
        # Before the server is excused: there must be no moment at which nobody is waited for.
        for key in keys:
            self._collector.expect(key, _nothing)
        if isinstance(server, str):
            self._of_server[server] = keys
        if self._silent:
            self._collector.excuse(self._silent.pop())
        else:
            self._early += 1

    def gone(self, server: str) -> None:
        """Wait no longer for the clients of a server."""
        for key in self._of_server.pop(server, ()):
            self._collector.lost(key)

    def answered(self, cid: Any, args: list[Any]) -> None:
        """Take a client's answer; one without an id is of a server that names none."""
        key = self._key_of(cid)
        if key is not None:
            self._collector.answered(key, args)

    def lost(self, cid: Any) -> None:
        """Note that a client is gone."""
        key = self._key_of(cid)
        if key is not None:
            self._collector.lost(key)

    def _key_of(self, cid: Any) -> str | None:
        if isinstance(cid, str):
            return cid
        return self._unnamed.pop() if self._unnamed else None


class Relay:
    """
    The `Collector` of a question that another server asks: it passes on what comes.

    Args:
        clock: for the time limit.
        timeout: seconds in which clients may answer.
        asked: called with the ids of those who were asked.
        answered: called with an id and the arguments of its answer.
        lost: called with the id of who cannot answer any more.
        over: called when nobody is waited for any longer.
    """

    def __init__(
        self,
        clock: IReactorTime,
        timeout: float,
        asked: Callable[[list[str]], object],
        answered: Callable[[str, list[Any]], object],
        lost: Callable[[str], object],
        over: Callable[[Relay], object],
    ) -> None:
        self._ids: list[str] = []
        self._asked = asked
        self._answered = answered
        self._lost = lost
        self._over = over
        self._waiting: dict[str, Callable[[], object]] = {}
        self._is_counting = True
        self._early: list[Callable[[], object]] = []
        self._timer = clock.callLater(timeout, self.give_up)

    def expect(self, cid: str, forget: Callable[[], object]) -> None:
        """Wait for one more connection."""
        self._ids.append(cid)
        self._waiting[cid] = forget

    def answered(self, cid: str, args: list[Any]) -> None:
        """Pass on the answer of a connection."""
        if self._waiting.pop(cid, None) is not None:
            self._pass_on(lambda: self._answered(cid, args))

    def lost(self, cid: str, error: Exception | None = None) -> None:
        """Pass on that there will be none."""
        if self._waiting.pop(cid, None) is not None:
            self._pass_on(lambda: self._lost(cid))

    def all_asked(self) -> None:
        """Tell whom: those that were lost while they were asked too."""
        self._is_counting = False
        self._asked(self._ids)
        early, self._early = self._early, []
        for call in early:
            call()
        self._stop_if_done()

    def _pass_on(self, call: Callable[[], object]) -> None:
        if self._is_counting:
            self._early.append(call)
        else:
            call()
            self._stop_if_done()

    def _stop_if_done(self) -> None:
        if not self._waiting:
            self.give_up()

    def give_up(self) -> None:
        """Wait for nobody any longer."""
        if self._timer.active():
            self._timer.cancel()
        waiting, self._waiting = self._waiting, {}
        for forget in waiting.values():
            forget()
        self._over(self)


def _nothing() -> None:
    """Nothing can be taken back of what another server does."""
