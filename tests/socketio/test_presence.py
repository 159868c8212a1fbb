"""Presence lists, as clients see them."""

from __future__ import annotations

import json

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mojo.errors import UnsendableError
from mojo.socketio import MojoSocketHandler, event
from mojo.socketio.msgpack_parser import MsgpackParser
from mojo.socketio.presence_lists import copy_of
from tests.socketio.world import World


class Chat(MojoSocketHandler):
    """Lets clients do what handlers can."""

    @event
    def enter(self, room, meta=None, key=None):
        self.presence(room).track(meta, key=key)

    @event
    def change(self, room, meta):
        self.presence(room).update(meta)

    @event("watch")
    def look(self, room):
        self.presence(room).watch()

    @event("leave list")
    def leave_list(self, room):
        self.presence(room).untrack()

    @event("leave room")
    def leave_room(self, room):
        self.leave(room)

    @event("go")
    def end(self):
        self.close()


def metas(*refs, **meta) -> dict:
    return {"metas": [{"ref": ref, **meta} for ref in refs]}


def diff(joins=None, leaves=None) -> dict:
    return {"joins": joins or {}, "leaves": leaves or {}}


class PresenceTestCase(SynchronousTestCase):
    handler: type[MojoSocketHandler] = Chat
    options: dict = {}  # noqa: RUF012

    def setUp(self) -> None:
        self.world = World({"/ChatSocket": self.handler}, **self.options)
        self.board = self.world.server.presence

    def connect(self, user=None, session=None, **options):
        pairs = (("session_id", session), ("logged_in", user))
        cookie = "; ".join(f"{name}={value}" for name, value in pairs if value)
        headers = {"Cookie": cookie} if cookie else {}
        return self.world.connect("/ChatSocket", headers=headers, **options)

    def emit(self, client, *args) -> None:
        client.send("2/ChatSocket," + json.dumps(args))

    def enter(self, user=None, room="lobby", meta=None, **options):
        client = self.connect(user, **options)
        self.emit(client, "enter", room, meta)
        self.world.turn()
        return client

    def heard(self, client) -> list:
        """The events that a client has got: name and arguments."""
        self.world.turn()
        events = [p for p in client.received() if p.startswith("2/ChatSocket,")]
        return [json.loads(packet.removeprefix("2/ChatSocket,")) for packet in events]

    def no_timer(self) -> None:
        self.assertEqual((self.board._call, self.board._absences._waits._call), (None, None))

    def listing(self, room="lobby") -> dict:
        operator = self.world.server.namespaces["/ChatSocket"].operator
        return operator.presence(room).list()


