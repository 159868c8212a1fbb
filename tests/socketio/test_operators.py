"""`mojo.socketio.operator` and `socket_operator`: whom, how and what, from every beginning."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mojo.errors import UnsendableError
from mojo.sessions.registry import Registry
from mojo.socketio import event
from mojo.socketio.adapter import EVERYONE, Target
from mojo.socketio.json_parser import JsonParser
from mojo.socketio.operator import BroadcastOperator
from tests.socketio.world import OverTransport, World, over_both, remembering

X = '2/ChatSocket,["x"]'


class Operator(OverTransport):
    """Four clients: 1 and 2 are in "room", 2 and 3 in "other", 4 in none."""

    def setUp(self) -> None:
        self.handler_class = remembering()
        self.chat = self.world(self.handler_class)
        self.clients = [self.connect(self.chat) for _ in range(4)]
        self.first, self.second, self.third, self.fourth = self.handler_class.handlers
        self.first.join("room")
        self.second.join("room", "other")
        self.third.join("other")

    def heard(self, expected=X) -> list[int]:
        """Tell which of the clients were sent one event, once; the others heard nothing."""
        numbers = []
        for number, client in enumerate(self.clients, 1):
            packets = client.received()
            if packets:
                self.assertEqual(packets, [expected])
                numbers.append(number)
        return numbers

    def test_whom_a_handler_means(self) -> None:
        """Words that name others leave the client itself out, as they do in Node."""
        me = self.first
        for operator, expected in (
            (me, [1]),
            (me.volatile, [1]),
            (me.compress(False), [1]),
            (me.timeout(5), [1]),
            (me.broadcast, [2, 3, 4]),
            (me.local, [2, 3, 4]),
            (me.to("room"), [2]),
            (me.in_("room"), [2]),
            (me.to("room", "other"), [2, 3]),
            (me.to("room").to("other"), [2, 3]),
            (me.to("room").in_("other"), [2, 3]),
            (me.except_("room"), [3, 4]),
            (me.to("other").except_("room"), [3]),
            (me.except_("room").to("other"), [3]),
            (me.except_("room").except_("other"), [4]),
            (me.except_("room", "other"), [4]),
            (me.to(self.fourth.id), [4]),
            (me.to(me.id), []),
            (me.to("nobody's room"), []),
            (me.volatile.to("room"), [2]),
            (me.timeout(1).compress(False).volatile.broadcast, [2, 3, 4]),
            (me.broadcast.volatile.local.compress(True), [2, 3, 4]),
        ):
            operator.emit("x")
            self.assertEqual(self.heard(), expected, operator)

    def test_whom_a_namespace_means(self) -> None:
        """Everyone there, whoever says it."""
        everyone = self.first.namespace
        for operator, expected in (
            (everyone, [1, 2, 3, 4]),
            (everyone.local, [1, 2, 3, 4]),
            (everyone.to("room"), [1, 2]),
            (everyone.in_("room", "other"), [1, 2, 3]),
            (everyone.except_("room"), [3, 4]),
            (everyone.except_(self.first.id), [2, 3, 4]),
            (everyone.to("room", "other").except_(self.second.id), [1, 3]),
            (everyone.volatile.compress(False).timeout(1), [1, 2, 3, 4]),
        ):
            operator.emit("x")
            self.assertEqual(self.heard(), expected)

    def test_send(self) -> None:
        """``send`` is the event "message", wherever the sentence began."""
        self.first.send("hi", 1)
        self.assertEqual(self.heard('2/ChatSocket,["message","hi",1]'), [1])
        self.first.to("room").send("hi")
        self.assertEqual(self.heard('2/ChatSocket,["message","hi"]'), [2])

    def test_words_do_not_change_what_they_are_said_to(self) -> None:
        """An operator may be kept: each word gives a new one."""
        rooms = self.first.namespace.to("room")
        me = self.first.timeout(5)
        for word in (
            lambda o: o.to("other"),
            lambda o: o.in_("other"),
            lambda o: o.except_("room"),
            lambda o: o.local,
            lambda o: o.volatile,
            lambda o: o.compress(False),
            lambda o: o.timeout(1),
        ):
            self.assertIsNot(word(rooms), rooms)
            self.assertIsNot(word(me), me)
        self.assertEqual(rooms._target, Target(rooms=frozenset(("room",))))
        self.assertEqual((rooms._flags.volatile, rooms._flags.timeout), (False, None))
        self.assertEqual((me._flags.volatile, me._flags.timeout), (False, 5))
        rooms.emit("x")
        self.assertEqual(self.heard(), [1, 2])
        me.emit("x")
        self.assertEqual(self.heard(), [1])

    def test_rooms_that_are_none(self) -> None:
        """A slip is an error where it was made, not a message to everyone."""
        everyone = self.first.namespace
        for slip in (
            lambda: everyone.to(7),
            lambda: everyone.to(["room"]),
            lambda: everyone.except_(None),
            lambda: everyone.sockets_join(7),
            lambda: everyone.sockets_leave(None),
            lambda: self.first.to(7),
        ):
            self.assertRaises(TypeError, slip)
        friends: list[str] = []
        for operator in (everyone, everyone.to("room"), self.first):
            with self.assertRaises(TypeError) as caught:
                operator.to(*friends)
            self.assertIn("one room at least", str(caught.exception))
            self.assertRaises(TypeError, operator.in_)

    def test_unsendable(self) -> None:
        """Whoever sends it learns of it, and nothing waits for an answer."""
        everyone = self.first.namespace.timeout(5)
        for send in (
            lambda: everyone.emit("x", object()),
            lambda: everyone.emit("connect"),
            lambda: everyone.emit("x", object(), ack=self.fail),
            lambda: everyone.call("x", object()),
            lambda: self.first.timeout(5).emit("x", object(), ack=self.fail),
            lambda: self.first.timeout(5).call("x", object()),
        ):
            timers = len(self.chat.clock.getDelayedCalls())
            self.assertRaises(UnsendableError, send)
            self.assertEqual(len(self.chat.clock.getDelayedCalls()), timers)
        self.assertEqual(self.heard(), [])

    # -- who they are, and what can be done with them ------------------------------

    def test_fetch_sockets(self) -> None:
        """What is known of each: a picture of now, without what may be secret."""
        client = self.connect(
            self.chat,
            auth={"token": "t"},
            query="&a=1",
            headers={"Cookie": "session_id=s1; logged_in=u1"},
        )
        handler = self.handler_class.handlers[-1]
        handler.data["muted"] = True
        handler.join("vip")
        (socket,) = self.successResultOf(self.first.namespace.to("vip").fetch_sockets())
        self.assertEqual(socket.id, "cid5")
        self.assertEqual((socket.session_id, socket.user_id), ("s1", "u1"))
        self.assertEqual(socket.rooms, {"cid5", "vip"})
        self.assertEqual(socket.data, {"muted": True})
        self.assertEqual(set(socket.handshake), {"address", "issued", "path", "query", "secure"})
        self.assertEqual(socket.handshake["query"]["a"], "1")
        handler.data["muted"] = False
        handler.leave("vip")
        self.assertEqual((socket.data, socket.rooms), ({"muted": True}, {"cid5", "vip"}))
        for text in (repr(socket), repr(socket.facts), repr(socket.to("vip"))):
            for secret in ("s1", "token", "cid5"):
                self.assertNotIn(secret, text)
        # It is an operator of its own, and means this one connection.
        socket.emit("x")
        self.assertEqual(client.received(), [X])
        socket.except_("vip").emit("x")
        self.assertEqual(client.received(), [X])
        socket.to("nowhere").emit("x")
        self.assertEqual(client.received(), [])
        socket.join("a", "b")
        self.assertEqual(handler.rooms, {"cid5", "a", "b"})
        socket.leave("a")
        self.assertEqual(handler.rooms, {"cid5", "b"})
        answer = socket.call("x")
        self.assertEqual(client.received(), ['2/ChatSocket,0["x"]'])
        client.send("3/ChatSocket,0[5]")
        self.assertEqual(self.successResultOf(answer), ([5], []))
        socket.disconnect()
        self.assertEqual(client.received(), ["1/ChatSocket,"])
        self.assertFalse(client.closed)
        self.assertEqual(self.heard(), [])

    def test_fetch_sockets_chooses(self) -> None:
        """The words choose here too; who was not let in yet is not there yet."""

        def ids(operator) -> list[str]:
            return [socket.id for socket in self.successResultOf(operator.fetch_sockets())]

        self.handler_class.on_open = lambda handler, request: Deferred()
        waiting = self.chat.client(self.transport)
        waiting.send("0/ChatSocket,")
        self.assertEqual(ids(self.first.namespace), ["cid1", "cid2", "cid3", "cid4"])
        self.assertEqual(ids(self.first.to("room")), ["cid2"])
        self.assertEqual(ids(self.first.broadcast.except_("other")), ["cid4"])
        self.assertEqual(ids(self.first.namespace.to("nobody's room")), [])

    def test_sockets_join_and_leave(self) -> None:
        self.first.namespace.to("room").sockets_join("both", "new")
        self.first.namespace.to("other").sockets_join("both")
        self.assertEqual(self.first.rooms, {"cid1", "room", "both", "new"})
        self.assertEqual(self.second.rooms, {"cid2", "room", "other", "both", "new"})
        self.assertEqual(self.third.rooms, {"cid3", "other", "both"})
        self.first.namespace.except_("other").sockets_leave("both", "new", "nobody's room")
        self.assertEqual(self.first.rooms, {"cid1", "room"})
        self.first.to("both").emit("x")
        self.assertEqual(self.heard(), [2, 3])

    def test_leaving_the_room_that_is_chosen(self) -> None:
        """The choice is made once, whatever becomes of it on the way."""
        self.first.namespace.to("room").sockets_leave("room")
        self.assertEqual((self.first.rooms, self.second.rooms), ({"cid1"}, {"cid2", "other"}))
        self.first.namespace.except_("new").sockets_join("new")
        self.first.namespace.to("new").emit("x")
        self.assertEqual(self.heard(), [1, 2, 3, 4])

    def test_disconnect_sockets(self) -> None:
        """The clients are told, and their connections to other apps stay."""
        self.first.namespace.to("room").disconnect_sockets()
        self.assertEqual(self.heard("1/ChatSocket,"), [1, 2])
        self.assertEqual(self.handler_class.seen, [("on_close", "server namespace disconnect")] * 2)
        self.assertFalse(any(client.closed for client in self.clients))

    def test_disconnect_sockets_and_close(self) -> None:
        """The clients are told first: else they would come back by themselves."""
        self.first.broadcast.except_("other").disconnect_sockets(close=True)
        self.assertEqual(self.clients[3].received(), ["1/ChatSocket,"])
        self.assertEqual([client.closed for client in self.clients], [False, False, False, True])
        self.assertEqual(self.handler_class.seen, [("on_close", "server namespace disconnect")])

    def test_disconnect(self) -> None:
        """A handler may end its own, and with ``close`` its client's others; once."""
        self.first.disconnect()
        self.assertEqual(self.clients[0].received(), ["1/ChatSocket,"])
        self.assertFalse(self.clients[0].closed)
        self.first.disconnect(close=True)
        self.assertFalse(self.clients[0].closed)
        self.second.disconnect(close=True)
        self.assertTrue(self.clients[1].closed)

    def test_disconnect_who_is_not_in_yet(self) -> None:
        """Whoever waits to be let in is refused."""
        self.handler_class.on_open = lambda handler, request: Deferred()
        waiting = self.chat.client(self.transport)
        waiting.send("0/ChatSocket,")
        self.first.namespace.except_("room", "other").disconnect_sockets()
        self.assertEqual(waiting.received(), ['4/ChatSocket,{"message":"Connection refused"}'])
        self.assertEqual(self.heard("1/ChatSocket,"), [4])

    def test_from_within_an_event(self) -> None:
        """Broadcast, answer and end in one turn reach the clients in that order."""

        class Handler(remembering()):
            @event
            def ban(self):
                self.namespace.emit("banned")
                self.disconnect()
                return "gone"

        world = self.world(Handler)
        client = self.connect(world)
        other = self.connect(world)
        client.send('2/ChatSocket,1["ban"]')
        self.assertEqual(client.received(), ['2/ChatSocket,["banned"]', "1/ChatSocket,"])
        self.assertEqual(other.received(), ['2/ChatSocket,["banned"]'])


