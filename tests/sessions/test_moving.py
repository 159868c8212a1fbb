"""A visitor gets another id: what is here of the visitor goes along."""

from __future__ import annotations

import json

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mojo.sessions.registry import Registry
from mojo.socketio import event
from mojo.testing.wire import Wire
from tests.socketio.world import World, remembering

S1 = {"headers": {"Cookie": "session_id=s1"}}


class MovingTestCase(SynchronousTestCase):
    options: dict = {}  # noqa: RUF012

    def setUp(self) -> None:
        self.calls: list[str] = []

        @event(idempotent=True)
        def buy(handler, what, event_id):
            self.calls.append(what)
            return f"{what} bought"

        self.chat = remembering(buy=buy)
        self.game = remembering()
        self.world = World({"/ChatSocket": self.chat, "/GameSocket": self.game}, **self.options)
        self.server = self.world.server
        self.registry = self.server.observer = Registry(self.server)

    def move(self, former="s1", session_id="s2", is_theirs=lambda handshake: True) -> None:
        self.server.move_visitor(former, session_id, is_theirs)
        self.world.turn()

    def connect(self, **options):
        return self.world.connect("/ChatSocket", **{**S1, **options})


class MovingTests(MovingTestCase):
    def test_registry(self) -> None:
        """CURRENT_SESSIONS has the visitor, with all tabs, under the new id alone."""
        self.connect().connect("/GameSocket")
        self.connect(transport="polling")
        self.move()
        self.assertEqual(list(self.registry.visitors), ["s2"])
        self.assertEqual(len(self.registry.visitors["s2"].connections), 3)
        self.assertEqual({h.session_id for h in self.chat.handlers}, {"s2"})

    def test_rooms(self) -> None:
        """What is sent to the visitor goes to the new id; nobody hears what goes to the old."""
        client = self.connect()
        self.move()
        self.registry.session("s1").emit("old")
        self.registry.session("s2").emit("new")
        self.assertEqual(client.received(), ['2/ChatSocket,["new"]'])

    def test_what_it_came_with(self) -> None:
        """The request of ``on_open`` stays what it was."""
        self.connect()
        self.move()
        self.assertEqual(self.chat.handlers[0].request.session_id, "s1")

    def test_apps_joined_later(self) -> None:
        client = self.connect()
        idle = self.world.client(**S1)
        self.move()
        for late in (client, idle):
            late.connect("/GameSocket")
        self.assertEqual([h.session_id for h in self.game.handlers], ["s2", "s2"])
        self.assertEqual([h.request.session_id for h in self.game.handlers], ["s2", "s2"])

    def test_while_opening(self) -> None:
        decide: Deferred = Deferred()
        self.chat.on_open = lambda handler, request: decide
        client = self.world.client(**S1)
        client.send("0/ChatSocket,")
        self.move()
        decide.callback(None)
        self.assertEqual(list(self.registry.visitors), ["s2"])
        self.registry.visitors["s2"].emit("x")
        self.assertEqual(client.received()[1:], ['2/ChatSocket,["x"]'])

    def test_others_stay(self) -> None:
        self.connect(headers={"Cookie": "session_id=other"})
        self.connect(headers={})
        self.move()
        self.assertEqual([h.session_id for h in self.chat.handlers], ["other", None])

    def test_nothing_is_left(self) -> None:
        client = self.connect()
        self.move()
        client.vanish()
        self.assertEqual((len(self.registry.visitors), len(self.registry.logins)), (0, 0))
        self.assertEqual(len(self.server._visitors), 0)

    def test_logging_out_afterwards(self) -> None:
        """A login is found under the new id."""
        self.connect(headers={"Cookie": "session_id=s1; logged_in=u1"})
        self.move()
        self.server.log_out("s2", None, "logout")
        self.assertEqual(self.chat.handlers[0].user_id, None)
        self.assertEqual(list(self.registry.logins), [])

    def test_whoever_is_in_doubt(self) -> None:
        """It has to come back: it hears no more as the visitor, and does not stay either."""
        mine = self.connect(headers={"Cookie": "session_id=s1", "User-Agent": "mine"})
        strange = self.connect(headers={"Cookie": "session_id=s1", "User-Agent": "strange"})
        self.move(is_theirs=lambda handshake: handshake.headers["user-agent"] == ("mine",))
        self.registry.session("s2").emit("secret")
        self.assertEqual(mine.received(), ['2/ChatSocket,["secret"]'])
        self.assertEqual(strange.received(), [])
        self.assertTrue(strange.closed)
        self.assertEqual(list(self.registry.visitors), ["s2"])
        self.assertEqual(self.chat.seen, [("on_close", "forced server close")])