class ListTests(PresenceTestCase):
    def test_newcomer(self) -> None:
        """Who comes gets the whole list, with itself in it; those who are there what is new."""
        ada = self.enter("ada", meta={"away": False})
        self.assertEqual(
            self.heard(ada), [["presence_state", "lobby", {"ada": metas("1", away=False)}]]
        )
        bob = self.enter("bob")
        self.assertEqual(
            self.heard(bob),
            [["presence_state", "lobby", {"ada": metas("1", away=False), "bob": metas("2")}]],
        )
        self.assertEqual(
            self.heard(ada), [["presence_diff", "lobby", diff(joins={"bob": metas("2")})]]
        )

    def test_other_lists(self) -> None:
        """Nobody hears of a list that it is not in, whatever rooms it is in."""
        eve = self.enter("eve", "attic")
        elsewhere = self.connect("bob")
        self.heard(eve)
        self.enter("ada")
        self.assertEqual((self.heard(eve), self.heard(elsewhere)), ([], []))

    def test_list_of_the_app(self) -> None:
        ada = self.enter("ada", "")
        self.assertEqual(self.heard(ada), [["presence_state", "", {"ada": metas("1")}]])
        self.assertEqual(self.listing(""), {"ada": metas("1")})
        (connection,) = self.world.server.namespaces["/ChatSocket"].connections.values()
        self.assertEqual(connection.handler.rooms, {connection.id})

    def test_leaving(self) -> None:
        """Who says that it leaves is out of the list at once, and hears no more of it."""
        for how in (("leave list", "lobby"), ("leave room", "lobby"), ("go",)):
            ada, bob = self.enter("ada"), self.enter("bob")
            self.heard(ada)
            self.heard(bob)
            ref = self.listing()["bob"]["metas"][0]["ref"]
            self.emit(bob, *how)
            self.assertEqual(
                self.heard(ada), [["presence_diff", "lobby", diff(leaves={"bob": metas(ref)})]]
            )
            self.assertEqual(self.heard(bob), [])
            self.assertEqual(len(self.board._listings), 1)
            ada.send("1/ChatSocket,")
            self.assertEqual(self.listing(), {})

    def test_update(self) -> None:
        ada, bob = self.enter("ada", meta={"a": 1}), self.enter("bob")
        self.heard(ada)
        self.heard(bob)
        self.emit(ada, "change", "lobby", {"a": 2})
        told = diff(joins={"ada": metas("1", a=2)}, leaves={"ada": metas("1", a=1)})
        for client in (ada, bob):
            self.assertEqual(self.heard(client), [["presence_diff", "lobby", told]])

    def test_update_of_one_who_is_not_there(self) -> None:
        """It is an error of the app's: what is said so would be lost without a word."""
        ada = self.connect("ada")
        self.emit(ada, "watch", "lobby")
        self.emit(ada, "change", "lobby", {"a": 1})
        self.emit(ada, "change", "attic", {"a": 1})
        self.assertEqual(len(self.flushLoggedErrors(LookupError)), 2)
        self.assertEqual(self.listing(), {})

    def test_two_tabs(self) -> None:
        """One key, and a meta for each."""
        self.enter("ada", meta={"tab": 1})
        self.enter("ada", meta={"tab": 2})
        self.assertEqual(
            self.listing(), {"ada": {"metas": [{"ref": "1", "tab": 1}, {"ref": "2", "tab": 2}]}}
        )

    def test_tracking_again(self) -> None:
        """It is an update, and a new list is not sent."""
        ada = self.enter("ada")
        self.heard(ada)
        self.emit(ada, "enter", "lobby", {"a": 1})
        told = diff(joins={"ada": metas("1", a=1)}, leaves={"ada": metas("1")})
        self.assertEqual(self.heard(ada), [["presence_diff", "lobby", told]])

    def test_tracking_as_somebody_else(self) -> None:
        """Another key is another entry."""
        ada = self.enter("ada")
        self.heard(ada)
        self.emit(ada, "enter", "lobby", None, "Countess")
        told = diff(joins={"Countess": metas("2")}, leaves={"ada": metas("1")})
        self.assertEqual(self.heard(ada), [["presence_diff", "lobby", told]])

    def test_watching(self) -> None:
        """Who only watches gets what the others get, and is in nobody's list."""
        ada, eve = self.enter("ada"), self.connect("eve")
        self.heard(ada)
        self.emit(eve, "watch", "lobby")
        self.assertEqual(self.heard(eve), [["presence_state", "lobby", {"ada": metas("1")}]])
        self.assertEqual(self.heard(ada), [])
        self.enter("bob")
        self.assertEqual(
            self.heard(eve), [["presence_diff", "lobby", diff(joins={"bob": metas("2")})]]
        )
        self.emit(eve, "enter", "lobby")
        joined = [["presence_diff", "lobby", diff(joins={"eve": metas("3")})]]
        self.assertEqual(self.heard(eve), joined)

    def test_room(self) -> None:
        """Who is in the list is in the room."""
        ada = self.enter("ada")
        self.heard(ada)
        self.world.server.namespaces["/ChatSocket"].operator.to("lobby").emit("x")
        self.assertEqual(self.heard(ada), [["x"]])

    def test_taken_out_of_the_room(self) -> None:
        """By whomever: the list follows."""
        self.enter("ada")
        self.world.server.namespaces["/ChatSocket"].operator.in_("lobby").sockets_leave("lobby")
        self.assertEqual(self.listing(), {})

    def test_keys(self) -> None:
        """The login, or one for each guest that does not show the session; or the app's own."""
        self.enter("ada")
        self.enter(session="s1")
        self.enter(session="s1")
        self.enter(session="s2")
        self.enter()
        ada, first, second, third = self.listing()
        self.assertEqual(ada, "ada")
        self.assertEqual(len(self.listing()[first]["metas"]), 2)
        for key in (first, second, third):
            self.assertRegex(key, r"^guest:[0-9a-f]{20}$")
        self.emit(self.connect("ada"), "enter", "attic", None, "somebody")
        self.assertEqual(list(self.listing("attic")), ["somebody"])

    def test_looking(self) -> None:
        """The list is a container of its keys, for handlers, pages and everybody."""
        self.enter("ada", meta={"a": 1})
        self.enter("bob")
        presence = self.world.server.namespaces["/ChatSocket"].operator.presence("lobby")
        self.assertEqual(
            ("ada" in presence, "eve" in presence, [] in presence), (True, False, False)
        )
        self.assertEqual(
            (len(presence), list(presence), presence.name), (2, ["ada", "bob"], "lobby")
        )
        self.assertEqual(presence.get("ada"), [{"ref": "1", "a": 1}])
        self.assertEqual(presence.get("eve"), [])
        presence.list()["ada"]["metas"][0]["a"] = 2
        self.assertEqual(presence.get("ada"), [{"ref": "1", "a": 1}])
        self.assertEqual(repr(presence), "<PresenceList 'lobby' in /ChatSocket>")

    def test_nothing_is_left(self) -> None:
        client = self.enter("ada")
        self.emit(client, "watch", "attic")
        client.send("1/ChatSocket,")
        self.world.turn()
        self.assertEqual(
            (
                self.board._listings,
                self.board._watchers,
                self.board._newcomers,
                len(self.board.roster),
            ),
            ({}, {}, {}, 0),
        )
        self.no_timer()


