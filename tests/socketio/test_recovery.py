"""Clients that come back: `mojo.socketio.recovery`, over both transports."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from mojo.errors import ConnectionRefused
from mojo.socketio import event
from tests.socketio.world import World, remembering


def chat(**methods):
    """A handler class whose clients can enter rooms, and that remembers who came back."""

    def on_open(self, request):
        self.seen.append(("on_open", self.id, request.recovered))

    @event
    def enter(self, *rooms):
        self.join(*rooms)
        self.data["entered"] = list(rooms)

    return remembering(**{"on_open": on_open, "enter": enter, **methods})


class Recovery:
    """The tests; a subclass for each transport runs them."""

    transport: str

    def setUp(self) -> None:
        self.handler_class = chat()
        self.world = World({"/": self.handler_class}, recovery={})

    @property
    def handlers(self):
        return self.handler_class.handlers

    def come(self, auth=None, **options):
        """Connect; give the client, and what it was told before and when it was connected."""
        client = self.world.client(self.transport, **options)
        client.send("0" + (json.dumps(auth) if auth is not None else ""))
        *before, answer = client.received()
        self.assertEqual(answer[:2], "0{", answer)
        return client, before, json.loads(answer[1:])

    def back(self, facts, offset=None, **options):
        auth = {"pid": facts["pid"]}
        if offset is not None:
            auth["offset"] = offset
        return self.come(auth, **options)

    def offset_of(self, packet) -> str:
        return json.loads(packet[1:])[-1]

    # -- coming back ----------------------------------------------------------

    def test_connect(self) -> None:
        """The client is told its id and a secret, which differ."""
        _, before, facts = self.come()
        self.assertEqual(before, [])
        self.assertEqual(set(facts), {"sid", "pid"})
        self.assertNotEqual(facts["sid"], facts["pid"])

    def test_offset(self) -> None:
        """Each event has one more argument, a text that differs from event to event."""
        client, _, _ = self.come()
        self.handlers[0].emit("a", 1)
        self.handlers[0].namespace.emit("b")
        first, second = client.received()
        name, number, offset = json.loads(first[1:])
        self.assertEqual((name, number), ("a", 1))
        self.assertEqual(json.loads(second[1:])[0], "b")
        self.assertNotEqual(self.offset_of(second), offset)

    def test_missed(self) -> None:
        """What was sent to the client, to its rooms and to all comes once, in order, first."""
        client, _, facts = self.come()
        other, _, _ = self.come()
        client.send('2["enter","room"]')
        self.handlers[0].emit("seen")
        offset = self.offset_of(client.received()[-1])
        client.vanish()
        gone, here = self.handlers
        gone.emit("to the client", 1)
        here.to("room").emit("to the room", b"\x01")
        here.to("elsewhere").emit("not this")
        here.namespace.except_("room").emit("nor this")
        here.namespace.emit("to all")
        client, before, again = self.back(facts, offset)
        self.assertEqual(again, facts)
        names = [json.loads(p[p.index("[") :])[0] for p in before if isinstance(p, str)]
        self.assertEqual(names, ["to the client", "to the room", "to all"])
        self.assertIn(b"\x01", before)
        self.assertEqual(client.received(), [])
        self.assertEqual(len(other.received()), 2)

    def test_state(self) -> None:
        """The app's new object has the id, the rooms and the data of the old."""
        client, _, facts = self.come()
        client.send('2["enter","a","b"]')
        client.vanish()
        self.assertEqual(self.handlers[0].seen[-1], ("on_close", "transport " + self.lost))
        self.back(facts)
        old, new = self.handlers
        self.assertIsNot(old, new)
        self.assertEqual(new.id, old.id)
        self.assertEqual(new.rooms, {"a", "b", new.id})
        self.assertEqual(new.data, {"entered": ["a", "b"]})
        self.assertTrue(new.recovered)
        self.assertEqual(new.seen[-1], ("on_open", old.id, True))
        self.assertNotIn("pid", new.request.auth)

    def test_before_the_first_event(self) -> None:
        """A client that saw no event gets all since it was connected."""
        client, _, facts = self.come()
        client.vanish()
        self.handlers[0].emit("first")
        _, before, again = self.back(facts)
        self.assertEqual(again, facts)
        self.assertEqual([json.loads(p[1:])[0] for p in before], ["first"])

    def test_twice(self) -> None:
        """Each absence is made good, and nothing comes a second time."""
        client, _, facts = self.come()
        client.vanish()
        self.handlers[0].emit("one")
        client, before, _ = self.back(facts)
        client.vanish()
        self.handlers[1].emit("two")
        client, before, _ = self.back(facts, self.offset_of(before[-1]))
        self.assertEqual([json.loads(p[1:])[0] for p in before], ["two"])
        client.vanish()
        _, before, again = self.back(facts, self.offset_of(before[-1]))
        self.assertEqual((before, again), ([], facts))

    def test_lost_on_the_way(self) -> None:
        """What was handed over and never arrived comes again."""
        client, _, facts = self.come()
        for number in range(3):
            self.handlers[0].emit("n", number)
        first, *_ = client.received()
        client.vanish()
        _, before, _ = self.back(facts, self.offset_of(first))
        self.assertEqual([json.loads(p[1:])[1] for p in before], [1, 2])

    def test_volatile(self) -> None:
        """A volatile event is not kept; a text in it is not taken for an offset."""
        client, _, facts = self.come()
        self.handlers[0].emit("kept", 1)
        self.handlers[0].volatile.emit("volatile", "text")
        kept, volatile = client.received()
        self.assertEqual(self.offset_of(volatile), self.offset_of(kept))
        client.vanish()
        self.handlers[0].volatile.emit("volatile", "missed")
        _, before, again = self.back(facts, self.offset_of(volatile))
        self.assertEqual((before, again), ([], facts))

    def test_acknowledged_events(self) -> None:
        """An event whose answer is waited for has no offset, fails, and is not kept."""
        client, _, facts = self.come()
        answer = self.handlers[0].call("question", "text")
        (packet,) = client.received()
        self.assertEqual(packet, '20["question","text"]')
        client.vanish()
        self.failureResultOf(answer)
        _, before, _ = self.back(facts)
        self.assertEqual(before, [])

    def test_take_over(self) -> None:
        """A client that is back before we noticed that it had gone takes over from itself."""
        first, _, facts = self.come()
        first.send('2["enter","room"]')
        first.received()
        self.handlers[0].namespace.to("room").emit("on its way")
        second, before, again = self.back(facts)
        self.assertEqual(again, facts)
        self.assertEqual([json.loads(p[1:])[0] for p in before], ["on its way"])
        self.assertTrue(first.closed)
        self.handlers[1].namespace.to("room").emit("now")
        self.assertEqual([json.loads(p[1:])[0] for p in second.received()], ["now"])
        self.assertEqual(len(self.world.server.namespaces["/"].connections), 1)

    def test_opening(self) -> None:
        """What is sent while the app decides comes after the connect, and once."""
        waiting: list = []

        def on_open(self, request):
            if request.recovered:
                from twisted.internet.defer import Deferred

                waiting.append(Deferred())
                return waiting[0]
            return None

        self.handler_class = chat(on_open=on_open)
        self.world = World({"/": self.handler_class}, recovery={})
        client, _, facts = self.come()
        client.vanish()
        self.handlers[0].emit("away")
        client = self.world.client(self.transport)
        client.send("0" + json.dumps({"pid": facts["pid"]}))
        self.handlers[0].emit("opening")
        self.assertEqual(client.received(), [])
        waiting[0].callback(None)
        away, connected, opening = client.received()
        self.assertEqual(json.loads(away[1:])[0], "away")
        self.assertEqual(connected[0], "0")
        self.assertEqual(json.loads(opening[1:])[0], "opening")

    # -- who does not -----------------------------------------------------------

    def assert_new(self, facts, offset=None, **options) -> None:
        """Come back, and be nobody who was here before."""
        _, before, again = self.back(facts, offset, **options)
        self.assertEqual(before, [])
        self.assertNotEqual(again["sid"], facts["sid"])
        self.assertNotEqual(again["pid"], facts["pid"])
        self.assertFalse(self.handlers[-1].recovered)

    def test_unknown(self) -> None:
        for auth in ({"pid": "x", "offset": "y"}, {"pid": 1}, {"pid": None}, {"offset": "x"}):
            _, before, facts = self.come(auth)
            self.assertEqual((before, set(facts)), ([], {"sid", "pid"}))

    def test_offsets_that_are_none(self) -> None:
        for offset in ("x", "1", "cid1-", "cid1--1", "cid1-1e3", "cid1-" + "9" * 5000, "cid1-7"):
            client, _, facts = self.come()
            client.vanish()
            self.assert_new(facts, offset)

    def test_too_late(self) -> None:
        """After 120 seconds the place is gone, and so is the timer."""
        client, _, facts = self.come()
        client.vanish()
        self.world.clock.advance(120)
        self.assertFalse(self.world.server.namespaces["/"].recovery.waits)
        self.assert_new(facts)

    def test_went_by_itself(self) -> None:
        client, _, facts = self.come()
        client.send("1")
        self.assert_new(facts)

    def test_sent_away(self) -> None:
        for close in (False, True):
            _, _, facts = self.come()
            self.handlers[-1].disconnect(close=close)
            self.assert_new(facts)

    def test_other_visitor(self) -> None:
        """A secret that was found is no good without the cookies, nor does it end anything."""
        ada = {"headers": {"Cookie": "session_id=s1; logged_in=ada"}}
        client, _, facts = self.come(**ada)
        for cookie in ("session_id=s2; logged_in=ada", "session_id=s1; logged_in=bob", "x=1"):
            self.assert_new(facts, headers={"Cookie": cookie})
        self.assertFalse(client.closed)
        client.vanish()
        self.assert_new(facts)
        _, _, again = self.back(facts, **ada)
        self.assertEqual(again, facts)

    def test_logged_out_meanwhile(self) -> None:
        """Also who still has the old cookie is nobody who was here."""
        ada = {"headers": {"Cookie": "session_id=s1; logged_in=ada"}}
        client, _, facts = self.come(**ada)
        client.vanish()
        self.world.server.log_out("s1", None, "logout")
        self.assert_new(facts, **ada)

    def test_refused_meanwhile(self) -> None:
        """The app and its middleware are asked again; a refused client learns nothing."""
        banned: list = []

        def check(handler):
            if banned:
                raise ConnectionRefused("banned")

        self.handler_class = chat(middleware=[check])
        self.world = World({"/": self.handler_class}, recovery={})
        client, _, facts = self.come()
        client.vanish()
        self.handlers[0].emit("secret")
        banned.append(True)
        client = self.world.client(self.transport)
        client.send("0" + json.dumps({"pid": facts["pid"]}))
        self.assertEqual(client.received(), ['4{"message":"banned"}'])
        banned.clear()
        self.assert_new(facts)

    def test_rooms_entered_later(self) -> None:
        """An old offset does not tell what was said in a room before one entered it."""
        client, _, facts = self.come()
        self.handlers[0].emit("x")
        offset = self.offset_of(client.received()[-1])
        self.handlers[0].namespace.to("room").emit("before")
        client.send('2["enter","room"]')
        self.handlers[0].namespace.to("room").emit("after")
        client.vanish()
        _, before, _ = self.back(facts, offset)
        self.assertEqual([json.loads(p[1:])[0] for p in before], ["after"])

    # -- bounds -------------------------------------------------------------------

    def test_too_many_packets(self) -> None:
        """Who missed more events than are kept is not told that it missed none."""
        self.world = World({"/": self.handler_class}, recovery={"max_packets": 2})
        for count, recovered in ((2, True), (3, False)):
            client, _, facts = self.come()
            client.vanish()
            for number in range(count):
                self.handlers[-1].emit("n", number)
            _, before, again = self.back(facts)
            self.assertEqual(again == facts, recovered)
            self.assertEqual(len(before), 2 if recovered else 0)

    def test_too_many_bytes(self) -> None:
        self.world = World({"/": self.handler_class}, recovery={"max_bytes": 3000})
        client, _, facts = self.come()
        client.vanish()
        self.handlers[0].emit("n", "x" * 3000)
        self.assert_new(facts)

    def test_old_events_go(self) -> None:
        self.come()
        recovery = self.world.server.namespaces["/"].recovery
        self.handlers[0].emit("old")
        self.world.clock.advance(121)
        self.handlers[0].emit("new")
        self.assertEqual(len(recovery._log), 1)

    def test_too_many_places(self) -> None:
        """Beyond the limit the one that has been away longest is given up."""
        self.world = World({"/": self.handler_class}, recovery={"max_sessions": 2})
        absent = []
        for _ in range(3):
            client, _, facts = self.come()
            client.vanish()
            absent.append(facts)
        self.assert_new(absent[0])
        for facts in absent[1:]:
            self.assertEqual(self.back(facts)[2], facts)

    def test_nobody_here(self) -> None:
        """Where nobody is and nobody is waited for nothing is kept."""
        recovery = self.world.server.namespaces["/"].recovery
        self.world.server.namespaces["/"].operator.emit("unheard")
        self.assertEqual(len(recovery._log), 0)

    def test_stop(self) -> None:
        client, _, _ = self.come()
        client.vanish()
        self.world.server.stop()
        for engine in self.world.server._engines:
            engine.abort()
        self.world.turn()
        self.assertEqual(self.world.clock.getDelayedCalls(), [])

    def test_namespaces_made_on_demand(self) -> None:
        """One stays while somebody may come back to it, and goes with the last one."""
        self.world = World(
            {"/": remembering(__endpoints__={"/doc/<id>": self.handler_class})},
            recovery={},
            cleanup_empty_namespaces=True,
        )
        client = self.world.client(self.transport)
        client.send("0/doc/7,")
        (answer,) = client.received()
        facts = json.loads(answer[len("0/doc/7,") :])
        client.vanish()
        self.assertIn("/doc/7", self.world.server.namespaces)
        client = self.world.client(self.transport)
        client.send("0/doc/7," + json.dumps({"pid": facts["pid"]}))
        self.assertEqual(client.received(), [answer])
        client.vanish()
        self.world.clock.advance(120)
        self.assertNotIn("/doc/7", self.world.server.namespaces)

    def test_without(self) -> None:
        """Without the setting nothing is added to events, nor remembered."""
        self.world = World({"/": self.handler_class})
        client, _, facts = self.come({"pid": "x"})
        self.assertEqual(set(facts), {"sid"})
        self.handlers[0].emit("a", "b")
        self.assertEqual(client.received(), ['2["a","b"]'])
        self.assertEqual(self.handlers[0].request.auth, {"pid": "x"})


class WebSocketRecoveryTests(Recovery, SynchronousTestCase):
    transport = "websocket"
    lost = "close"


class PollingRecoveryTests(Recovery, SynchronousTestCase):
    transport = "polling"
    lost = "error"
