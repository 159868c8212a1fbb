"""Sockets against our own server, over both transports."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from mojo import ConnectionRefused, MojoSocketHandler, event
from mojo.client import AckTimeout, ConnectError, Disconnected, UnsendableError
from tests.client.world import ClientWorld, Heard


class Handler(MojoSocketHandler):
    def on_open(self, request):
        self.emit("welcome", request.auth)

    def on_message(self, *args):
        self.send(*args)

    @event
    def echo(self, *args):
        return args

    @event
    def silence(self):
        return Deferred()

    @event
    def tell_me(self, name, *args):
        self.emit(name, *args)

    @event
    async def ask_me(self, *args):
        return "you said", await self.call("question", *args, timeout=5)

    @event
    def leave_me(self):
        self.close()


class AdminHandler(MojoSocketHandler):
    def on_open(self, request):
        if request.auth.get("password") != "open sesame":
            raise ConnectionRefused("wrong password", {"hint": "caves"})


class SocketTestCase(SynchronousTestCase):
    options: dict = {}  # noqa: RUF012

    def setUp(self) -> None:
        self.world = ClientWorld({"/": Handler, "/other": Handler, "/admin": AdminHandler})
        self.heard = Heard()

    def socket(self, namespace="/", **options):
        return self.world.socket(namespace, **{**self.options, **options})

    def manager(self, **options):
        return self.world.manager(**{**self.options, **options})

    def answer(self, deferred):
        self.world.settle()
        return self.successResultOf(deferred)


class Exchange:
    """What is the same over both transports, and while one follows the other."""

    def test_connected(self) -> None:
        socket = self.socket()
        self.assertTrue(socket.connected and socket.active)
        self.assertTrue(socket.id.startswith("cid"))
        self.assertFalse(socket.recovered)

    def test_events_of_the_server(self) -> None:
        """What a handler emits in ``on_open`` is heard."""
        manager = self.manager()
        self.heard.by(manager.socket("/", auth={"token": "t"}), "connect", "welcome")
        self.world.settle()
        self.assertEqual(self.heard.events, [("connect",), ("welcome", {"token": "t"})])

    def test_call(self) -> None:
        """None of the arguments is ``None``, one is itself, several are a tuple."""
        socket = self.socket()
        self.assertIsNone(self.answer(socket.call("echo")))
        self.assertEqual(self.answer(socket.call("echo", {"a": ["ü"]})), {"a": ["ü"]})
        self.assertEqual(self.answer(socket.call("echo", 1, 2)), (1, 2))

    def test_binary(self) -> None:
        """Bytes come and go at any depth, and in order with texts."""
        socket = self.socket()
        value = {"a": [b"\x00\xff", {"b": b""}], "c": "text"}
        first, second = socket.call("echo", value), socket.call("echo", "after")
        self.assertEqual(self.answer(first), value)
        self.assertEqual(self.answer(second), "after")

    def test_ack(self) -> None:
        """The callback gets the acknowledgement's arguments."""
        socket = self.socket()
        socket.emit("echo", 1, b"2", ack=self.heard.listener("ack"))
        self.world.settle()
        self.assertEqual(self.heard.events, [("ack", 1, b"2")])

    def test_messages(self) -> None:
        socket = self.socket()
        self.heard.by(socket, "message")
        socket.send("hi", 1)
        self.world.settle()
        self.assertEqual(self.heard.events, [("message", "hi", 1)])

    def test_answering(self) -> None:
        """What a listener returns is the acknowledgement: sync, Deferred or coroutine."""
        socket = self.socket()

        async def later(question):
            return question, b"bytes"

        for listener, answer in (
            (lambda question: f"{question}!", "why!"),
            (lambda question: None, None),
            (later, ["why", b"bytes"]),
        ):
            socket.off("question")
            socket.on("question", listener)
            said, answered = self.answer(socket.call("ask_me", "why"))
            self.assertEqual(said, "you said")
            self.assertEqual(list(answered) if isinstance(answered, list) else answered, answer)

    def test_order(self) -> None:
        """A thousand events of one turn arrive once each, in order."""
        socket = self.socket()
        self.heard.by(socket, "message")
        for number in range(1000):
            socket.send(number)
        self.world.settle()
        self.assertEqual(self.heard.events, [("message", number) for number in range(1000)])

    def test_heartbeat(self) -> None:
        """Pings are answered: the connection lasts, on both sides."""
        socket = self.socket()
        self.heard.by(socket.manager, "ping")
        self.world.advance(200)
        self.assertTrue(socket.connected)
        # One every 25 s, from the last answer.
        self.assertIn(len(self.heard.events), (7, 8))
        self.assertEqual(self.answer(socket.call("echo", "here")), "here")

    def test_disconnect(self) -> None:
        """The server hears of it, what was sent before arrives, and nothing is left."""
        socket = self.socket()
        self.heard.by(socket, "disconnect", "message")
        self.socket().on("message", self.heard.listener("other"))
        socket.emit("tell_me", "message", 1)
        gone = socket.disconnect()
        self.assertFalse(socket.connected or socket.active)
        self.assertIsNone(socket.id)
        self.assertEqual(self.heard.events, [("disconnect", "io client disconnect")])
        self.assertNoResult(gone)
        self.world.settle()
        self.successResultOf(gone)
        self.assertEqual(len(self.world.server.namespaces["/"].connections), 1)

    def test_nothing_is_left(self) -> None:
        """After the end there is no connection and no timer."""
        socket = self.socket()
        self.assertEqual(self.answer(socket.call("echo", b"bytes")), b"bytes")
        gone = socket.disconnect()
        self.world.settle()
        self.successResultOf(gone)
        self.assertEqual(self.world.network.open_links, [])
        self.assertEqual(self.world.client_clock.getDelayedCalls(), [])

    def test_server_disconnects(self) -> None:
        """It is not undone, until the app connects again."""
        socket = self.socket()
        self.heard.by(socket, "disconnect")
        socket.emit("leave_me")
        self.world.settle()
        self.assertEqual(self.heard.events, [("disconnect", "io server disconnect")])
        self.assertFalse(socket.active)
        self.world.advance(60)
        self.assertFalse(socket.connected)
        self.assertEqual(self.world.client_clock.getDelayedCalls(), [])
        self.assertIs(self.answer(socket.connect()), socket)

    def test_namespaces(self) -> None:
        """They share one connection, and one that leaves does not end the others."""
        manager = self.manager()
        root, other = manager.socket("/"), manager.socket("other")
        self.heard.by(root, "message").by(other, "message")
        self.world.settle()
        other.send("to other")
        self.world.settle()
        self.assertEqual(self.heard.events, [("message", "to other")])
        self.assertNotEqual(root.id, other.id)
        self.successResultOf(other.disconnect())
        self.world.settle()
        self.assertTrue(root.connected)
        self.assertIs(manager.socket("/other"), other)
        self.world.settle()
        self.assertTrue(other.connected)

    def test_refusal(self) -> None:
        """The error has the handler's words and data, and there is no second attempt."""
        manager = self.manager()
        socket = manager.socket("/admin", auth={"password": "guess"})
        error = []
        socket.on("connect_error", error.append)
        waiting = socket.connect()
        self.world.settle()
        self.assertEqual(error[0].message, "wrong password")
        self.assertEqual(error[0].data, {"hint": "caves"})
        self.assertIs(self.failureResultOf(waiting, ConnectError).value, error[0])
        self.assertFalse(socket.active)
        self.assertEqual(self.world.network.open_links, [])
        socket.auth = {"password": "open sesame"}
        self.assertIs(self.answer(socket.connect()), socket)

    def test_unknown_namespace(self) -> None:
        waiting = self.manager().socket("/nowhere").connect()
        self.world.settle()
        self.failureResultOf(waiting, ConnectError)

    def test_too_long_for_the_server(self) -> None:
        """An event that the server would close on is refused where it is emitted."""
        socket = self.socket()
        with self.assertRaisesRegex(UnsendableError, "the server takes messages of 1000000"):
            socket.emit("echo", "x" * 1_000_001)
        with self.assertRaises(UnsendableError):
            socket.emit("echo", "€" * 400_000)
        self.assertEqual(self.answer(socket.call("echo", "still here")), "still here")
        self.assertEqual(len(self.answer(socket.call("echo", b"x" * 700_000))), 700_000)