class TurnTests(PresenceTestCase):
    """What happens in one turn is one message, and right."""

    def test_many_come(self) -> None:
        """Each of them gets the one list with all, and no change besides."""
        witness = self.enter("eve")
        self.heard(witness)
        clients = [self.connect(name) for name in ("ada", "bob")]
        for client in clients:
            self.emit(client, "enter", "lobby")
        everybody = {"eve": metas("1"), "ada": metas("2"), "bob": metas("3")}
        for client in clients:
            self.assertEqual(self.heard(client), [["presence_state", "lobby", everybody]])
        joins = {"ada": metas("2"), "bob": metas("3")}
        self.assertEqual(self.heard(witness), [["presence_diff", "lobby", diff(joins=joins)]])

    def test_come_and_gone(self) -> None:
        """Nobody hears of who has come and gone."""
        witness, ada = self.enter("eve"), self.connect("ada")
        self.heard(witness)
        self.emit(ada, "enter", "lobby")
        self.emit(ada, "leave list", "lobby")
        self.assertEqual((self.heard(witness), self.heard(ada)), ([], []))

    def test_gone_and_come(self) -> None:
        """Who has left and entered again gets the list again; the others hear of a new entry."""
        witness, ada = self.enter("eve"), self.enter("ada")
        self.heard(witness)
        self.heard(ada)
        self.emit(ada, "leave list", "lobby")
        self.emit(ada, "enter", "lobby")
        told = diff(joins={"ada": metas("3")}, leaves={"ada": metas("2")})
        self.assertEqual(self.heard(witness), [["presence_diff", "lobby", told]])
        state = {"eve": metas("1"), "ada": metas("3")}
        self.assertEqual(self.heard(ada), [["presence_state", "lobby", state]])

    def test_come_and_gone_while_others_come(self) -> None:
        witness, ada, bob = self.enter("eve"), self.connect("ada"), self.connect("bob")
        self.heard(witness)
        self.emit(ada, "enter", "lobby")
        self.emit(ada, "leave list", "lobby")
        self.emit(bob, "enter", "lobby")
        told = [["presence_diff", "lobby", diff(joins={"bob": metas("3")})]]
        self.assertEqual(self.heard(witness), told)

    def test_two_tabs_leave(self) -> None:
        """In the same moment: one message, and nobody is left behind."""
        witness = self.enter("eve")
        tabs = [self.enter("ada"), self.enter("ada")]
        self.heard(witness)
        for tab in tabs:
            tab.send("1/ChatSocket,")
        told = diff(leaves={"ada": metas("2", "3")})
        self.assertEqual(self.heard(witness), [["presence_diff", "lobby", told]])
        self.assertEqual(list(self.listing()), ["eve"])

    def test_encoded_once(self) -> None:
        """However many get it."""
        clients = [self.enter(f"user{number}") for number in range(5)]
        made = []
        parser_event = self.board.parser.event

        def counted(name, args, *more, **options):
            made.append(name)
            return parser_event(name, args, *more, **options)

        newcomers = [self.connect("ada"), self.connect("bob")]
        for client in newcomers:
            self.emit(client, "enter", "lobby")
        self.patch(self.board.parser, "event", counted)
        self.world.turn()
        self.assertEqual(made, ["presence_state", "presence_diff"])
        self.emit(newcomers[0], "enter", "attic")  # where nobody is who could hear of it
        made.clear()
        self.world.turn()
        self.assertEqual(made, ["presence_state"])
        self.assertEqual([len(self.heard(client)) for client in clients[1:]], [5, 4, 3, 2])