WebSocketOperatorTests, PollingOperatorTests = over_both(Operator)


class ElsewhereTests(SynchronousTestCase):
    """Sentences that begin at the service, a visitor, or a login, over two apps."""

    def setUp(self) -> None:
        self.chat = remembering()
        self.game = remembering()
        self.world = World({"/ChatSocket": self.chat, "/GameSocket": self.game})
        self.registry = self.world.server.observer = Registry(self.world.server)
        self.everyone = BroadcastOperator(self.world.server)
        cookie = "session_id=s1; logged_in=ada"
        self.tab = self.world.connect("/ChatSocket", headers={"Cookie": cookie})
        self.tab.connect("/GameSocket")
        self.phone = self.world.connect(
            "/ChatSocket", transport="polling", headers={"Cookie": "session_id=s2; logged_in=ada"}
        )
        self.other = self.world.connect("/ChatSocket", headers={"Cookie": "session_id=s3"})
        self.chat.handlers[0].join("lobby")
        self.chat.handlers[2].join("lobby")
        self.game.handlers[0].join("lobby", "arena")

    def heard(self) -> list[str]:
        """Tell what was heard in each app by each client."""
        names = []
        for who in ("tab", "phone", "other"):
            for packet in getattr(self, who).received():
                self.assertRegex(packet, r'^2/(Chat|Game)Socket,\["x"\]$')
                names.append(f"{who} {packet[2:6]}")
        return names

    def test_whom(self) -> None:
        ada, visitor = self.registry.user("ada"), self.registry.session("s1")
        for operator, expected in (
            (self.everyone, ["tab Chat", "tab Game", "phone Chat", "other Chat"]),
            (self.everyone.to("lobby"), ["tab Chat", "tab Game", "other Chat"]),
            (self.everyone.to("lobby").except_("arena"), ["tab Chat", "other Chat"]),
            (self.everyone.except_("lobby"), ["phone Chat"]),
            (ada, ["tab Chat", "tab Game", "phone Chat"]),
            (ada.local, ["tab Chat", "tab Game", "phone Chat"]),
            (ada.to("lobby"), ["tab Chat", "tab Game"]),
            (ada.to("lobby").except_("arena"), ["tab Chat"]),
            (ada.to("arena").to("lobby"), ["tab Chat", "tab Game"]),
            (ada.except_("lobby"), ["phone Chat"]),
            (visitor, ["tab Chat", "tab Game"]),
            (visitor.to("arena"), ["tab Game"]),
            (visitor.except_("arena").volatile.compress(False), ["tab Chat"]),
            (self.registry.session("nobody"), []),
            (self.registry.user("nobody").to("lobby"), []),
        ):
            operator.emit("x")
            self.assertEqual(self.heard(), expected)

    def test_what(self) -> None:
        """All that can be done with some can be done with these."""
        ada = self.registry.user("ada")
        sockets = self.successResultOf(ada.fetch_sockets())
        self.assertEqual([s.id for s in sockets], ["cid1", "cid3", "cid2"])
        ada.sockets_join("new")
        self.everyone.to("new").emit("x")
        self.assertEqual(self.heard(), ["tab Chat", "tab Game", "phone Chat"])
        self.registry.session("s1").sockets_leave("new")
        self.everyone.to("new").emit("x")
        self.assertEqual(self.heard(), ["phone Chat"])
        ada.to("arena").disconnect_sockets()
        self.assertEqual(self.tab.received(), ["1/GameSocket,"])
        ada.disconnect_sockets(close=True)
        self.assertEqual(
            [self.tab.closed, self.phone.closed, self.other.closed], [True, True, False]
        )

    def test_a_socket_is_found_where_it_is(self) -> None:
        """What is done with one that was fetched asks its namespace, and no other."""
        (socket,) = self.successResultOf(self.everyone.to("arena").fetch_sockets())
        asked = []
        for name, namespace in self.world.server.namespaces.items():
            original = namespace.adapter.broadcast
            namespace.adapter.broadcast = lambda *a, n=name, o=original: (asked.append(n), o(*a))
        socket.emit("x")
        self.assertEqual((asked, self.heard()), (["/GameSocket"], ["tab Game"]))

    def test_close_of_one_tells_every_app(self) -> None:
        """Each of the client's connections ends with a word, then the session."""
        self.chat.handlers[0].disconnect(close=True)
        self.assertEqual(self.tab.received(), ["1/ChatSocket,", "1/GameSocket,"])
        self.assertTrue(self.tab.closed)
        for handler_class in (self.chat, self.game):
            self.assertEqual(handler_class.seen, [("on_close", "server namespace disconnect")])

    def test_no_secret_in_a_repr(self) -> None:
        """The rooms of visitors have their ids for names."""
        self.assertNotIn("s1", repr(self.registry.session("s1").to("lobby")))
        self.assertEqual(repr(self.everyone.to("a")), "<BroadcastOperator>")