class WebSocketTests(Exchange, SocketTestCase):
    options = {"transports": ("websocket",)}  # noqa: RUF012


class PollingTests(Exchange, SocketTestCase):
    options = {"transports": ("polling",)}  # noqa: RUF012


class UpgradeTests(Exchange, SocketTestCase):
    options = {"transports": ("polling", "websocket")}  # noqa: RUF012

    def test_upgraded(self) -> None:
        """The WebSocket is the transport, and the requests' connections are gone."""
        socket = self.socket()
        self.assertEqual(socket.manager.engine.transport.name, "websocket")
        self.assertEqual(len(self.world.network.open_links), 1)


class AckTests(SocketTestCase):
    def test_timeout(self) -> None:
        """A call fails after its seconds, by default 60; a late answer is passed over."""
        socket = self.socket()
        short = socket.call("silence", timeout=5)
        default = socket.call("silence")
        self.world.advance(4.5)
        self.assertNoResult(short)
        self.world.advance(0.5)
        self.failureResultOf(short, AckTimeout)
        self.world.advance(54.5)
        self.assertNoResult(default)
        self.world.advance(0.5)
        self.failureResultOf(default, AckTimeout)

    def test_callback_with_timeout(self) -> None:
        """With a time limit an error comes first: none, or alone."""
        socket = self.socket()
        heard = self.heard.listener("ack")
        socket.timeout(5).emit("echo", "x", ack=heard)
        self.world.settle()
        self.assertEqual(self.heard.take(), [("ack", None, "x")])
        socket.timeout(5).emit("silence", ack=heard)
        self.world.advance(5)
        ((_, error),) = self.heard.take()
        self.assertIsInstance(error, AckTimeout)

    def test_ack_timeout_option(self) -> None:
        """It is the time limit where none is given."""
        socket = self.socket(ack_timeout=2)
        waiting = socket.call("silence")
        socket.emit("silence", ack=self.heard.listener("ack"))
        self.world.advance(2)
        self.failureResultOf(waiting, AckTimeout)
        self.assertIsInstance(self.heard.events[0][1], AckTimeout)

    def test_disconnected(self) -> None:
        """Whoever waits learns at once that the connection went."""
        socket = self.socket()
        waiting = socket.call("silence")
        socket.timeout(5).emit("silence", ack=self.heard.listener("with a limit"))
        socket.emit("silence", ack=self.heard.listener("without"))
        self.world.settle()
        self.world.network.cut()
        self.failureResultOf(waiting, Disconnected)
        ((name, error),) = self.heard.events
        self.assertEqual(name, "with a limit")
        self.assertIsInstance(error, Disconnected)

    def test_coroutine_callback(self) -> None:
        """A callback may be a coroutine function."""
        socket = self.socket()

        async def ack(value):
            self.heard.events.append(await socket.call("echo", value + 1))

        socket.emit("echo", 1, ack=ack)
        self.world.settle()
        self.assertEqual(self.heard.events, [2])

    def test_callback_that_raises(self) -> None:
        """It is logged, and nothing else happens."""
        socket = self.socket()
        socket.emit("echo", 1, ack=lambda value: 1 / 0)
        self.world.settle()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertTrue(socket.connected)

    def test_cancelled_call(self) -> None:
        """The answer to a call that was cancelled is passed over."""
        socket = self.socket()
        waiting = socket.call("echo", 1)
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.world.settle()
        self.assertTrue(socket.connected)


