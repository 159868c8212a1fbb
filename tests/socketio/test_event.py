"""`mojo.socketio.event`: what is in a handler's table, and what can never be."""

from twisted.internet.defer import inlineCallbacks
from twisted.trial.unittest import SynchronousTestCase

from mojo.errors import EventTableError
from mojo.socketio import MojoSocketHandler, event


class TableTests(SynchronousTestCase):
    def test_names(self) -> None:
        class Handler(MojoSocketHandler):
            @event
            def say(self, text): ...

            @event("name with spaces")
            def other(self): ...

            @event(concurrent=True)
            def slow(self): ...

            @event("both", concurrent=True)
            def both_(self): ...

            def helper(self): ...

        table = Handler.event_table
        self.assertEqual(set(table), {"say", "name with spaces", "slow", "both"})
        self.assertEqual(
            [table[n].concurrent for n in ("say", "slow", "both")], [False, True, True]
        )

    def test_inheritance(self) -> None:
        """A method that overrides an event's handles it, without a mark of its own."""

        class Base(MojoSocketHandler):
            @event
            def say(self, text):
                return "base"

        class Derived(Base):
            def say(self, text, loud=False):
                return "derived"

            @event
            def more(self): ...

        self.assertEqual(Derived.event_table["say"].method(None, ""), "derived")
        self.assertEqual(Base.event_table["say"].method(None, ""), "base")
        self.assertNotIn("more", Base.event_table)

    def test_mixin(self) -> None:
        """Events may come from a class that is no handler."""

        class Mixin:
            @event
            def mixed(self): ...

        class Handler(Mixin, MojoSocketHandler): ...

        self.assertIn("mixed", Handler.event_table)

    def test_reserved(self) -> None:
        for name in ("connect", "disconnect", "newListener"):
            with self.assertRaises(EventTableError) as caught:

                class Handler(MojoSocketHandler):
                    @event(name)
                    def handle(self): ...

            self.assertIn(f"Handler.handle: {name!r}", str(caught.exception))

    def test_hidden_methods(self) -> None:
        """An event may be called "join"; a method may not, or it would call itself."""
        for name in ("join", "leave", "send", "emit", "call", "close", "timeout", "data"):
            with self.assertRaises(EventTableError) as caught:
                type("Handler", (MojoSocketHandler,), {name: event(name)(lambda self: None)})
            self.assertIn(f"Handler.{name}: {name!r} hides", str(caught.exception))

        class Handler(MojoSocketHandler):
            @event("join")
            def enter(self, room):
                self.join(room)

        self.assertEqual(set(Handler.event_table), {"join"})

    def test_lifecycle(self) -> None:
        """A client can call none of the framework's methods, by any declaration."""
        for name in ("on_open", "on_close", "on_event", "on_error", "on_logout", "__init__"):
            with self.assertRaises(EventTableError):

                class Handler(MojoSocketHandler):
                    @event(name)
                    def handle(self): ...

        with self.assertRaises(EventTableError):

            class Other(MojoSocketHandler):
                @event
                def on_close(self, reason): ...

    def test_twice(self) -> None:
        with self.assertRaises(EventTableError):

            class Handler(MojoSocketHandler):
                @event("same")
                def one(self): ...

                @event("same")
                def two(self): ...

        with self.assertRaises(EventTableError) as caught:

            class Messages(MojoSocketHandler):
                @event("message")
                def text(self, text): ...

        self.assertIn("'message' is handled by", str(caught.exception))

    def test_arguments(self) -> None:
        class Handler(MojoSocketHandler):
            @event
            def none(self): ...

            @event
            def one_or_two(self, a, b=1): ...

            @event
            def any_number(self, a, *rest, key=None): ...

            @event
            @inlineCallbacks
            def wrapped(self, a):
                yield

        table = Handler.event_table
        self.assertEqual([table["none"].accepts(n) for n in range(2)], [True, False])
        self.assertEqual(
            [table["one_or_two"].accepts(n) for n in range(4)], [False, True, True, False]
        )
        self.assertEqual([table["any_number"].accepts(n) for n in (0, 1, 99)], [False, True, True])
        self.assertEqual([table["wrapped"].accepts(n) for n in (0, 1)], [False, True])
        self.assertEqual(
            [table[n].describe() for n in ("none", "one_or_two", "any_number")],
            ["0", "1 to 2", "at least 1"],
        )