class CountingParser(JsonParser):
    """The parser, which counts what it encodes."""

    def __init__(self) -> None:
        super().__init__()
        self.made = 0

    def message(self, *args, **kwargs):
        self.made += 1
        return super().message(*args, **kwargs)


class OneEncodingTests(SynchronousTestCase):
    """However many receive it, in however many namespaces, the arguments are encoded once."""

    def setUp(self) -> None:
        self.parser = CountingParser()
        self.chat = remembering()
        self.world = World(
            {"/ChatSocket": self.chat, "/GameSocket": remembering()}, parser=self.parser
        )
        for transport in ("websocket", "polling"):
            for _ in range(3):
                self.world.connect("/ChatSocket", transport=transport)
                self.world.connect("/", transport=transport, path="/ChatSocket/")
                self.world.connect("/GameSocket", transport=transport)
        self.packets: list = []
        for namespace in self.world.server.namespaces.values():
            for connection in namespace.connections.values():
                session = connection.client.session
                self.patch(type(session), "send_packets", self._keep(type(session).send_packets))
                break
            break
        self.parser.made = 0

    def _keep(self, original):
        packets = self.packets

        def send_packets(session, sent):
            sent = tuple(sent)
            packets.extend(sent)
            original(session, sent)

        return send_packets

    def check(self) -> None:
        """One encoding; 18 receive it under three names, each made once."""
        self.assertEqual(self.parser.made, 1)
        self.assertEqual(len(self.packets), 18)
        self.assertEqual(len(set(map(id, self.packets))), 3)
        self.world.turn()
        for packet in set(self.packets):
            # Each transport has its own form, which was made once and kept.
            self.assertIsNotNone(packet.frame_form)

    def test_emit(self) -> None:
        BroadcastOperator(self.world.server).emit("x", {"a": [1] * 100})
        self.check()

    def test_call(self) -> None:
        """An acknowledgement's id is the same for all, so that the bytes are."""
        answers = BroadcastOperator(self.world.server).call("x", {"a": [1] * 100})
        self.check()
        self.assertNoResult(answers)

    def test_from_a_handler(self) -> None:
        self.chat.handlers[0].broadcast.emit("x")
        self.assertEqual(self.parser.made, 1)
        self.assertEqual(len(self.packets), 11)
        self.assertEqual(len(set(map(id, self.packets))), 2)


