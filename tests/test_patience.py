"""`mojo.patience`: waiting for a time, for some work, and no more at all."""

from __future__ import annotations

import gc

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mojo.patience import Patience


class PatienceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.patience = Patience(self.clock)

    def rest(self, seconds: float) -> Deferred:
        return Deferred.fromCoroutine(self.patience.rest(seconds))

    def allow(self, work: Deferred, seconds: float | None) -> Deferred:
        return Deferred.fromCoroutine(self.patience.allow("it", work, seconds))

    def nothing_left(self) -> None:
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_rest(self) -> None:
        rested = self.rest(2)
        self.clock.advance(1.9)
        self.assertNoResult(rested)
        self.clock.advance(0.1)
        self.successResultOf(rested)
        self.nothing_left()

    def test_hurry(self) -> None:
        """What waits ends with the turn, and what follows takes none, until there is more."""
        rested = self.rest(2)
        self.patience.hurry()
        self.assertNoResult(rested)
        self.clock.advance(0)
        self.successResultOf(rested)
        self.successResultOf(self.rest(2))
        turn = self.rest(0)
        self.assertNoResult(turn)
        self.clock.advance(0)
        self.successResultOf(turn)
        self.nothing_left()
        self.patience.renew()
        rested = self.rest(2)
        self.clock.advance(1)
        self.assertNoResult(rested)
        self.clock.advance(1)
        self.successResultOf(rested)

    def test_work_in_time(self) -> None:
        work: Deferred[None] = Deferred()
        allowed = self.allow(work, 2)
        self.clock.advance(1)
        self.assertNoResult(allowed)
        work.callback(None)
        self.successResultOf(allowed)
        self.nothing_left()

    def test_work_that_is_done(self) -> None:
        """It takes no turn."""
        self.successResultOf(self.allow(succeed(1), 2))
        self.patience.hurry()
        self.successResultOf(self.allow(succeed(1), 2))

    def test_work_that_fails(self) -> None:
        self.failureResultOf(self.allow(fail(ValueError("as asked")), 2), ValueError)
        work: Deferred[None] = Deferred()
        allowed = self.allow(work, 2)
        work.errback(ValueError("later"))
        self.failureResultOf(allowed, ValueError)

    def test_work_that_takes_too_long(self) -> None:
        """It is cancelled, and what it says to that is of no interest."""
        cancelled: list = []
        work: Deferred[None] = Deferred(cancelled.append)
        allowed = self.allow(work, 2)
        self.clock.advance(2)
        self.successResultOf(allowed)
        self.assertEqual(cancelled, [work])
        self.nothing_left()
        del work, cancelled, allowed
        gc.collect()  # or an error that nobody took is logged in another test

    def test_work_without_end(self) -> None:
        """Without a limit only haste ends it."""
        allowed = self.allow(Deferred(), None)
        self.clock.advance(1_000_000)
        self.assertNoResult(allowed)
        self.patience.hurry()
        self.clock.advance(0)
        self.successResultOf(allowed)
        self.nothing_left()