class ListenerTests(SocketTestCase):
    def tell(self, socket, name, *args) -> None:
        socket.emit("tell_me", name, *args)
        self.world.settle()

    def test_decorator(self) -> None:
        socket = self.socket()

        @socket.on("news")
        def news(text):
            self.heard.events.append(text)

        self.tell(socket, "news", "it rains")
        socket.off("news", news)
        self.tell(socket, "news", "it pours")
        self.assertEqual(self.heard.events, ["it rains"])

    def test_once(self) -> None:
        socket = self.socket()
        socket.once("news", self.heard.listener("once"))
        self.heard.by(socket, "news")
        for number in (1, 2):
            self.tell(socket, "news", number)
        self.assertEqual(self.heard.events, [("once", 1), ("news", 1), ("news", 2)])

    def test_off(self) -> None:
        """All listeners of an event, then all."""
        socket = self.socket()
        self.heard.by(socket, "a", "b", "c")
        socket.off("a")
        self.assertEqual([len(socket.listeners(name)) for name in "abc"], [0, 1, 1])
        socket.off()
        self.assertEqual(socket.listeners("b"), [])

    def test_any(self) -> None:
        """Every event, before its own listeners."""
        socket = self.socket()
        self.heard.by(socket, "news")
        listener = socket.on_any(self.heard.listener("any"))
        self.tell(socket, "news", 1)
        self.assertEqual(self.heard.take(), [("any", "news", 1), ("news", 1)])
        socket.off_any(listener)
        self.tell(socket, "other", 1)
        self.assertEqual(self.heard.take(), [])

    def test_any_outgoing(self) -> None:
        """Every event that is sent, when it is."""
        socket = self.world.manager().socket("/")
        listener = socket.on_any_outgoing(self.heard.listener("out"))
        socket.emit("echo", 1)
        self.assertEqual(self.heard.events, [])
        self.world.settle()
        self.assertEqual(self.heard.take(), [("out", "echo", 1)])
        socket.off_any_outgoing(listener)
        socket.emit("echo", 2)
        self.assertEqual(self.heard.take(), [])

    def test_a_listener_that_raises(self) -> None:
        """The other listeners and later events do not care; nothing is acknowledged."""
        socket = self.socket()
        socket.on("question", lambda *args: 1 / 0)
        waiting = socket.call("ask_me", "x")
        self.world.settle()
        self.assertNoResult(waiting)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.world.advance(5)  # the server waits no longer
        self.flushLoggedErrors(AckTimeout)
        socket.on("question", lambda *args: "an answer")
        self.assertEqual(self.answer(socket.call("ask_me", "x")), ("you said", "an answer"))
        self.flushLoggedErrors(ZeroDivisionError)

    def test_an_event_nobody_listens_to(self) -> None:
        """It is not acknowledged: silence must not pass for consent."""
        socket = self.socket()
        waiting = socket.call("ask_me", "x")
        self.world.advance(4.5)
        self.assertNoResult(waiting)

    def test_unsendable_answer(self) -> None:
        socket = self.socket()
        socket.on("question", lambda *args: object())
        socket.call("ask_me", "x").addErrback(lambda _: None)
        self.world.settle()
        self.assertEqual(len(self.flushLoggedErrors(UnsendableError)), 1)
        self.assertTrue(socket.connected)

    def test_one_at_a_time(self) -> None:
        """An event is handled when the one before it is, and acknowledgements pass by."""
        socket = self.socket()
        gate: Deferred = Deferred()

        async def slow(number):
            self.heard.events.append(("begin", number, await socket.call("echo", "in between")))
            await gate
            self.heard.events.append(("end", number))

        socket.on("slow", slow)
        self.heard.by(socket, "quick")
        self.tell(socket, "slow", 1)
        self.tell(socket, "quick", 2)
        self.assertEqual(self.heard.events, [("begin", 1, "in between")])
        gate.callback(None)
        self.assertEqual(self.heard.events[1:], [("end", 1), ("quick", 2)])

    def test_a_crowd(self) -> None:
        """Beyond ``max_queued_events`` the server is not read, until half are handled."""
        socket = self.socket(max_queued_events=4)
        gates: list[Deferred] = []

        def slow(number):
            self.heard.events.append(number)
            gates.append(Deferred())
            return gates[-1]

        socket.on("slow", slow)
        (link,) = self.world.network.open_links
        for number in range(4):
            self.tell(socket, "slow", number)
        self.assertFalse(link.client.paused)
        self.tell(socket, "slow", 4)
        self.assertTrue(link.client.paused)
        self.tell(socket, "slow", 5)
        gates[0].callback(None)
        self.assertTrue(link.client.paused)
        gates[1].callback(None)
        self.assertFalse(link.client.paused)
        self.world.settle()
        for number in range(2, 6):
            gates[number].callback(None)
        self.assertEqual(self.heard.events, [0, 1, 2, 3, 4, 5])

    def test_reserved(self) -> None:
        """A name of the client's own is none of an event's."""
        with self.assertRaisesRegex(UnsendableError, "'connect' is reserved"):
            self.socket().emit("connect")


