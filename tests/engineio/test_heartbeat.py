"""`mojo.engineio.heartbeat`: interval 25 s, timeout 20 s throughout."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mojo.engineio.heartbeat import Heartbeat


class HeartbeatTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.log: list[tuple[str, str, float]] = []
        self.heartbeat: Heartbeat[str] = Heartbeat(
            self.clock,
            25.0,
            20.0,
            lambda session: self.log.append(("ping", session, self.clock.seconds())),
            lambda session: self.log.append(("expired", session, self.clock.seconds())),
        )

    def test_silence(self) -> None:
        """A ping at 25 s that is not answered is noticed at 45 s."""
        self.heartbeat.start("a")
        self.clock.pump([1] * 60)
        self.assertEqual(self.log, [("ping", "a", 25.0), ("expired", "a", 45.0)])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_pinged_together(self) -> None:
        """Of many, those who are due within a 256th of the interval are pinged in one go."""
        self.heartbeat.start("a")
        self.clock.advance(1 / 64)
        for number in range(100):
            self.heartbeat.start(str(number))
            self.clock.advance(1 / 4096)
        self.clock.advance(25 - 1 / 64 - 100 / 4096)
        self.assertEqual([name for _, name, _ in self.log], ["a"])
        self.clock.advance(25 / 256)
        self.assertEqual(len(self.log), 101)

    def test_answers(self) -> None:
        """A pong at 30 s moves the next ping to 55 s."""
        self.heartbeat.start("a")
        self.clock.advance(25)
        self.clock.advance(5)
        self.heartbeat.pong_received("a")
        self.clock.pump([1] * 25)
        self.assertEqual(self.log, [("ping", "a", 25.0), ("ping", "a", 55.0)])

    def test_unasked_pongs(self) -> None:
        """A thousand pongs without a ping neither delay the ping nor make timers."""
        self.heartbeat.start("a")
        for _ in range(1024):
            self.clock.advance(1 / 64)  # exact in binary: 16 s in all
            self.heartbeat.pong_received("a")
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.advance(9)
        self.assertEqual([kind for kind, _, _ in self.log], ["ping"])

    def test_progress(self) -> None:
        """A client that takes what waits gets its 20 s anew; one that was not pinged, nothing."""
        self.heartbeat.start("a")
        self.clock.advance(10)
        self.heartbeat.progress("a")
        self.clock.advance(15)
        self.clock.advance(15)
        self.heartbeat.progress("a")
        self.clock.pump([1] * 30)
        self.assertEqual(self.log, [("ping", "a", 25.0), ("expired", "a", 60.0)])

    def test_stop(self) -> None:
        self.heartbeat.start("a")
        self.clock.advance(25)
        self.heartbeat.stop("a")
        self.clock.advance(100)
        self.assertEqual([kind for kind, _, _ in self.log], ["ping"])

    def test_start_again(self) -> None:
        """Beginning anew forgets the ping that was not answered."""
        self.heartbeat.start("a")
        self.clock.advance(25)
        self.heartbeat.start("a")
        self.clock.advance(21)
        self.clock.advance(4)
        self.assertEqual(self.log, [("ping", "a", 25.0), ("ping", "a", 50.0)])
        self.heartbeat.clear()
        self.assertEqual(self.clock.getDelayedCalls(), [])
