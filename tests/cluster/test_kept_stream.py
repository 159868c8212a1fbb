"""`mojo.cluster.kept_stream` beside a connection that answers when a test says so."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mojo.cluster.kept_stream import KeptStream
from mojo.errors import RedisUnavailable
from mojo.redis.resp import RespError


class Mouth:
    """A `RedisConnection` that keeps what is to be done with each answer."""

    address = "redis://there"
    is_up = True

    def __init__(self) -> None:
        self.asked: list = []

    def send(self, *parts, answered) -> None:
        self.asked.append(answered)


class FailureTests(SynchronousTestCase):
    """Whatever is wrong is the one exception that callers know."""

    def setUp(self) -> None:
        self.clock, self.mouth = Clock(), Mouth()
        self.kept = KeptStream(None, self.mouth, None, b"events", self.clock)

    def said(self, asked) -> str:
        return str(self.failureResultOf(asked, RedisUnavailable).value)

    def test_no_answer_in_time(self) -> None:
        """After five seconds it says so; an answer that comes later disturbs nobody."""
        asked = self.kept.take_kept("pid")
        self.clock.advance(4.9)
        self.assertNoResult(asked)
        self.clock.advance(0.1)
        self.assertEqual(self.said(asked), "redis://there: it does not answer")
        self.mouth.asked[0](b"late")

    def test_refusal(self) -> None:
        asked = self.kept.read("-", "+", 1)
        self.mouth.asked[0](RespError("NOPERM"))
        self.assertEqual(self.said(asked), "redis://there: NOPERM")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_connection(self) -> None:
        self.mouth.is_up = False
        self.assertEqual(self.said(self.kept.read("-", "+", 1)), "redis://there: not connected")