class AuthTests(SocketTestCase):
    def test_callables(self) -> None:
        """A function, a Deferred or a coroutine: whatever gives a dict."""
        later: Deferred = Deferred()

        async def coroutine():
            return {"n": 3}

        for number, auth in enumerate(
            ({"n": 0}, lambda: {"n": 1}, lambda: later.addCallback(lambda _: {"n": 2}), coroutine)
        ):
            socket = self.world.manager().socket("/", auth=auth)
            self.heard.by(socket, "welcome")
            if number == 2:
                self.world.settle()
                self.assertFalse(socket.connected)
                later.callback(None)
            self.world.settle()
            self.assertEqual(self.heard.take(), [("welcome", {"n": number})])

    def test_asked_for_each_connection(self) -> None:
        """A token that expires is made anew."""
        tokens = iter(range(10))
        socket = self.world.manager().socket("/", auth=lambda: {"n": next(tokens)})
        self.heard.by(socket, "welcome")
        self.world.settle()
        self.world.network.cut()
        self.world.advance(2)
        self.assertEqual(self.heard.events, [("welcome", {"n": 0}), ("welcome", {"n": 1})])

    def test_that_fails(self) -> None:
        """It is logged, and the attempt fails; its words stay here."""
        socket = self.world.manager().socket("/", auth=lambda: 1 / 0)
        self.heard.by(socket, "connect_error")
        waiting = socket.connect()
        self.world.settle()
        self.failureResultOf(waiting, ConnectError)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(str(self.heard.events[0][1]), "auth failed")

    def test_too_late(self) -> None:
        """What is given when the connection is another is not sent on it."""
        slow: list[Deferred] = []

        def auth():
            slow.append(Deferred())
            return slow[-1]

        socket = self.world.manager().socket("/", auth=auth)
        self.heard.by(socket, "welcome")
        self.world.settle()
        self.world.network.cut()
        self.world.advance(2)
        slow[0].callback({"n": "old"})
        self.world.settle()
        self.assertFalse(socket.connected)
        slow[1].callback({"n": "new"})
        self.world.settle()
        self.assertEqual(self.heard.events, [("welcome", {"n": "new"})])

    def test_no_secret_is_shown(self) -> None:
        socket = self.world.manager(query={"token": "s3cret"}).socket("/", auth={"k": "s3cret"})
        shown = (
            f"{socket!r} {socket.manager!r} {socket.manager.options!r} {socket.manager.engine!r}"
        )
        self.assertNotIn("s3cret", shown)
