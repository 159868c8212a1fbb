"""What is asked before a client is let in and before an event is handled, over both transports."""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail, succeed

from mojo.errors import ConnectionRefused, EventRefused, UnsendableError
from mojo.socketio import event
from tests.socketio.world import OverTransport, over_both, remembering

LET_IN = ['0/ChatSocket,{"sid":"cid1"}']


class Opening(OverTransport):
    """Middleware of a namespace."""

    def knock(self, *middleware, **methods):
        """Come to an app with middleware; give what was answered."""
        self.handler_class = remembering(middleware=list(middleware), **methods)
        self.chat = self.world(self.handler_class)
        self.client = self.chat.client(self.transport)
        self.client.send("0/ChatSocket,")
        return self.client.received()

    def test_order(self) -> None:
        """In the order of the list, each when the one before it is done, then on_open."""
        wait: Deferred = Deferred()

        def sync(handler):
            handler.seen.append(("sync", handler.request.auth, handler.connected))

        async def coroutine(handler):
            await wait
            handler.seen.append("coroutine")

        def deferred(handler):
            return succeed(None).addCallback(lambda _: handler.seen.append("Deferred"))

        def on_open(handler, request):
            handler.seen.append("on_open")

        answer = self.knock(sync, coroutine, deferred, on_open=on_open)
        self.assertEqual((answer, self.handler_class.seen), ([], [("sync", {}, False)]))
        wait.callback(None)
        self.assertEqual(self.client.received(), LET_IN)
        self.assertEqual(self.handler_class.seen[1:], ["coroutine", "Deferred", "on_open"])

    def test_what_it_leaves(self) -> None:
        """It may put things where the handler finds them, and send and join as on_open may."""

        def known(handler):
            handler.data["device"] = "d1"
            handler.join("devices")
            handler.emit("known")

        self.assertEqual(self.knock(known), [*LET_IN, '2/ChatSocket,["known"]'])
        (handler,) = self.handler_class.handlers
        self.assertEqual((handler.data, handler.rooms), ({"device": "d1"}, {"cid1", "devices"}))

    def test_refusals(self) -> None:
        """False, ConnectionRefused with data, sync or late; nobody after it is asked."""

        def refuse(handler):
            raise ConnectionRefused("unknown device", {"register": "/devices"})

        async def refuse_late(handler):
            raise ConnectionRefused("late", [1])

        for middleware, answer in (
            (lambda handler: False, '{"message":"Connection refused"}'),
            (lambda handler: succeed(False), '{"message":"Connection refused"}'),
            (lambda handler: fail(ConnectionRefused("no")), '{"message":"no"}'),
            (refuse, '{"message":"unknown device","data":{"register":"/devices"}}'),
            (refuse_late, '{"message":"late","data":[1]}'),
        ):
            never = lambda *args: self.fail("it was asked")  # noqa: E731
            answers = self.knock(middleware, never, on_open=never)
            self.assertEqual(answers, [f"4/ChatSocket,{answer}"])
            self.assertFalse(self.client.closed)
            namespace = self.chat.server.namespaces["/ChatSocket"]
            self.assertEqual(list(namespace.adapter.select(set(), set())), [])
            self.assertEqual(self.handler_class.seen, [])

    def test_true_is_no_answer(self) -> None:
        """Only False refuses: None, 0 and the like go on."""
        for result in (None, 0, "", True):
            self.assertEqual(self.knock(lambda handler, result=result: result), LET_IN)

    def test_mistakes(self) -> None:
        """What raises refuses, and the client learns no more than that."""
        for middleware in (lambda handler: 1 / 0, lambda handler: fail(ZeroDivisionError("x"))):
            answers = self.knock(middleware)
            self.assertEqual(answers, ['4/ChatSocket,{"message":"Internal server error"}'])
            self.assertEqual(self.handler_class.seen, [("on_error", "on_open", ZeroDivisionError)])
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_leaves_meanwhile(self) -> None:
        """Nobody asks on for a client that has gone; nothing is left of it."""
        wait: Deferred = Deferred()
        never = lambda *args: self.fail("it was asked")  # noqa: E731
        self.knock(lambda handler: wait, never, on_open=never)
        self.client.vanish()
        wait.callback(None)
        self.assertEqual(self.handler_class.seen, [])
        namespace = self.chat.server.namespaces["/ChatSocket"]
        self.assertEqual(list(namespace.adapter.select(set(), set())), [])
        self.assertEqual(dict(namespace.connections), {})

    def test_leaves_the_namespace_meanwhile(self) -> None:
        """The client may also take its wish back, and come again at once."""
        wait: Deferred = Deferred()
        self.knock(lambda handler: wait)
        self.client.send("1/ChatSocket,")
        self.client.send("0/ChatSocket,")
        wait.callback(None)
        self.assertEqual(self.client.received(), ['0/ChatSocket,{"sid":"cid2"}'])

    def test_use(self) -> None:
        """From outside, after what the class declares, for who comes from then on."""
        self.knock(lambda handler: handler.seen.append("declared"))
        operator = self.chat.server.of("/ChatSocket")

        @operator.use
        def added(handler):
            handler.seen.append("added")

        self.assertTrue(callable(added))
        self.connect(self.chat)
        self.assertEqual(self.handler_class.seen, ["declared", "declared", "added"])
        self.assertEqual(len(self.handler_class.middleware), 1)

    def test_inherited(self) -> None:
        """A handler class inherits it like anything of a class."""
        base = remembering(middleware=[lambda handler: False])
        client = self.world(type("Handler", (base,), {})).client(self.transport)
        client.send("0/ChatSocket,")
        self.assertEqual(client.received(), ['4/ChatSocket,{"message":"Connection refused"}'])


