"""`mojo.workers.supervisor`: workers that are numbers, on a clock."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from mojo.workers.supervisor import LINGER_SECONDS, START_SECONDS, Supervisor


class Fake:
    """A process that does nothing by itself."""

    def __init__(self, name, ready, ended, lives) -> None:
        self.name = name
        self.lives = lives
        self.ready = ready
        self._ended = ended
        self.told: list[str] = []
        self.is_there = True

    def retire(self) -> None:
        self.told.append("retire")

    def hurry(self) -> None:
        self.told.append("hurry")

    def signal(self, name) -> None:
        self.told.append(name)

    def end(self, why="by signal SIGKILL") -> None:
        self.is_there = False
        self._ended(why)


class SupervisorTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.started: list[Fake] = []
        self.supervisor = Supervisor(self.clock, 2, self.spawn, 18.0)
        self.lines: list[str] = []
        globalLogPublisher.addObserver(self.log)
        self.addCleanup(globalLogPublisher.removeObserver, self.log)

    def log(self, event) -> None:
        if event["log_namespace"] == "mojo.workers.supervisor":
            self.lines.append(event["log_format"].format(**event))

    def spawn(self, *args) -> Fake:
        self.started.append(Fake(*args))
        return self.started[-1]

    def start(self) -> None:
        """Start, and have all ready and old."""
        self.supervisor.startService()
        for fake in self.started:
            fake.ready()
        self.clock.advance(100)
        self.lines.clear()

    @property
    def there(self) -> list[str]:
        return [fake.name for fake in self.started if fake.is_there]


class StartTests(SupervisorTestCase):
    def test_start(self) -> None:
        """As many as are wanted are started; it is told when the last is ready."""
        up = self.supervisor.up
        self.supervisor.startService()
        self.assertEqual(self.there, ["0.1", "1.1"])
        self.started[1].ready()
        self.assertNoResult(up)
        self.clock.advance(1.5)
        self.started[0].ready()
        self.successResultOf(up)
        self.assertEqual(self.lines[-1], "worker 0.1 is ready after 1.5 s")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_late(self) -> None:
        """One that does not become ready is killed, and is followed by another one."""
        self.supervisor.startService()
        self.started[1].ready()
        self.clock.advance(START_SECONDS)
        self.assertEqual([fake.told for fake in self.started], [["KILL"], []])
        self.started[0].end()
        self.clock.advance(0.5)
        self.assertEqual(self.there, ["1.1", "0.2"])

    def test_dead(self) -> None:
        """The next one follows at once, with a line that says why."""
        self.start()
        self.started[0].end("by signal SIGSEGV")
        self.clock.advance(0)
        self.assertEqual(self.there, ["1.1", "0.2"])
        self.assertEqual(
            self.lines, ["worker 0.1 ended by itself after 100.0 s: by signal SIGSEGV"]
        )

    def test_dead_again_and_again(self) -> None:
        """Each time the next one waits for twice as long, up to half a minute."""
        self.supervisor.startService()
        self.started[1].ready()
        for delay in (0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30, 30, 30, 30):
            count = len(self.started)
            fake = next(one for one in self.started if one.is_there and one.name[0] == "0")
            fake.end("with exit status 1")
            self.clock.advance(delay - 0.1)
            self.assertEqual(len(self.started), count)
            self.clock.advance(0.1)
            self.assertEqual(len(self.started), count + 1)
        self.started[-1].ready()
        self.clock.advance(10)
        self.started[-1].end()
        self.clock.advance(0)
        self.assertEqual(self.there[-1], "0.15")

    def test_short_life(self) -> None:
        """One that was ready and died soon is not followed at once."""
        self.start()
        self.started[0].end()
        self.clock.advance(0)
        self.started[2].ready()
        self.clock.advance(9.9)
        self.started[2].end()
        self.clock.advance(0.4)
        self.assertEqual(self.there, ["1.1"])
        self.clock.advance(0.1)
        self.assertEqual(self.there, ["1.1", "0.3"])


class StopTests(SupervisorTestCase):
    def test_stop(self) -> None:
        """All at the same time, and none is followed; it is over when the last is gone."""
        self.start()
        stopping = self.supervisor.stopService()
        self.assertEqual([fake.told for fake in self.started], [["TERM"], ["TERM"]])
        self.started[0].end()
        self.assertNoResult(stopping)
        self.clock.advance(5)
        self.started[1].end()
        self.successResultOf(stopping)
        self.clock.advance(100)
        self.assertEqual((self.there, self.clock.getDelayedCalls()), ([], []))
        self.assertEqual(self.lines, ["worker 0.1 has ended", "worker 1.1 has ended"])

    def test_stop_without_workers(self) -> None:
        self.successResultOf(self.supervisor.stopService())

    def test_stop_between_two(self) -> None:
        """One that was about to be started is not."""
        self.supervisor.startService()
        for fake in self.started:
            fake.end()
        self.successResultOf(self.supervisor.stopService())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_one_that_does_not_end(self) -> None:
        self.start()
        stopping = self.supervisor.stopService()
        self.started[0].end()
        self.clock.advance(18)
        self.assertEqual(self.started[1].told, ["TERM", "KILL"])
        self.started[1].end()
        self.successResultOf(stopping)

    def test_hurry(self) -> None:
        """They are told, and do not have long."""
        self.start()
        stopping = self.supervisor.stopService()
        self.supervisor.hurry()
        self.started[0].end()
        self.clock.advance(3)
        self.assertEqual(self.started[1].told, ["TERM", "hurry", "KILL"])
        self.started[1].end()
        self.successResultOf(stopping)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class WatchTests(SupervisorTestCase):
    """Workers of which nothing may be unheard for longer than 20 seconds."""

    def setUp(self) -> None:
        super().setUp()
        self.supervisor = Supervisor(self.clock, 2, self.spawn, 18.0, 20.0)
        self.supervisor.startService()
        for fake in self.started:
            fake.ready()
        self.lines.clear()

    def pass_seconds(self, seconds: int, *live: Fake) -> None:
        """Let time pass, with signs of life of some."""
        for _ in range(seconds):
            for fake in live:
                fake.lives()
            self.clock.advance(1)

    def test_one_that_hangs(self) -> None:
        """It is asked where it is and killed, with one line, and followed; the others stay."""
        hung, other = self.started
        self.pass_seconds(3, hung, other)
        self.pass_seconds(21, other)
        self.assertEqual((hung.told, self.lines), ([], []))
        self.pass_seconds(1, other)
        self.assertEqual(hung.told, ["QUIT"])
        self.pass_seconds(1, other)
        self.assertEqual(hung.told, ["QUIT", "KILL"])
        self.assertEqual(
            self.lines,
            ["worker 0.1 has said nothing for 20 s: it is killed, after it has said where it is"],
        )
        hung.end()
        self.clock.advance(0)
        self.assertEqual((self.there, other.told), (["1.1", "0.2"], []))

    def test_the_parent_stands_still(self) -> None:
        """Time in which nobody could be heard counts against nobody."""
        self.clock.advance(300)
        self.pass_seconds(5, *self.started)
        self.clock.advance(300)
        self.pass_seconds(5, *self.started)
        self.assertEqual([fake.told for fake in self.started], [[], []])

    def test_who_is_not_watched(self) -> None:
        """Not one that starts, which has longer, and not one that leaves."""
        first, other = self.started
        other.end()
        self.clock.advance(0.5)
        self.supervisor.reload()
        self.started[3].ready()
        self.pass_seconds(40)
        self.assertEqual(first.told, ["retire", "TERM", "KILL"])
        self.assertEqual(self.started[2].told, [])

    def test_stop(self) -> None:
        """Nobody looks any more."""
        stopping = self.supervisor.stopService()
        for fake in self.started:
            fake.end()
        self.successResultOf(stopping)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class ReloadTests(SupervisorTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.start()
        self.supervisor.reload()

    def go(self, fake: Fake) -> None:
        """Let one go that was told to."""
        self.assertEqual(fake.told, ["retire"])
        self.clock.advance(LINGER_SECONDS)
        self.assertEqual(fake.told, ["retire", "TERM"])
        fake.end()

    def test_one_after_another(self) -> None:
        """A new one comes up before its old one goes, and that has gone before the next."""
        self.assertEqual(self.there, ["0.1", "1.1", "0.2"])
        self.assertEqual(self.started[0].told, [])
        self.started[2].ready()
        self.assertEqual(self.there, ["0.1", "1.1", "0.2"])
        self.go(self.started[0])
        self.assertEqual(self.there, ["1.1", "0.2", "1.2"])
        self.assertEqual(self.started[1].told, [])
        self.started[3].ready()
        self.go(self.started[1])
        self.assertEqual((self.there, self.lines[-1]), (["0.2", "1.2"], "reload: done"))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_new_one_does_not_come_up(self) -> None:
        """The old ones stay, one line says so, and another reload can be asked for."""
        self.started[2].end("with exit status 1")
        self.clock.advance(100)
        self.assertEqual(self.there, ["0.1", "1.1"])
        self.assertEqual([fake.told for fake in self.started[:2]], [[], []])
        self.assertEqual(
            self.lines[1:],
            [
                "worker 0.2 ended by itself after 0.0 s: with exit status 1",
                "reload: ended, since worker 0.2 did not come up; the others stay",
            ],
        )
        self.supervisor.reload()
        self.assertEqual(self.there, ["0.1", "1.1", "0.3"])

    def test_twice(self) -> None:
        """What is asked for meanwhile is done once more afterwards, however often."""
        self.supervisor.reload()
        self.supervisor.reload()
        for new, old in ((2, 0), (3, 1), (4, 2), (5, 3)):
            self.started[new].ready()
            self.go(self.started[old])
        self.assertEqual(self.there, ["0.3", "1.3"])

    def test_old_one_dies_meanwhile(self) -> None:
        """The new one takes its place, and no third one does."""
        self.started[0].end()
        self.clock.advance(10)
        self.assertEqual(self.there, ["1.1", "0.2"])
        self.started[2].ready()
        self.assertEqual(self.there, ["1.1", "0.2", "1.2"])

    def test_both_die(self) -> None:
        """There is another one in time."""
        self.started[0].end()
        self.started[2].end()
        self.clock.advance(0.5)
        self.assertEqual(self.there, ["1.1", "0.3"])

    def test_new_one_dies_when_it_has_come_up(self) -> None:
        """It has the place by then, and is followed as any other."""
        self.started[2].ready()
        self.started[2].end()
        self.clock.advance(0.5)
        self.assertEqual(self.there, ["0.1", "1.1", "0.3"])

    def test_stop(self) -> None:
        """All go, new and old."""
        stopping = self.supervisor.stopService()
        self.assertEqual([fake.told for fake in self.started], [["TERM"]] * 3)
        self.started[2].ready()
        for fake in self.started:
            fake.end()
        self.successResultOf(stopping)
        self.clock.advance(100)
        self.assertEqual((self.there, self.clock.getDelayedCalls()), ([], []))

    def test_when_stopped(self) -> None:
        self.supervisor.stopService()
        self.supervisor.reload()
        self.assertEqual(len(self.started), 3)