class PollingTests(MovingTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.client = self.connect(transport="polling")
        self.client.received()  # the next GET waits
        self.move()

    def ask(self, cookie: str) -> int:
        wire = Wire(self.world.site)
        wire.ask("POST", self.client.uri, headers={"Cookie": cookie}, body=b"3")
        return wire.answer().status

    def test_new_cookie(self) -> None:
        """The browser's next request has it."""
        self.assertEqual(self.ask("session_id=s2"), 200)

    def test_old_cookie(self) -> None:
        """A request that was sent before the browser had it is as good."""
        self.assertEqual(self.ask("session_id=s1"), 200)

    def test_other_cookie(self) -> None:
        self.assertEqual(self.ask("session_id=s3"), 403)

    def test_waiting_request(self) -> None:
        """The GET that waits stays where it is."""
        self.registry.session("s2").emit("x")
        self.assertEqual(self.client.received(), ['2/ChatSocket,["x"]'])


class OnceTests(MovingTestCase):
    def test_sent_again(self) -> None:
        """What was handled before is not handled again because the visitor has another id."""
        client = self.connect()
        client.send('2/ChatSocket,1["buy","tea","id1"]')
        self.assertEqual(client.received(), ['3/ChatSocket,1["tea bought"]'])
        self.move()
        client.send('2/ChatSocket,2["buy","tea","id1"]')
        self.assertEqual(client.received(), ['3/ChatSocket,2["tea bought"]'])
        self.assertEqual(self.calls, ["tea"])

    def test_failed_meanwhile(self) -> None:
        """What fails after the move counts as not handled, under the new id too."""
        first: Deferred = Deferred()
        handled = self.server.namespaces["/ChatSocket"].handled
        failing = handled.handle(("s1", "buy", "id1"), lambda: first)
        self.move()
        first.errback(ValueError())
        self.failureResultOf(failing, ValueError)
        self.assertEqual(handled.handle(("s2", "buy", "id1"), lambda: "done"), "done")


class RecoveryTests(MovingTestCase):
    options = {"recovery": {}}  # noqa: RUF012

    def come(self, auth=None, session_id="s1"):
        client = self.world.client(headers={"Cookie": f"session_id={session_id}"})
        client.send("0/ChatSocket," + (json.dumps(auth) if auth else ""))
        *before, answer = client.received()
        return before, json.loads(answer.removeprefix("0/ChatSocket,")), client

    def names(self, packets) -> list[str]:
        return [json.loads(p.removeprefix("2/ChatSocket,"))[0] for p in packets]

    def test_away(self) -> None:
        """Who is away meanwhile finds its place as the visitor with the new id, and alone so."""
        _, facts, client = self.come()
        client.vanish()
        self.registry.session("s1").emit("before")
        self.move()
        self.registry.session("s2").emit("after")
        missed, again, _ = self.come({"pid": facts["pid"]}, "s1")
        self.assertEqual((missed, again["pid"] == facts["pid"]), ([], False))
        missed, again, _ = self.come({"pid": facts["pid"]}, "s2")
        self.assertEqual(again["sid"], facts["sid"])
        self.assertEqual(self.names(missed), ["before", "after"])
        self.assertEqual(len(self.registry.visitors["s2"].connections), 1)
        rooms = self.server.namespaces["/ChatSocket"].adapter
        self.assertNotIn(("session", "s1"), rooms.rooms_of(self.chat.handlers[-1].connection))

    def test_away_after_the_move(self) -> None:
        """What was sent to the visitor before it, and lost on the way, is still known."""
        _, facts, client = self.come()
        self.registry.session("s1").emit("before")
        self.move()
        self.registry.session("s2").emit("after")
        client.vanish()
        missed, _, _ = self.come({"pid": facts["pid"]}, "s2")
        self.assertEqual(self.names(missed), ["before", "after"])

    def test_whoever_is_in_doubt(self) -> None:
        """It finds its place again if it has the new cookie."""
        _, facts, _ = self.come()
        self.move(is_theirs=lambda handshake: False)
        _, again, _ = self.come({"pid": facts["pid"]}, "s2")
        self.assertEqual(again["sid"], facts["sid"])

    def test_targets(self) -> None:
        """A room is renamed wherever a broadcast names it."""
        _, facts, client = self.come()
        client.vanish()
        self.registry.session("s1").emit("within")
        self.server.namespaces["/ChatSocket"].operator.except_(("session", "s1")).emit("not")
        self.move()
        missed, _, _ = self.come({"pid": facts["pid"]}, "s2")
        self.assertEqual(self.names(missed), ["within"])