WebSocketOpeningTests, PollingOpeningTests = over_both(Opening)


class Event(OverTransport):
    """Middleware of events."""

    def app(self, *middleware, **methods):
        """Connect to an app that answers with what it got."""

        class Handler(remembering()):
            event_middleware = middleware

            @event
            def say(self, *args):
                return ("say", *args)

            @event
            def other(self, *args):
                return ("other", *args)

        self.handler_class = type("Handler", (Handler,), methods)
        self.chat = self.world(self.handler_class)
        self.client = self.connect(self.chat)
        (self.handler,) = self.handler_class.handlers

    def ask(self, packet='2/ChatSocket,1["say","a"]'):
        self.client.send(packet)
        return self.client.received()

    def test_passes(self) -> None:
        """Anything but False lets the event through, sync or async."""

        async def coroutine(handler, event):
            return None

        for middleware in (lambda h, e: None, lambda h, e: 0, coroutine, lambda h, e: succeed(1)):
            self.app(middleware)
            self.assertEqual(self.ask(), ['3/ChatSocket,1["say","a"]'])

    def test_changes(self) -> None:
        """Name and arguments; the next one, and the method, get what the one before left."""

        def rename(handler, event):
            handler.seen.append((event.name, list(event.args)))
            event.name = "other"
            event.args.append(1)

        async def replace(handler, event):
            handler.seen.append((event.name, list(event.args)))
            event.args = [*event.args, 2]

        self.app(rename, replace)
        self.assertEqual(self.ask(), ['3/ChatSocket,1["other","a",1,2]'])
        self.assertEqual(self.handler_class.seen, [("say", ["a"]), ("other", ["a", 1])])
        self.assertEqual(self.ask('2/ChatSocket,2["unknown"]'), ['3/ChatSocket,2["other",1,2]'])

    def test_refusals(self) -> None:
        """The client is answered if it waits; the method, and later middleware, are not called."""

        def refuse(handler, event):
            raise EventRefused("members only", {"event": event.name})

        async def refuse_late(handler, event):
            raise EventRefused

        for middleware, answer in (
            (lambda h, e: False, '{"error":{"message":"Event refused"}}'),
            (lambda h, e: succeed(False), '{"error":{"message":"Event refused"}}'),
            (refuse_late, '{"error":{"message":"Event refused"}}'),
            (refuse, '{"error":{"message":"members only","data":{"event":"say"}}}'),
        ):
            self.app(middleware, lambda h, e: self.fail("it was asked"))
            self.assertEqual(self.ask(), [f"3/ChatSocket,1[{answer}]"])
            self.assertEqual(self.ask('2/ChatSocket,["say","a"]'), [])
            self.assertEqual(self.handler_class.seen, [])

    def test_method_refuses(self) -> None:
        """A method may raise EventRefused too: it is no mistake, and not on_error's."""

        async def say(self, *args):
            raise EventRefused("not now", 5)

        self.app(say=say)
        self.assertEqual(self.ask(), ['3/ChatSocket,1[{"error":{"message":"not now","data":5}}]'])
        self.assertEqual(self.handler_class.seen, [])

    def test_refusal_that_cannot_be_sent(self) -> None:
        def refuse(handler, event):
            raise EventRefused("why", object())

        self.app(refuse)
        self.assertEqual(self.ask(), [])
        self.assertEqual(
            self.handler_class.seen, [("on_error", "acknowledgement", UnsendableError)]
        )
        self.flushLoggedErrors(UnsendableError)

    def test_mistakes(self) -> None:
        """As in a method: logged, on_error, no answer unless that gives one; the rest goes on."""
        self.app(lambda h, e: 1 / 0 if e.args == ["a"] else None)
        self.assertEqual(self.ask(), [])
        self.assertEqual(self.handler_class.seen, [("on_error", "say", ZeroDivisionError)])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.ask('2/ChatSocket,2["say","b"]'), ['3/ChatSocket,2["say","b"]'])

    def test_order(self) -> None:
        """An event whose middleware waits holds up those behind it, as its method would."""
        wait: Deferred = Deferred()
        self.app(lambda h, e: wait if e.args == [1] else None)
        self.client.send('2/ChatSocket,1["say",1]', '2/ChatSocket,2["say",2]')
        self.assertEqual(self.client.received(), [])
        wait.callback(None)
        self.assertEqual(
            self.client.received(), ['3/ChatSocket,1["say",1]', '3/ChatSocket,2["say",2]']
        )

    def test_use(self) -> None:
        """After the class's own, and for one connection alone."""
        self.app(lambda handler, event: event.args.append("class"))
        self.handler.use(lambda handler, event: event.args.append("mine"))
        other = self.connect(self.chat)
        self.assertEqual(self.ask(), ['3/ChatSocket,1["say","a","class","mine"]'])
        other.send('2/ChatSocket,1["say","a"]')
        self.assertEqual(other.received(), ['3/ChatSocket,1["say","a","class"]'])

    def test_before_on_event(self) -> None:
        """What overrides on_event sees events as middleware left them."""
        self.app(
            lambda handler, event: event.args.append("changed"),
            on_event=lambda self, name, *args: [name, *args],
        )
        self.assertEqual(self.ask(), ['3/ChatSocket,1[["say","a","changed"]]'])

    def test_repr(self) -> None:
        """An event's arguments are the visitor's: no log has them."""
        kept: list = []
        self.app(lambda handler, event: kept.append(repr(event)))
        self.ask('2/ChatSocket,1["say","password"]')
        self.assertEqual(kept, ["<IncomingEvent 'say' with 1 arguments>"])