class GraceTests(PresenceTestCase):
    """Ten seconds in which nobody is gone whose connection broke."""

    def test_reload(self) -> None:
        """Who comes back in time was never away: nobody hears of it, but the tab gets the list."""
        witness, tab = self.enter("eve"), self.enter("ada", meta={"a": 1})
        self.heard(witness)
        tab.vanish()
        self.world.clock.advance(9.9)
        self.assertEqual(list(self.listing()), ["eve", "ada"])
        tab = self.enter("ada", meta={"a": 1})
        state = {"eve": metas("1"), "ada": metas("2", a=1)}
        self.assertEqual(self.heard(tab), [["presence_state", "lobby", state]])
        self.world.clock.advance(60)
        self.assertEqual(self.heard(witness), [])

    def test_other_meta(self) -> None:
        """Who comes back with another meta has changed it."""
        witness, tab = self.enter("eve"), self.enter("ada", meta={"a": 1})
        self.heard(witness)
        tab.vanish()
        self.enter("ada", meta={"a": 2})
        told = diff(joins={"ada": metas("2", a=2)}, leaves={"ada": metas("2", a=1)})
        self.assertEqual(self.heard(witness), [["presence_diff", "lobby", told]])

    def test_gone(self) -> None:
        """To the second."""
        witness, tab = self.enter("eve"), self.enter("ada")
        self.heard(witness)
        tab.vanish()
        self.world.clock.advance(9.999)
        self.assertEqual(self.heard(witness), [])
        self.world.clock.advance(0.001)
        told = [["presence_diff", "lobby", diff(leaves={"ada": metas("2")})]]
        self.assertEqual(self.heard(witness), told)
        self.assertEqual(list(self.listing()), ["eve"])

    def test_two_tabs_vanish(self) -> None:
        """In the same moment: one message, ten seconds later."""
        witness = self.enter("eve")
        tabs = [self.enter("ada"), self.enter("ada", transport="polling")]
        self.heard(witness)
        for tab in tabs:
            tab.vanish()
        self.world.clock.advance(10)
        told = [["presence_diff", "lobby", diff(leaves={"ada": metas("2", "3")})]]
        self.assertEqual(self.heard(witness), told)

    def test_one_of_two_comes_back(self) -> None:
        """The other one is gone when its time is up."""
        witness = self.enter("eve")
        tabs = [self.enter("ada"), self.enter("ada")]
        self.heard(witness)
        for tab in tabs:
            tab.vanish()
        self.enter("ada")
        self.world.clock.advance(10)
        told = [["presence_diff", "lobby", diff(leaves={"ada": metas("3")})]]
        self.assertEqual(self.heard(witness), told)

    def test_other_list(self) -> None:
        """Who comes back to another list is gone from this one."""
        witness, tab = self.enter("eve"), self.enter("ada")
        self.heard(witness)
        tab.vanish()
        self.enter("ada", "attic")
        self.world.clock.advance(10)
        told = [["presence_diff", "lobby", diff(leaves={"ada": metas("2")})]]
        self.assertEqual(self.heard(witness), told)

    def test_last_one(self) -> None:
        """A list of which everybody vanished is empty ten seconds later, and costs nothing."""
        self.enter("ada").vanish()
        self.world.clock.advance(10)
        self.world.turn()
        self.assertEqual((self.listing(), len(self.board.roster)), ({}, 0))
        self.assertEqual(self.board._absences._of, {})
        self.no_timer()

    def test_stop(self) -> None:
        """Nobody is waited for by a server that stops, and no timer is left."""
        self.enter("ada").vanish()
        self.enter("bob")
        self.board.stop()
        self.assertEqual(list(self.listing()), ["bob"])
        self.no_timer()


