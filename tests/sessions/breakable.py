"""A real store that a test can take down, or hold up."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from mojo.errors import SessionUnavailable
from mojo.sessions.memory_store import MemoryStore
from mojo.sessions.stores import Sender


class BreakableStore(MemoryStore):
    """
    A `MemoryStore` that may not answer.

    Attributes:
        down: whether it is away.
        hold: while it is a list, answers wait in it.
        asked: what it was asked.
    """

    def __init__(self, clock, max_size=2000) -> None:
        super().__init__(clock, max_age=1000.0, max_size=max_size, max_bytes=1_000_000)
        self.down = False
        self.hold: list[Deferred] | None = None
        self.asked: list[str] = []

    async def load(self, *args):
        await self._arrive("load")
        return super().load(*args)

    async def save(self, *args):
        await self._arrive("save")
        return super().save(*args)

    async def move(self, *args):
        await self._arrive("move")
        return super().move(*args)

    async def _arrive(self, what: str) -> None:
        self.asked.append(what)
        if self.hold is not None:
            turn: Deferred = Deferred()
            self.hold.append(turn)
            await turn
        if self.down:
            raise SessionUnavailable("the session store does not answer")

    def go_on(self) -> None:
        """Let those that wait go on, in their order."""
        held, self.hold = self.hold, None
        for turn in held:
            turn.callback(None)


class Visitor:
    """A `Carrier` of somebody's request."""

    answers = True
    cookies: dict = {}  # noqa: RUF012

    def __init__(self, address="198.51.100.7") -> None:
        self.sender = Sender(address, ())