WebSocketEventTests, PollingEventTests = over_both(Event)


class Listening(OverTransport):
    """``on_any``, ``on_any_outgoing`` and their like."""

    def setUp(self) -> None:
        class Handler(remembering()):
            @event
            def say(self, *args):
                self.seen.append("handled")
                return "answer"

        self.handler_class = Handler
        self.chat = self.world(Handler)
        self.client = self.connect(self.chat)
        (self.handler,) = Handler.handlers

    def note(self, label):
        return lambda *args: self.handler.seen.append((label, *args))

    def test_incoming(self) -> None:
        """Each event as it came, handled or not, before middleware and method."""
        self.handler.on_any(self.note("any"))
        self.handler.use(lambda handler, event: event.args.clear())
        self.client.send('2/ChatSocket,1["say",1,"b"]', '2/ChatSocket,["unknown"]')
        self.client.send("3/ChatSocket,7[]")
        self.assertEqual(self.handler.seen, [("any", "say", 1, "b"), "handled", ("any", "unknown")])
        self.assertEqual(self.client.received(), ['3/ChatSocket,1["answer"]'])

    def test_lines(self) -> None:
        """``prepend`` is first in line; ``off`` takes one away, or all."""
        for kind, happen in (
            ("any", lambda: self.client.send('2/ChatSocket,["x"]')),
            ("any_outgoing", lambda: self.handler.emit("x")),
        ):
            add, prepend, off = (
                getattr(self.handler, f"{verb}_{kind}") for verb in ("on", "prepend", "off")
            )
            a, b, c = (self.note(label) for label in "abc")
            add(a)
            add(b)
            prepend(c)
            happen()
            off(a)
            off(lambda *args: None)
            happen()
            off()
            happen()
            self.assertEqual([label for label, _ in self.handler.seen], list("cabcb"))
            self.handler.seen.clear()

    def test_outgoing(self) -> None:
        """What is sent to this client: directly, to everyone, in a question; no answers."""
        other = self.connect(self.chat)
        self.handler.on_any_outgoing(self.note("out"))
        self.handler.emit("one", 1)
        self.handler.namespace.emit("all")
        self.handler.broadcast.emit("others")
        self.handler.namespace.timeout(1).call("ask")
        self.handler.send("hi")
        self.client.send('2/ChatSocket,1["say"]')
        self.assertEqual(
            [entry[1:] for entry in self.handler.seen if entry[0] == "out"],
            [("one", 1), ("all",), ("ask",), ("message", "hi")],
        )
        self.assertEqual(
            other.received(),
            ['2/ChatSocket,["all"]', '2/ChatSocket,["others"]', '2/ChatSocket,0["ask"]'],
        )

    def test_outgoing_from_on_open(self) -> None:
        """They hear what was held back when it leaves, and nothing if it never does."""

        def on_open(handler, request):
            handler.on_any_outgoing(lambda *args: handler.seen.append(args))
            handler.emit("welcome")
            return request.auth.get("ok")

        self.handler_class.on_open = on_open
        refused = self.chat.client(self.transport)
        refused.send('0/ChatSocket,{"ok":false}')
        self.assertEqual(self.handler_class.seen, [])
        self.connect(self.chat, auth={"ok": True})
        self.assertEqual(self.handler_class.seen, [("welcome",)])

    def test_mistakes(self) -> None:
        """One that raises is logged and told to on_error; the others and the event go on."""
        self.handler.on_any(lambda *args: 1 / 0)
        self.handler.on_any(self.note("in"))
        self.handler.on_any_outgoing(lambda *args: 1 / 0)
        self.handler.on_any_outgoing(self.note("out"))
        self.client.send('2/ChatSocket,1["say"]')
        self.handler.emit("x")
        self.assertEqual(self.client.received(), ['3/ChatSocket,1["answer"]', '2/ChatSocket,["x"]'])
        self.assertEqual(
            self.handler.seen,
            [
                ("on_error", "on_any", ZeroDivisionError),
                ("in", "say"),
                "handled",
                ("on_error", "on_any_outgoing", ZeroDivisionError),
                ("out", "x"),
            ],
        )
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    def test_listeners_that_change_the_line(self) -> None:
        """One may take itself away: the others of this time are called all the same."""

        def once(*args):
            self.handler.seen.append("once")
            self.handler.off_any(once)

        self.handler.on_any(once)
        self.handler.on_any(self.note("after"))
        self.client.send('2/ChatSocket,["x"]', '2/ChatSocket,["x"]')
        self.assertEqual(self.handler.seen, ["once", ("after", "x"), ("after", "x")])

    def test_nothing_is_kept_for_who_has_none(self) -> None:
        """Taking away what was never there is no error; most connections have no listeners."""
        self.assertIsNone(self.handler._connection._listeners)
        self.handler.off_any(print)
        self.handler.off_any_outgoing()
        self.client.send('2/ChatSocket,["say"]')
        self.assertEqual(self.handler.seen, ["handled"])


WebSocketListeningTests, PollingListeningTests = over_both(Listening)
