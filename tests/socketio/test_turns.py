"""`mojo.socketio.turns`."""

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mojo.socketio.turns import Call as _Call
from mojo.socketio.turns import Turns


class Call(_Call):
    """A call whose result is wanted, and that may be concurrent."""


class TurnsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.log: list = []
        self.turns = Turns(4, self)

    def turns_full(self) -> None:
        self.log.append("full")

    def turns_drained(self) -> None:
        self.log.append("drained")

    def take(self, name: str, result: object = None, concurrent: bool = False) -> None:
        def call() -> object:
            self.log.append(f"begin {name}")
            if isinstance(result, Exception):
                raise result
            return result

        turn = Call(call, lambda failure: self.log.append(f"failed {name} {failure.type.__name__}"))
        turn.done = lambda value: self.log.append(f"done {name} {value}")
        turn.concurrent = concurrent
        self.turns.take(turn)

    def test_sync(self) -> None:
        self.take("a", 1)
        self.take("b", ValueError())
        self.take("c", 3)
        self.assertEqual(
            self.log,
            ["begin a", "done a 1", "begin b", "failed b ValueError", "begin c", "done c 3"],
        )

    def test_in_order(self) -> None:
        """The second begins when the first is over, however that ends."""
        first: Deferred = Deferred()
        second: Deferred = Deferred()
        self.take("a", first)
        self.take("b", second)
        self.take("c")
        self.assertEqual(self.log, ["begin a"])
        first.errback(Failure(KeyError()))
        self.assertEqual(self.log, ["begin a", "failed a KeyError", "begin b"])
        second.callback(2)
        self.assertEqual(self.log[3:], ["done b 2", "begin c", "done c None"])

    def test_coroutine(self) -> None:
        waited: Deferred = Deferred()

        async def work() -> str:
            return await waited

        self.take("a", work())
        self.take("b")
        self.assertEqual(self.log, ["begin a"])
        waited.callback("x")
        self.assertEqual(self.log, ["begin a", "done a x", "begin b", "done b None"])

    def test_concurrent(self) -> None:
        """A turn that need not be waited for is not."""
        slow: Deferred = Deferred()
        self.take("a", slow, concurrent=True)
        self.take("b")
        slow.callback(1)
        self.assertEqual(self.log, ["begin a", "begin b", "done b None", "done a 1"])

    def test_turn_taken_within_a_turn(self) -> None:
        """It begins when the one under way is over."""

        def call() -> None:
            self.take("inner")
            self.log.append("end outer")

        self.turns.take(Call(call, lambda _: None))
        self.assertEqual(self.log, ["end outer", "begin inner", "done inner None"])

    def test_call_of_the_callers_own(self) -> None:
        """A turn that is taken during it begins when it ends."""
        self.turns.busy = True
        self.take("a")
        self.assertEqual(self.log, [])
        self.turns.busy = False
        self.turns.go_on()
        self.assertEqual(self.log, ["begin a", "done a None"])
        self.assertFalse(self.turns.busy)

    def test_call_of_the_callers_own_that_waits(self) -> None:
        """It is a turn from then on."""
        wait: Deferred = Deferred()
        self.turns.busy = True
        self.take("a")
        turn = Call(lambda: None, lambda _: None)
        turn.done = lambda value: self.log.append(f"done {value}")
        self.turns.came(turn, wait)
        self.assertEqual(self.log, [])
        wait.callback("x")
        self.assertEqual(self.log, ["done x", "begin a", "done a None"])

    def test_call_of_the_callers_own_that_need_not_be_waited_for(self) -> None:
        """What was taken during it begins at once."""
        turn = Call(lambda: None, lambda _: None)
        turn.concurrent = True
        self.turns.busy = True
        self.take("a")
        self.turns.came(turn, Deferred())
        self.assertEqual(self.log, ["begin a", "done a None"])

    def test_long_queue(self) -> None:
        """Ten thousand that are over at once are taken in a loop, not in depth."""
        first: Deferred = Deferred()
        self.take("first", first)
        for _ in range(10_000):
            self.take("x", succeed(None))
        first.callback(None)
        self.assertEqual(self.log.count("done x None"), 10_000)

    def test_full_and_drained(self) -> None:
        """Told once when 4 wait, and once when 2 do."""
        waits: list[Deferred] = [Deferred() for _ in range(6)]
        for number, wait in enumerate(waits):
            self.take(str(number), wait)
        self.assertEqual(self.log, ["begin 0", "full"])
        for wait in waits:
            wait.callback(None)
        self.assertEqual([e for e in self.log if e in ("full", "drained")], ["full", "drained"])
        self.assertEqual(self.log.index("drained"), self.log.index("begin 3") + 1)

    def test_result_that_waits_for_another(self) -> None:
        """A Deferred that has fired but waits for another is not over."""
        inner: Deferred = Deferred()
        outer = succeed(None).addCallback(lambda _: inner)
        self.take("a", outer)
        self.take("b")
        self.assertEqual(self.log, ["begin a"])
        inner.callback(5)
        self.assertEqual(self.log[1:], ["done a 5", "begin b", "done b None"])