class FlagTests(SynchronousTestCase):
    """How something is sent reaches the transports with each of its packets."""

    def packets(self, send) -> list:
        handler_class = remembering()
        world = World({"/": handler_class})
        world.connect()
        (handler,) = handler_class.handlers
        kept: list = []
        session = handler._connection.client.session
        patch = self.patch(type(session), "send_packets", lambda _, sent: kept.extend(sent))
        send(handler)
        patch.restore()
        return [(packet.volatile, packet.compress) for packet in kept]

    def test_flags(self) -> None:
        for send, expected in (
            (lambda me: me.emit("x"), [(False, True)]),
            (lambda me: me.volatile.emit("x"), [(True, True)]),
            (lambda me: me.compress(False).emit("x"), [(False, False)]),
            (lambda me: me.compress(False).compress(True).emit("x"), [(False, True)]),
            (lambda me: me.volatile.compress(False).send(b"1"), [(True, False)] * 2),
            (lambda me: me.volatile.call("x"), [(True, True)]),
            (lambda me: me.compress(False).emit("x", ack=print), [(False, False)]),
            (lambda me: me.namespace.volatile.emit("x"), [(True, True)]),
            (lambda me: me.namespace.compress(False).call("x"), [(False, False)]),
            (lambda me: me.namespace.volatile.emit("x", ack=print), [(True, True)]),
        ):
            self.assertEqual(self.packets(send), expected)

    def test_flags_go_on_with_the_sentence(self) -> None:
        """``self.volatile.to("room")`` is volatile to the room."""
        handler_class = remembering()
        World({"/": handler_class}).connect()
        (me,) = handler_class.handlers
        operator = me.volatile.compress(False).timeout(3).to("room")
        flags = operator._flags
        self.assertEqual((flags.volatile, flags.compress, flags.timeout), (True, False, 3))
        self.assertEqual(operator._target, Target(frozenset(("room",)), frozenset((me.id,))))
        self.assertTrue(me.local._target.local)
        self.assertEqual(me.namespace._target, EVERYONE)
