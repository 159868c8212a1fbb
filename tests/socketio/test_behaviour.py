"""
What a client and an app see of each other, over both transports.

Every test of `Behaviour` runs twice: by WebSocket and by long-polling.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, inlineCallbacks

from mojo.engineio.handshake import Facts
from mojo.errors import (
    AckTimeout,
    ConnectionRefused,
    Disconnected,
    EventArgumentsError,
    UnsendableError,
)
from mojo.socketio import MojoSocketHandler, event
from tests.socketio.world import OverTransport, over_both, remembering


class Behaviour(OverTransport):
    """The tests; `WebSocketBehaviourTests` and `PollingBehaviourTests` run them."""

    # -- connecting ---------------------------------------------------------

    def test_connect(self) -> None:
        world = self.world(remembering())
        client = world.client(self.transport)
        client.send("0/ChatSocket,")
        self.assertEqual(client.received(), ['0/ChatSocket,{"sid":"cid1"}'])

    def test_request(self) -> None:
        """The handler sees auth, query, headers, cookies, address, visitor and login."""
        handler_class = remembering()
        world = self.world(handler_class)
        self.connect(
            world,
            auth={"token": "t"},
            query="&room=a&room=b",
            headers={"Cookie": "session_id=s1; logged_in=u1; x=1", "User-Agent": "Test"},
        )
        (handler,) = handler_class.handlers
        request = handler.request
        self.assertEqual(request.auth, {"token": "t"})
        self.assertEqual(request.get_argument("room"), "b")
        self.assertEqual(request.arguments["room"], ("a", "b"))
        self.assertEqual(request.query["room"], "b")
        self.assertEqual(request.get_argument("none", "default"), "default")
        self.assertIsNone(request.get_argument("none"))
        self.assertEqual(request.headers["USER-agent"], "Test")
        self.assertEqual(request.cookies["x"], "1")
        self.assertEqual(request.get_cookie("x"), "1")
        self.assertEqual((request.address, request.ip), ("198.51.100.7", "198.51.100.7"))
        self.assertEqual((request.secure, request.origin), (False, None))
        self.assertEqual(request.path, "/socket.io/")
        self.assertEqual((handler.session_id, handler.user_id), ("s1", "u1"))
        self.assertEqual(handler.logged_in, "u1")
        self.assertEqual(str(handler.namespace), "/ChatSocket")
        self.assertEqual(handler.mojo, "the service")
        self.assertTrue(handler.connected)
        self.assertEqual(handler.id, "cid1")
        self.assertNotIn("t", repr(request).replace("SocketRequest", "").replace("socket", ""))

    def test_query_that_nobody_asks_for(self) -> None:
        """It stays as it came: an idle connection keeps no dict of it."""
        asked = []
        self.patch(Facts, "query", property(asked.append))
        self.connect(self.world(remembering()))
        self.assertEqual(asked, [])

    def test_anonymous(self) -> None:
        handler_class = remembering()
        self.connect(self.world(handler_class))
        (handler,) = handler_class.handlers
        self.assertEqual((handler.session_id, handler.user_id), (None, None))
        self.assertEqual(handler.request.auth, {})

    def test_unknown_namespace(self) -> None:
        """It is refused, and the session goes on."""
        world = self.world(remembering())
        client = world.client(self.transport)
        for name in ("/random", "/ChatSocket/none", "/__class__", ""):
            client.send(f"0{name}")
            comma = f"{name}," if name else ""
            self.assertEqual(client.received(), [f'4{comma}{{"message":"Invalid namespace"}}'])
        client.connect("/ChatSocket")

    def test_refused(self) -> None:
        """By False, by an exception with data, late, and by a mistake of the app."""
        decide: Deferred = Deferred()

        async def later(self, request):
            await decide
            raise ConnectionRefused("late")

        def refuse(self, request):
            raise ConnectionRefused("not you", {"code": 7})

        def fail(self, request):
            raise ValueError("secret detail")

        for on_open, answer in (
            (lambda self, request: False, '{"message":"Connection refused"}'),
            (refuse, '{"message":"not you","data":{"code":7}}'),
            (later, '{"message":"late"}'),
            (fail, '{"message":"Internal server error"}'),
        ):
            handler_class = remembering(on_open=on_open)
            world = self.world(handler_class)
            client = world.client(self.transport)
            client.send("0/ChatSocket,")
            if on_open is later:
                self.assertEqual(client.received(), [])
                decide.callback(None)
            self.assertEqual(client.received(), [f"4/ChatSocket,{answer}"])
            self.assertFalse(client.closed)
            self.assertFalse(handler_class.handlers[0].connected)
            self.assertEqual(dict(world.server.namespaces["/ChatSocket"].connections), {})
        self.assertEqual(handler_class.seen, [("on_error", "on_open", ValueError)])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_handler_that_cannot_be_made(self) -> None:
        """The client is refused, as if on_open had raised, and not left waiting."""

        class Handler(MojoSocketHandler):
            def __init__(self, connection):
                raise ValueError("secret")

        world = self.world(Handler)
        client = world.client(transport=self.transport)
        client.send("0/ChatSocket,")
        self.assertEqual(client.received(), ['4/ChatSocket,{"message":"Internal server error"}'])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(world.server.namespaces["/ChatSocket"].adapter._rooms, {})

    def test_refusal_that_cannot_be_sent(self) -> None:
        def refuse(self, request):
            raise ConnectionRefused("why", object())

        world = self.world(remembering(on_open=refuse))
        client = world.client(self.transport)
        client.send("0/ChatSocket,")
        self.assertEqual(client.received(), ['4/ChatSocket,{"message":"why"}'])
        self.flushLoggedErrors(UnsendableError)

    def test_refused_then_again(self) -> None:
        """A client may try again, with other credentials."""

        def on_open(self, request):
            return request.auth.get("password") == "right"

        world = self.world(remembering(on_open=on_open))
        client = world.client(self.transport)
        client.send('0/ChatSocket,{"password":"wrong"}')
        self.assertEqual(client.received(), ['4/ChatSocket,{"message":"Connection refused"}'])
        client.send('0/ChatSocket,{"password":"right"}')
        self.assertEqual(client.received(), ['0/ChatSocket,{"sid":"cid2"}'])

    def test_sent_in_on_open(self) -> None:
        """What on_open sends arrives after the client was told that it is connected."""

        def on_open(self, request):
            self.emit("direct")
            self.join("room")
            self.namespace.to("room").emit("to my room")
            self.namespace.emit("to everyone")

        world = self.world(remembering(on_open=on_open))
        client = world.client(self.transport)
        client.send("0/ChatSocket,")
        self.assertEqual(
            client.received(),
            [
                '0/ChatSocket,{"sid":"cid1"}',
                '2/ChatSocket,["direct"]',
                '2/ChatSocket,["to my room"]',
                '2/ChatSocket,["to everyone"]',
            ],
        )

    def test_refused_hears_nothing(self) -> None:
        """What was sent to a newcomer meanwhile is dropped if it is refused."""
        decide: Deferred = Deferred()
        handler_class = remembering(on_open=lambda self, request: decide)
        world = self.world(handler_class)
        client = world.client(self.transport)
        client.send("0/ChatSocket,")
        world.server.namespaces["/ChatSocket"].operator.emit("secret")
        decide.callback(False)
        self.assertEqual(client.received(), ['4/ChatSocket,{"message":"Connection refused"}'])

    def test_leaves_while_opening(self) -> None:
        """The app's answer comes too late; on_close is for those who were let in."""
        decide: Deferred = Deferred()
        handler_class = remembering(on_open=lambda self, request: decide)
        world = self.world(handler_class)
        client = world.client(self.transport)
        client.send("0/ChatSocket,")
        client.vanish()
        decide.callback(None)
        self.assertEqual(handler_class.seen, [])
        self.assertEqual(dict(world.server.namespaces["/ChatSocket"].connections), {})

    # -- events -------------------------------------------------------------

    def test_events_and_acks(self) -> None:
        """A result is the acknowledgement: one argument, several, or none."""

        class Handler(remembering()):
            @event
            def one(self, value):
                return {"got": value}

            @event
            def several(self, *args):
                return args

            @event("with spaces")
            def nothing(self):
                pass

            @event
            async def coroutine(self, value):
                return value

            @event
            def deferred(self, value):
                return Deferred().addCallback(lambda _: value) if value is None else value

            @event
            @inlineCallbacks
            def inline(self, value):
                yield
                return [value]

            @event
            def binary(self, data):
                return data, len(data)

        client = self.connect(self.world(Handler))
        for sent, answers in (
            (['2/ChatSocket,1["one",5]'], ['3/ChatSocket,1[{"got":5}]']),
            (['2/ChatSocket,2["several",1,"2",null]'], ['3/ChatSocket,2[1,"2",null]']),
            (['2/ChatSocket,3["with spaces"]'], ["3/ChatSocket,3[]"]),
            (['2/ChatSocket,4["coroutine","x"]'], ['3/ChatSocket,4["x"]']),
            (['2/ChatSocket,5["deferred",1]'], ["3/ChatSocket,5[1]"]),
            (['2/ChatSocket,6["inline",1]'], ["3/ChatSocket,6[[1]]"]),
            (
                ['51-/ChatSocket,7["binary",{"_placeholder":true,"num":0}]', b"\x01\x02"],
                ['61-/ChatSocket,7[{"_placeholder":true,"num":0},2]', b"\x01\x02"],
            ),
            (['2/ChatSocket,["one",5]'], []),
        ):
            client.send(*sent)
            self.assertEqual(client.received(), answers)

    def test_big_ack_ids(self) -> None:
        """They are repeated to the digit, however many there are."""
        client = self.connect(self.world(remembering(echo=event("echo")(lambda self: None))))
        for ack_id in (0, 2**53 + 1, int("9" * 308)):
            client.send(f'2/ChatSocket,{ack_id}["echo"]')
            self.assertEqual(client.received(), [f"3/ChatSocket,{ack_id}[]"])

    def test_message(self) -> None:
        """What socket.send() sends, and what send() sends back."""

        def on_message(self, msg):
            self.seen.append(msg)
            self.send("back", msg)
            return "ok"

        handler_class = remembering(on_message=on_message)
        client = self.connect(self.world(handler_class))
        client.send('2/ChatSocket,1["message","hi"]')
        self.assertEqual(
            client.received(), ['2/ChatSocket,["message","back","hi"]', '3/ChatSocket,1["ok"]']
        )

    def test_methods_are_not_events(self) -> None:
        """CVE-2024-38355 and its like: only the table is reached, and nothing is answered."""
        handler_class = remembering(helper=lambda self: self.seen.append("called"))
        client = self.connect(self.world(handler_class))
        for name in (
            "helper", "on_open", "on_close", "on_message", "on_event", "on_error", "on_logout",
            "close", "emit", "join", "error", "__init__", "__class__", "__del__", "_connection",
            "data", "constructor", "__proto__", "toString", "", "1",
        ):  # fmt: skip
            client.send(f'2/ChatSocket,1["{name}","x"]')
            self.assertEqual(client.received(), [], name)
        self.assertEqual(handler_class.seen, [])

    def test_wrong_arguments(self) -> None:
        """One log line, the hook, no traceback, no acknowledgement; the rest goes on."""

        class Handler(remembering()):
            @event
            def say(self, text):
                return text

        client = self.connect(self.world(Handler))
        client.send('2/ChatSocket,1["say"]', '2/ChatSocket,2["say","a","b"]')
        client.send('2/ChatSocket,3["say","a"]')
        self.assertEqual(client.received(), ['3/ChatSocket,3["a"]'])
        self.assertEqual(Handler.seen, [("on_error", "say", EventArgumentsError)] * 2)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_exception(self) -> None:
        """Sync or async: logged, handed to on_error, and the connection goes on."""

        class Handler(remembering()):
            @event
            def sync(self):
                raise ValueError("secret")

            @event
            async def coroutine(self):
                raise KeyError("secret")

            @event
            def fine(self):
                return "fine"

        client = self.connect(self.world(Handler))
        client.send(
            '2/ChatSocket,1["sync"]', '2/ChatSocket,2["coroutine"]', '2/ChatSocket,3["fine"]'
        )
        self.assertEqual(client.received(), ['3/ChatSocket,3["fine"]'])
        self.assertEqual(
            Handler.seen, [("on_error", "sync", ValueError), ("on_error", "coroutine", KeyError)]
        )
        self.assertEqual(len(self.flushLoggedErrors(ValueError, KeyError)), 2)

    def test_on_error_answers(self) -> None:
        """What on_error gives is the acknowledgement; if it raises too, that is logged."""

        class Handler(MojoSocketHandler):
            @event
            def fail(self):
                raise ValueError

            @event
            def fail_badly(self):
                raise ValueError

            def on_error(self, error, event):
                if event == "fail_badly":
                    raise RuntimeError
                return {"error": event}

        client = self.connect(self.world(Handler))
        client.send(
            '2/ChatSocket,1["fail"]', '2/ChatSocket,2["fail_badly"]', '2/ChatSocket,["fail"]'
        )
        self.assertEqual(client.received(), ['3/ChatSocket,1[{"error":"fail"}]'])
        self.assertEqual(len(self.flushLoggedErrors(ValueError, RuntimeError)), 4)

    def test_unsendable_ack(self) -> None:
        handler_class = remembering(bad=event("bad")(lambda self: object()))
        client = self.connect(self.world(handler_class))
        client.send('2/ChatSocket,1["bad"]')
        self.assertEqual(client.received(), [])
        self.assertEqual(handler_class.seen, [("on_error", "acknowledgement", UnsendableError)])
        self.flushLoggedErrors(UnsendableError)

    def test_on_event(self) -> None:
        """It sees every event, and super() goes on to the table."""

        class Handler(remembering()):
            def on_event(self, name, *args):
                self.seen.append((name, args))
                return "seen" if name == "other" else super().on_event(name, *args)

            def on_message(self, msg):
                return "message"

            @event
            def say(self, text):
                return "said"

        client = self.connect(self.world(Handler))
        client.send(
            '2/ChatSocket,1["say","a"]', '2/ChatSocket,2["other"]', '2/ChatSocket,3["message","m"]'
        )
        client.send('2/ChatSocket,4["unknown"]')
        self.assertEqual(
            client.received(),
            ['3/ChatSocket,1["said"]', '3/ChatSocket,2["seen"]', '3/ChatSocket,3["message"]'],
        )
        self.assertEqual(
            Handler.seen, [("say", ("a",)), ("other", ()), ("message", ("m",)), ("unknown", ())]
        )

    def test_order(self) -> None:
        """Events are handled one after another, also when the first is async."""
        waits: list[Deferred] = []

        class Handler(remembering()):
            @event
            async def slow(self, name):
                wait: Deferred = Deferred()
                waits.append(wait)
                await wait
                self.seen.append(name)

            @event
            def fast(self, name):
                self.seen.append(name)

            @event(concurrent=True)
            async def beside(self, name):
                self.seen.append(name)

        client = self.connect(self.world(Handler))
        client.send(
            '2/ChatSocket,["slow","a"]', '2/ChatSocket,["fast","b"]', '2/ChatSocket,["slow","c"]'
        )
        self.assertEqual(Handler.seen, [])
        waits[0].callback(None)
        self.assertEqual(Handler.seen, ["a", "b"])
        waits[1].callback(None)
        self.assertEqual(Handler.seen, ["a", "b", "c"])

    def test_close_comes_after_the_last_event(self) -> None:
        """What was accepted is handled, then on_close, also when the client is gone."""
        wait: Deferred = Deferred()

        class Handler(remembering()):
            @event
            async def slow(self):
                await wait
                self.seen.append("slow")

            @event
            def save(self, value):
                self.seen.append(value)

        world = self.world(Handler)
        client = self.connect(world)
        client.send('2/ChatSocket,["slow"]', '2/ChatSocket,["save",1]')
        client.vanish()
        self.assertEqual(Handler.seen, [])
        self.assertFalse(Handler.handlers[0].connected)
        wait.callback(None)
        self.assertEqual(Handler.seen[:2], ["slow", 1])
        self.assertEqual(Handler.seen[2][0], "on_close")

    def test_flood_behind_a_slow_handler(self) -> None:
        """Beyond 100 events that wait, the client is not read."""
        wait: Deferred = Deferred()

        class Handler(remembering()):
            @event
            def slow(self):
                return wait

            @event
            def count(self, number):
                self.seen.append(number)

        world = self.world(Handler)
        client = self.connect(world)
        client.send('2/ChatSocket,["slow"]')
        session = Handler.handlers[0]._connection.client.session
        for number in range(99):
            client.send(f'2/ChatSocket,["count",{number}]')
        self.assertFalse(session._paused)
        client.send('2/ChatSocket,["count",99]')
        self.assertTrue(session._paused)
        if self.transport == "websocket":
            self.assertFalse(client.socket.wire.transport.reading)
        else:
            self.assertIsNone(client.post_status)
        world.clock.advance(3600)
        wait.callback(None)
        self.assertFalse(session._paused)
        self.assertEqual(Handler.seen, list(range(100)))
        if self.transport == "polling":
            client.received()
            self.assertEqual(client.post_status, 200)

    # -- acknowledgements from the client ----------------------------------------

    def test_emit_with_ack(self) -> None:
        handler_class = remembering()
        client = self.connect(self.world(handler_class))
        (handler,) = handler_class.handlers
        handler.emit("ask", 1, ack=lambda *args: handler.seen.append(args))
        handler.send("hi", ack=lambda *args: handler.seen.append(args))
        self.assertEqual(
            client.received(), ['2/ChatSocket,0["ask",1]', '2/ChatSocket,1["message","hi"]']
        )
        client.send('3/ChatSocket,0["x",2]', "3/ChatSocket,1[]")
        self.assertEqual(handler.seen, [("x", 2), ()])
        client.send("3/ChatSocket,0[]", "3/ChatSocket,99[]", f"3/ChatSocket,{'9' * 308}[]")
        self.assertEqual(len(handler.seen), 2)
        self.assertFalse(client.closed)

    def test_binary_ack(self) -> None:
        handler_class = remembering()
        client = self.connect(self.world(handler_class))
        (handler,) = handler_class.handlers
        answer = handler.call("ask", b"\x01")
        self.assertEqual(
            client.received(), ['51-/ChatSocket,0["ask",{"_placeholder":true,"num":0}]', b"\x01"]
        )
        client.send('61-/ChatSocket,0[{"_placeholder":true,"num":0}]', b"\x02")
        self.assertEqual(self.successResultOf(answer), b"\x02")

    def test_tornadio_ack(self) -> None:
        """The callback comes first, and gets what was sent and what came."""
        handler_class = remembering()
        client = self.connect(self.world(handler_class))
        (handler,) = handler_class.handlers
        for _ in range(2):
            handler.emit_ack(lambda sent, data: handler.seen.append((sent, data)), "ask", 1)
        client.send('3/ChatSocket,0["x"]', "3/ChatSocket,1[]")
        self.assertEqual(handler.seen, [(("ask", (1,), {}), ["x"]), (("ask", (1,), {}), None)])

    def test_call(self) -> None:
        """An awaitable: one argument, several as a tuple, none as None."""
        handler_class = remembering()
        client = self.connect(self.world(handler_class))
        (handler,) = handler_class.handlers
        answers = [handler.call("ask") for _ in range(3)]
        client.send("3/ChatSocket,0[]", "3/ChatSocket,1[5]", "3/ChatSocket,2[5,6]")
        self.assertEqual([self.successResultOf(a) for a in answers], [None, 5, (5, 6)])

    def test_call_within_a_handler(self) -> None:
        """The answer goes past the queue, or nothing would ever end."""

        class Handler(remembering()):
            @event
            async def start(self):
                return await self.call("ask")

        client = self.connect(self.world(Handler))
        client.send('2/ChatSocket,1["start"]')
        self.assertEqual(client.received(), ['2/ChatSocket,0["ask"]'])
        client.send('3/ChatSocket,0["because"]')
        self.assertEqual(client.received(), ['3/ChatSocket,1["because"]'])

    def test_call_timeout(self) -> None:
        handler_class = remembering()
        world = self.world(handler_class)
        client = self.connect(world)
        (handler,) = handler_class.handlers
        answer = handler.call("ask", timeout=5)
        world.clock.advance(4.5)
        self.assertNoResult(answer)
        world.clock.advance(0.5)
        self.failureResultOf(answer, AckTimeout)
        client.send("3/ChatSocket,0[]")
        self.assertEqual(len(handler._connection._acks or ()), 0)

    def test_call_without_client(self) -> None:
        """A call fails at once when the client goes, and when it is gone."""
        handler_class = remembering()
        world = self.world(handler_class)
        client = self.connect(world)
        (handler,) = handler_class.handlers
        handler.emit("forgotten", ack=self.fail)
        answer = handler.call("ask", timeout=None)
        client.vanish()
        failure = self.failureResultOf(answer, Disconnected)
        self.assertIn(str(failure.value), ("transport close", "transport error"))
        self.failureResultOf(handler.call("ask"), Disconnected)
        handler.emit("nobody", ack=self.fail)
        self.assertEqual(len(handler._connection._acks or ()), 0)
        world.clock.advance(100)
        self.assertEqual(world.clock.getDelayedCalls(), [])

    def test_ack_callback_that_raises(self) -> None:
        handler_class = remembering()
        client = self.connect(self.world(handler_class))
        (handler,) = handler_class.handlers
        handler.emit("ask", ack=lambda: None)
        client.send('3/ChatSocket,0["one too many"]')
        self.assertEqual(handler_class.seen, [("on_error", "acknowledgement", TypeError)])
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    def test_unsendable(self) -> None:
        """The app learns of it where it sends it, and nothing waits for an answer."""
        handler_class = remembering()
        client = self.connect(self.world(handler_class))
        (handler,) = handler_class.handlers
        for send in (
            lambda: handler.emit("x", object()),
            lambda: handler.emit("disconnect"),
            lambda: handler.emit("x", object(), ack=self.fail),
            lambda: handler.call("x", object()),
            lambda: handler.broadcast.emit("x", object()),
        ):
            self.assertRaises(UnsendableError, send)
        self.assertEqual(len(handler._connection._acks or ()), 0)
        self.assertEqual(client.received(), [])

    # -- rooms and broadcasts -------------------------------------------------

    def test_broadcast(self) -> None:
        handler_class = remembering()
        world = self.world(handler_class)
        clients = [self.connect(world) for _ in range(3)]
        first, second, third = handler_class.handlers
        first.broadcast.emit("others", 1)
        self.assertEqual(
            [c.received() for c in clients],
            [[], ['2/ChatSocket,["others",1]'], ['2/ChatSocket,["others",1]']],
        )
        first.namespace.emit("all")
        self.assertEqual([c.received() for c in clients], [['2/ChatSocket,["all"]']] * 3)
        second.join("room")
        third.join("room")
        second.to("room").emit("my room")
        self.assertEqual([c.received() for c in clients], [[], [], ['2/ChatSocket,["my room"]']])
        first.to("room", "other").send("hi")
        self.assertEqual(
            [c.received() for c in clients], [[]] + [['2/ChatSocket,["message","hi"]']] * 2
        )
        first.namespace.in_("room").except_(third.id).emit("x")
        self.assertEqual([c.received() for c in clients], [[], ['2/ChatSocket,["x"]'], []])
        first.to(third.id).emit("private", b"\x01")
        self.assertEqual(
            [c.received() for c in clients],
            [[], [], ['51-/ChatSocket,["private",{"_placeholder":true,"num":0}]', b"\x01"]],
        )

    def test_rooms(self) -> None:
        handler_class = remembering()
        world = self.world(handler_class)
        client = self.connect(world, headers={"Cookie": "session_id=s; logged_in=u"})
        (handler,) = handler_class.handlers
        self.assertEqual(handler.rooms, {"cid1"})
        handler.join("a")
        handler.join("b")
        handler.leave("a")
        self.assertEqual(handler.rooms, {"cid1", "b"})
        for room in (None, 1, ("session", "s"), ["a"]):
            self.assertRaises(TypeError, handler.join, room)
            self.assertRaises(TypeError, handler.leave, room)
        client.vanish()
        self.assertEqual(handler.rooms, set())
        handler.join("late")
        self.assertEqual(handler.rooms, set())

    def test_odd_room_names(self) -> None:
        handler_class = remembering()
        client = self.connect(self.world(handler_class))
        (handler,) = handler_class.handlers
        for room in (
            "",
            "#",
            "*",
            "[a-z]",
            "é \x00\n",
            "x" * 1000,
            "('session', 's')",
            "__class__",
        ):
            handler.join(room)
            handler.namespace.to(room).emit("x")
            self.assertEqual(client.received(), ['2/ChatSocket,["x"]'])
            handler.leave(room)
            handler.namespace.to(room).emit("x")
            self.assertEqual(client.received(), [])

    def test_one_encoding(self) -> None:
        """However many receive it by one transport, they are sent the same bytes."""
        handler_class = remembering()
        world = self.world(handler_class)
        for _ in range(3):
            self.connect(world)
        sent = []
        for handler in handler_class.handlers:
            handler._connection.client = _Tap(sent)
        handler_class.handlers[0].namespace.emit("x")
        self.assertEqual(len(sent), 3)
        self.assertEqual(len(set(map(id, sent))), 1)

    # -- leaving ------------------------------------------------------------

    def test_client_disconnects(self) -> None:
        """The reason is Socket.IO's own; the session goes on for other namespaces."""
        handler_class = remembering()
        client = self.connect(self.world(handler_class))
        client.send("1/ChatSocket,")
        self.assertEqual(handler_class.seen, [("on_close", "client namespace disconnect")])
        self.assertFalse(client.closed)
        client.connect("/ChatSocket")
        self.assertEqual(len(handler_class.handlers), 2)

    def test_server_disconnects(self) -> None:
        """The client is told; what it sent before it knew is no violation."""
        handler_class = remembering()
        client = self.connect(self.world(handler_class))
        (handler,) = handler_class.handlers
        handler.emit("bye")
        handler.close()
        handler.close()
        handler.emit("too late")
        client.send('2/ChatSocket,["in flight"]', "1/ChatSocket,")
        self.assertEqual(client.received(), ['2/ChatSocket,["bye"]', "1/ChatSocket,"])
        self.assertFalse(client.closed)
        self.assertEqual(handler_class.seen, [("on_close", "server namespace disconnect")])
        self.assertFalse(handler.connected)

    def test_vanishing(self) -> None:
        handler_class = remembering()
        client = self.connect(self.world(handler_class))
        client.vanish()
        reason = "transport close" if self.transport == "websocket" else "transport error"
        self.assertEqual(handler_class.seen, [("on_close", reason)])

    def test_silence(self) -> None:
        handler_class = remembering()
        world = self.world(handler_class)
        self.connect(world)
        world.clock.advance(25)
        world.clock.advance(20)
        self.assertEqual(handler_class.seen, [("on_close", "ping timeout")])

    def test_shutdown(self) -> None:
        handler_class = remembering()
        world = self.world(handler_class)
        client = self.connect(world)
        world.server.stop()
        self.assertEqual(handler_class.seen, [("on_close", "server shutting down")])
        self.assertTrue(client.closed)

    def test_close_within_an_event(self) -> None:
        """The event is over before on_close."""

        class Handler(remembering()):
            @event
            def leave_me(self):
                self.close()
                self.seen.append("after close")

        client = self.connect(self.world(Handler))
        client.send('2/ChatSocket,["leave_me"]', '2/ChatSocket,["leave_me"]')
        self.assertEqual(Handler.seen, ["after close", ("on_close", "server namespace disconnect")])
        self.assertFalse(client.closed)

    def test_on_close_that_raises(self) -> None:
        def on_close(self, reason):
            raise ValueError

        handler_class = remembering(on_close=on_close)
        world = self.world(handler_class)
        self.connect(world).vanish()
        self.assertEqual(handler_class.seen, [("on_error", "on_close", ValueError)])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(dict(world.server.namespaces["/ChatSocket"].connections), {})

    # -- violations ---------------------------------------------------------

    def test_violations(self) -> None:
        """Each closes the session at once, and no other; the app is told."""
        for packets in (
            ["x"],
            ["2/ChatSocket,{}"],
            ['2/ChatSocket,["connect"]'],
            ["2/ChatSocket,"],
            ["0/ChatSocket,"],  # joined already
            ['4/ChatSocket,{"message":"x"}'],
            ['2["x"]'],  # not joined
            ['2/other,["x"]'],
            ["30[]"],
            ["1"],
            ['51-["x",{"_placeholder":true,"num":0}]'],  # not joined: no attachment is taken
            [b"\x01"],
            ['511-/ChatSocket,["x"]'],
            ['51-/ChatSocket,["x",{"_placeholder":true,"num":1}]', b"\x01"],
            ['51-/ChatSocket,["x",{"_placeholder":true,"num":0}]', '2/ChatSocket,["y"]'],
            ["\ud800"] if self.transport == "polling" else ["y"],
        ):
            handler_class = remembering()
            world = self.world(handler_class)
            other = self.connect(world)
            client = self.connect(world)
            client.send(*packets)
            self.assertTrue(client.closed, packets)
            self.assertEqual(handler_class.seen, [("on_close", "parse error")], packets)
            self.assertFalse(other.closed)
            if self.transport == "polling":
                self.assertEqual(client.post_status, 400, packets)

    def test_first_packet_must_connect(self) -> None:
        """Immediately, says the protocol: not after the connect timeout."""
        for packet in ('2["x"]', "1", "30[]", "4", "9"):
            client = self.world(remembering()).client(self.transport)
            client.send(packet)
            self.assertTrue(client.closed, packet)

    def test_events_before_a_violation(self) -> None:
        """What was accepted is handled."""
        handler_class = remembering(on_message=lambda self, m: self.seen.append(m))
        client = self.connect(self.world(handler_class))
        client.send('2/ChatSocket,["message","kept"]', "x", '2/ChatSocket,["message","too late"]')
        self.assertEqual(handler_class.seen, ["kept", ("on_close", "parse error")])

    def test_attachments_that_do_not_come(self) -> None:
        """60 s from one to the next."""
        handler_class = remembering(on_message=lambda self, *a: self.seen.append(a))
        world = self.world(handler_class)
        client = self.connect(world)
        head = (
            '52-/ChatSocket,["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]'
        )
        client.send(head)
        for _ in range(2):
            world.clock.advance(20)
            client.received()
        client.send(b"1")
        for _ in range(2):
            world.clock.advance(20)
            client.received()
        client.send(b"2")
        self.assertEqual(handler_class.seen, [(b"1", b"2")])
        client.send(head)
        for _ in range(3):
            world.clock.advance(20)
            client.received()
        self.assertEqual(handler_class.seen[1:], [("on_close", "parse error")])

    def test_connect_timeout(self) -> None:
        """45 s to join a namespace; whoever has joined one stays."""
        world = self.world(remembering(), engine_options={"ping_interval": 20.0})
        idle = world.client(self.transport)
        active = self.connect(world)
        for _ in range(44):
            world.clock.advance(1)
            idle.received()
            active.received()
        self.assertFalse(idle.closed)
        world.clock.advance(1)
        self.assertTrue(idle.closed)
        self.assertFalse(active.closed)

    def test_echo_of_anything(self) -> None:
        """What a client may send, it may be sent back."""
        client = self.connect(self.world(remembering(on_message=lambda self, m: self.send(m))))
        for value in (
            '"\\ud800"',
            "-0.5",
            "1e300",
            '{"__proto__":{"a":1}}',
            '"\\u0000\\u2028\\u001e"',
        ):
            client.send(f'2/ChatSocket,["message",{value}]')
            self.assertEqual(len(client.received()), 1, value)
        self.assertFalse(client.closed)


class _Tap:
    """A client whose session keeps what it is sent."""

    def __init__(self, sent) -> None:
        self.session = self
        self.send_packets = sent.extend


WebSocketBehaviourTests, PollingBehaviourTests = over_both(Behaviour)