class OpeningTests(PresenceTestCase):
    """``on_open`` may track: it counts when the client is let in."""

    def serve(self, on_open, **options) -> None:
        handler = type("Opening", (Chat,), {"on_open": on_open})
        self.world = World({"/ChatSocket": handler}, **options)
        self.board = self.world.server.presence

    def test_on_open(self) -> None:
        """The client learns who is there after it learned that it is connected."""
        self.serve(lambda handler, request: handler.presence("lobby").track({"a": 1}))
        client = self.world.client(headers={"Cookie": "logged_in=ada"})
        client.send("0/ChatSocket,")
        self.world.turn()
        connected, state = client.received()
        self.assertTrue(connected.startswith('0/ChatSocket,{"sid"'))
        self.assertEqual(
            state,
            '2/ChatSocket,["presence_state","lobby",{"ada":{"metas":[{"ref":"1","a":1}]}}]',
        )

    def test_while_deciding(self) -> None:
        """Who has not been let in is in no list yet."""
        decide: Deferred = Deferred()

        def on_open(handler, request):
            handler.presence("lobby").track()
            return decide

        self.serve(on_open)
        client = self.world.client(headers={"Cookie": "logged_in=ada"})
        client.send("0/ChatSocket,")
        self.world.turn()
        self.assertEqual(self.listing(), {})
        decide.callback(None)
        self.assertEqual(self.listing(), {"ada": metas("1")})

    def test_refused(self) -> None:
        """Who is refused was never there, and nothing is left of it."""
        for answer in (False, ValueError):

            def on_open(handler, request, answer=answer):
                handler.presence("lobby").track()
                if answer is not False:
                    raise answer
                return answer

            self.serve(on_open)
            client = self.world.client()
            client.send("0/ChatSocket,")
            self.world.turn()
            self.assertEqual((self.listing(), self.board._listings), ({}, {}))
            self.assertEqual(self.board._watchers, {})
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_leaving_while_deciding(self) -> None:
        decide: Deferred = Deferred()

        def on_open(handler, request):
            handler.presence("lobby").track()
            return decide

        self.serve(on_open)
        client = self.world.client()
        client.send("0/ChatSocket,")
        client.vanish()
        decide.callback(None)
        self.world.turn()
        self.assertEqual((self.listing(), self.board._listings), ({}, {}))

    def test_after_the_end(self) -> None:
        """What a handler says of a connection that is gone is dropped."""

        class Late(Chat):
            def on_close(self, reason):
                self.presence("lobby").untrack()
                self.presence("lobby").track()
                self.presence("lobby").update({"a": 1})
                self.presence("lobby").watch()

        self.world = World({"/ChatSocket": Late})
        self.enter("ada").send("1/ChatSocket,")
        self.world.turn()
        self.assertEqual((self.listing(), self.world.server.presence._listings), ({}, {}))


class MetaTests(PresenceTestCase):
    def refuse(self, meta, room="lobby", **options) -> UnsendableError:
        self.connect("ada")
        (handler,) = (
            c.handler for c in self.world.server.namespaces["/ChatSocket"].connections.values()
        )
        return self.assertRaises(UnsendableError, handler.presence(room).track, meta, **options)

    def test_what_is_no_json(self) -> None:
        """The app is told in its own line, and the list stays as it was."""
        deep: list = []
        for _ in range(100_000):
            deep = [deep]
        for meta in ({"a": object()}, {"a": float("nan")}, {"a": deep}, "text", 5, {"ref": "1"}):
            self.setUp()
            self.refuse(meta)
            self.assertEqual(self.listing(), {})

    def test_what_cannot_be_sent(self) -> None:
        """What the server's format has not is refused before it is everybody's."""
        self.assertRaises(UnsendableError, copy_of, {"a": 2**70}, MsgpackParser())

    def test_names(self) -> None:
        self.connect("ada")
        (connection,) = self.world.server.namespaces["/ChatSocket"].connections.values()
        handler = connection.handler
        self.assertRaises(TypeError, handler.presence, 5)
        self.assertRaises(TypeError, handler.presence("lobby").track, {}, key=5)

    def test_copied(self) -> None:
        """What an app does with its dict afterwards is its own affair."""
        self.connect("ada")
        (connection,) = self.world.server.namespaces["/ChatSocket"].connections.values()
        meta = {"a": [1]}
        connection.handler.presence("lobby").track(meta)
        meta["a"].append(2)
        self.assertEqual(self.listing(), {"ada": metas("1", a=[1])})
