"""`mojo.socketio.dispatch`: what no method handles, and what takes long."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from mojo.socketio import MojoSocketHandler, event
from mojo.socketio.dispatch import event_name
from tests.socketio.world import OverTransport, World, over_both, remembering


class CatchAll(OverTransport):
    def test_catch_all(self) -> None:
        """It gets the name first, and what it returns is the acknowledgement."""

        class Handler(MojoSocketHandler):
            @event("*")
            def anything_else(self, name, *args):
                return {"name": name, "args": args}

            @event
            def say(self, text):
                return text

        client = self.connect(self.world(Handler))
        for sent, answer in (
            ('["say","a"]', '["a"]'),
            ('["other",1,2]', '[{"name":"other","args":[1,2]}]'),
            ('["*"]', '[{"name":"*","args":[]}]'),
            ('["on_open"]', '[{"name":"on_open","args":[]}]'),
            ('["__class__"]', '[{"name":"__class__","args":[]}]'),
            ("[5]", '[{"name":"5","args":[]}]'),
            ('["message","hi"]', '[{"name":"message","args":["hi"]}]'),
        ):
            client.send(f"2/ChatSocket,1{sent}")
            self.assertEqual(client.received(), [f"3/ChatSocket,1{answer}"])

    def test_message_has_a_method(self) -> None:
        """Where on_message is overridden, messages are its."""

        class Handler(MojoSocketHandler):
            def on_message(self, text):
                return "message"

            @event("*")
            def anything_else(self, name, *args):
                return "else"

        class Below(Handler):
            pass

        for handler_class in (Handler, Below):
            client = self.connect(self.world(handler_class))
            client.send('2/ChatSocket,1["message","hi"]')
            self.assertEqual(client.received(), ['3/ChatSocket,1["message"]'])

    def test_arguments_of_the_catch_all(self) -> None:
        """It is a method like any: what it cannot take is answered by nobody."""
        handler_class = remembering(other=event("*")(lambda self, name: name))
        client = self.connect(self.world(handler_class))
        client.send('2/ChatSocket,1["x"]', '2/ChatSocket,2["x","one too many"]')
        self.assertEqual(client.received(), ['3/ChatSocket,1["x"]'])
        self.assertEqual(len(handler_class.seen), 1)

    def test_concurrent_catch_all(self) -> None:
        """Its mark counts for every event that it handles."""
        wait: Deferred = Deferred()

        class Handler(remembering()):
            @event("*", concurrent=True)
            async def other(self, name):
                if name == "slow":
                    await wait
                return name

        client = self.connect(self.world(Handler))
        client.send('2/ChatSocket,1["slow"]', '2/ChatSocket,2["fast"]')
        self.assertEqual(client.received(), ['3/ChatSocket,2["fast"]'])
        wait.callback(None)
        self.assertEqual(client.received(), ['3/ChatSocket,1["slow"]'])


WebSocketCatchAllTests, PollingCatchAllTests = over_both(CatchAll)


class SlowTests(SynchronousTestCase):
    """What takes a second or more is logged, with how long of it the reactor stood still."""

    def setUp(self) -> None:
        self.logged: list = []
        globalLogPublisher.addObserver(self._keep)
        self.addCleanup(globalLogPublisher.removeObserver, self._keep)

    def _keep(self, entry) -> None:
        if entry["log_level"] is LogLevel.warn:
            self.logged.append(formatEvent(entry))

    def run_event(self, method, *, waits=0.0, middleware=(), **options):
        """Run one event; ``self.block(s)`` in it is a second that the reactor stands still."""
        self.wait: Deferred = Deferred()
        test = self

        class Handler(MojoSocketHandler):
            event_middleware = middleware
            slow = event("slow", concurrent=options.pop("concurrent", False))(method)

            def block(self, seconds):
                # Not advance(): that would call what waits, as no reactor does meanwhile.
                test.clock.rightNow += seconds

            @property
            def wait(self):
                return test.wait

        world = World({"/ChatSocket": Handler}, **options)
        self.clock = world.clock
        world.connect("/ChatSocket").send('2/ChatSocket,1["slow"]')
        if waits:
            self.clock.rightNow += waits
            self.wait.callback(None)
        return self.logged

    def line(self, took, blocked) -> list[str]:
        held = f"took {took} s, and held up everybody for {blocked} s of it"
        return [f"/ChatSocket: 'slow' of cid1 {held}"]

    def test_sync(self) -> None:
        self.assertEqual(self.run_event(lambda self: self.block(1)), self.line("1.00", "1.00"))

    def test_fast(self) -> None:
        self.assertEqual(self.run_event(lambda self: self.block(0.99)), [])

    def test_fails_slowly(self) -> None:
        """Also when it raises."""

        def method(self):
            self.block(2)
            raise ValueError

        self.assertEqual(self.run_event(method), self.line("2.00", "2.00"))
        self.flushLoggedErrors(ValueError)

    def test_waits(self) -> None:
        """A coroutine that waits holds up its own connection, and nobody else."""

        async def method(self):
            await self.wait

        self.assertEqual(self.run_event(method, waits=3), self.line("3.00", "0.00"))

    def test_blocks_then_waits(self) -> None:
        """What a coroutine does up to where it waits holds up everybody."""

        async def method(self):
            self.block(1.5)
            await self.wait

        self.assertEqual(self.run_event(method, waits=1), self.line("2.50", "1.50"))

    def test_deferred(self) -> None:
        def method(self):
            self.block(0.5)
            return self.wait

        self.assertEqual(self.run_event(method, waits=1), self.line("1.50", "0.50"))

    def test_concurrent(self) -> None:
        """One that holds up nobody by waiting is only told of for what it blocks."""

        async def method(self):
            await self.wait

        async def blocking(self):
            self.block(2)
            await self.wait

        self.assertEqual(self.run_event(method, waits=60, concurrent=True), [])
        self.assertEqual(
            self.run_event(blocking, waits=60, concurrent=True), self.line("2.00", "2.00")
        )

    def test_middleware(self) -> None:
        """It is part of the way, blocking or waiting."""
        self.assertEqual(
            self.run_event(lambda self: None, middleware=[lambda handler, event: handler.block(1)]),
            self.line("1.00", "1.00"),
        )
        self.logged.clear()
        self.assertEqual(
            self.run_event(
                lambda self: None, middleware=[lambda handler, event: handler.wait], waits=2
            ),
            self.line("2.00", "0.00"),
        )

    def test_setting(self) -> None:
        """The threshold is an option; 0 is never."""
        self.assertEqual(self.run_event(lambda self: self.block(60), slow_handler=0.0), [])
        self.assertEqual(
            self.run_event(lambda self: self.block(0.25), slow_handler=0.25),
            self.line("0.25", "0.25"),
        )


class NameTests(SynchronousTestCase):
    def test_numbers(self) -> None:
        """A number is a name too, as JavaScript would write it."""
        for name, expected in (("x", "x"), (1, "1"), (1.0, "1"), (-2, "-2"), (0.5, "0.5")):
            self.assertEqual(event_name(name), expected)
