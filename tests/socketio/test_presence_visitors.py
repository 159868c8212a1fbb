"""Presence lists while visitors log in and out, come back, are many, and handlers misbehave."""

from __future__ import annotations

import json

from twisted.internet.defer import Deferred

from mojo.socketio.roster import Entry
from tests.socketio.test_presence import Chat, PresenceTestCase, diff, metas

SOFA = ("/ChatSocket", "lobby")


def event(*content) -> str:
    return "2/ChatSocket," + json.dumps(content, separators=(",", ":"))


class LogoutTests(PresenceTestCase):
    def log_out(self, session="s1", user="ada") -> None:
        self.world.server.log_out(session, user, "logout")

    def test_logout(self) -> None:
        """Who logs out is out of the list at once, and goes on hearing of the room."""
        witness = self.enter("eve")
        tabs = [self.enter("ada", session="s1"), self.enter("ada", session="s1")]
        other = self.enter("ada", session="s2")
        for client in (witness, *tabs, other):
            self.heard(client)
        self.log_out()
        told = [["presence_diff", "lobby", diff(leaves={"ada": metas("2", "3")})]]
        for client in (witness, *tabs, other):
            self.assertEqual(self.heard(client), told)
        self.assertEqual(self.listing(), {"eve": metas("1"), "ada": metas("4")})

    def test_key_of_the_app(self) -> None:
        """What was entered with a login is left with it, whatever the key."""
        ada = self.connect("ada", session="s1")
        self.emit(ada, "enter", "lobby", None, "Countess")
        self.log_out()
        self.assertEqual(self.listing(), {})

    def test_tab_that_was_faster(self) -> None:
        """Nobody waits for a tab of the browser that has logged out; for others, yes."""
        self.enter("ada", session="s1").vanish()
        self.enter("ada", session="s2").vanish()
        self.log_out()
        self.assertEqual(self.listing(), {"ada": metas("2")})

    def test_guest_afterwards(self) -> None:
        """An app may put who has logged out into the list again, as a guest."""

        class Guests(Chat):
            def on_logout(self, reason):
                self.presence("lobby").track({"guest": True})

        self.handler = Guests
        self.setUp()
        ada = self.enter("ada", session="s1")
        self.heard(ada)
        self.log_out()
        ((key, entries),) = self.listing().items()
        self.assertEqual((key[:6], entries), ("guest:", metas("2", guest=True)))
        told = diff(joins={key: metas("2", guest=True)}, leaves={"ada": metas("1")})
        self.assertEqual(self.heard(ada), [["presence_diff", "lobby", told]])

    def test_while_opening(self) -> None:
        """Who is logged out before being let in is in no list."""

        class Slow(Chat):
            def on_open(self, request):
                self.presence("lobby").track()
                return self.decide

        Slow.decide = Deferred()
        self.handler = Slow
        self.setUp()
        client = self.world.client(headers={"Cookie": "session_id=s1; logged_in=ada"})
        client.send("0/ChatSocket,")
        self.log_out()
        Slow.decide.callback(None)
        self.world.turn()
        self.assertEqual(self.listing(), {})


class MovingTests(PresenceTestCase):
    """The session's id changes at login and logout."""

    def move(self, former="s1", session_id="s2", is_theirs=lambda handshake: True) -> None:
        self.world.server.move_visitor(former, session_id, is_theirs)

    def test_nobody_hears_of_it(self) -> None:
        """Not of a user's move, nor of the reload that follows."""
        witness, tab = self.enter("eve"), self.enter("ada", session="s1")
        self.heard(witness)
        self.move()
        tab.vanish()
        self.enter("ada", session="s2")
        self.world.clock.advance(60)
        self.assertEqual(self.heard(witness), [])

    def test_guest_who_logs_in(self) -> None:
        """The guest is gone when the user is there, whichever came first."""
        for vanishes_first in (True, False):
            tab = self.enter(session="s1")
            self.assertEqual(len(self.listing()), 1)
            if vanishes_first:
                tab.vanish()
                self.move()
            else:
                self.move()
                tab.vanish()
            ada = self.enter("ada", session="s2")
            self.assertEqual(list(self.listing()), ["ada"])
            ada.send("1/ChatSocket,")

    def test_guest_whose_tab_stays(self) -> None:
        """It stays who it is while it is connected."""
        self.enter(session="s1")
        before = self.listing()
        self.move()
        self.world.clock.advance(60)
        self.assertEqual(self.listing(), before)

    def test_whoever_is_in_doubt(self) -> None:
        """Who has to come back as somebody else is gone."""
        self.enter(session="s1")
        self.move(is_theirs=lambda handshake: False)
        self.assertEqual(self.listing(), {})

    def test_others(self) -> None:
        """Other guests are waited for as ever, and so is who has a key of the app's."""
        self.enter(session="s3").vanish()
        named = self.connect(session="s1")
        self.emit(named, "enter", "lobby", None, "Bo")
        named.vanish()
        self.move()
        self.assertEqual(len(self.listing()), 2)


class RecoveryTests(PresenceTestCase):
    options = {"recovery": {"max_disconnection": 60}}  # noqa: RUF012

    def come(self, pid=None, user="ada"):
        client = self.world.client(headers={"Cookie": f"logged_in={user}"})
        client.send("0/ChatSocket," + (json.dumps({"pid": pid}) if pid else ""))
        answer, *self.after = client.received()
        return client, json.loads(answer.removeprefix("0/ChatSocket,"))

    def setUp(self) -> None:
        super().setUp()
        self.witness, _ = self.come(user="eve")
        self.emit(self.witness, "enter", "lobby")
        self.ada, self.facts = self.come()
        self.emit(self.ada, "enter", "lobby", {"a": 1})
        self.heard(self.witness)

    def test_in_time(self) -> None:
        """Nobody hears of it, and the list is sent anew to who missed what changed in it."""
        self.ada.vanish()
        self.emit(self.witness, "change", "lobby", {"b": 1})
        self.heard(self.witness)
        self.world.clock.advance(9)
        _, facts = self.come(self.facts["pid"])
        self.assertEqual(facts["sid"], self.facts["sid"])
        state = {"eve": metas("1", b=1), "ada": metas("2", a=1)}
        self.assertEqual(self.after, [event("presence_state", "lobby", state)])
        self.world.clock.advance(20)
        self.assertEqual(self.heard(self.witness), [])

    def test_after_the_grace_time(self) -> None:
        """Gone, and there again without a word of the app's, with what was said of it."""
        self.ada.vanish()
        self.world.clock.advance(10)
        left = [["presence_diff", "lobby", diff(leaves={"ada": metas("2", a=1)})]]
        self.assertEqual(self.heard(self.witness), left)
        client, _ = self.come(self.facts["pid"])
        joined = [["presence_diff", "lobby", diff(joins={"ada": metas("3", a=1)})]]
        self.assertEqual(self.heard(self.witness), joined)
        state = {"eve": metas("1"), "ada": metas("3", a=1)}
        self.assertEqual(self.after, [event("presence_state", "lobby", state)])
        self.emit(client, "change", "lobby", {"a": 2})
        self.assertEqual(self.listing()["ada"], metas("3", a=2))

    def test_takeover(self) -> None:
        """Who is back before it was missed was never away."""
        client, facts = self.come(self.facts["pid"])
        self.assertEqual(facts["sid"], self.facts["sid"])
        self.assertEqual(self.heard(self.witness), [])
        self.assertEqual(self.listing()["ada"], metas("2", a=1))
        client.send("1/ChatSocket,")
        self.assertEqual(list(self.listing()), ["eve"])

    def test_another_tab_was_faster(self) -> None:
        """The visitor's new tab has taken the place: who is recovered gets one of its own."""
        self.ada.vanish()
        tab, _ = self.come()
        self.emit(tab, "enter", "lobby", {"a": 1})
        client, _ = self.come(self.facts["pid"])
        self.assertEqual(self.listing()["ada"], metas("2", "3", a=1))
        client.send("1/ChatSocket,")
        self.assertEqual(self.listing()["ada"], metas("2", a=1))
        self.world.clock.advance(60)
        self.world.turn()
        self.assertEqual(len(self.board._absences), 0)

    def test_refused_when_it_comes_back(self) -> None:
        """It is in the list no longer than the grace time."""
        self.ada.vanish()
        self.patch(Chat, "on_open", lambda handler, request: False)
        client = self.world.client(headers={"Cookie": "logged_in=ada"})
        client.send("0/ChatSocket," + json.dumps({"pid": self.facts["pid"]}))
        self.assertEqual(list(self.listing()), ["eve", "ada"])
        self.world.clock.advance(10)
        self.world.turn()
        self.assertEqual(list(self.listing()), ["eve"])
        self.assertEqual(len(self.board._listings), 1)

    def test_on_open_that_tracks(self) -> None:
        """An app that does not ask whether it was recovered changes what was said, and no more."""
        self.ada.vanish()
        self.patch(Chat, "on_open", lambda h, request: h.presence("lobby").track({"a": 2}))
        self.come(self.facts["pid"])
        told = diff(joins={"ada": metas("2", a=2)}, leaves={"ada": metas("2", a=1)})
        self.assertEqual(self.heard(self.witness), [["presence_diff", "lobby", told]])

    def test_on_open_that_leaves(self) -> None:
        self.ada.vanish()
        self.patch(Chat, "on_open", lambda handler, request: handler.leave("lobby"))
        self.come(self.facts["pid"])
        left = [["presence_diff", "lobby", diff(leaves={"ada": metas("2", a=1)})]]
        self.assertEqual(self.heard(self.witness), left)
        self.assertEqual(len(self.board._absences), 0)

    def test_logged_out_meanwhile(self) -> None:
        """It is gone, and comes back to nothing."""
        self.ada.vanish()
        self.world.server.log_out(None, "ada", "logout")
        self.assertEqual(list(self.listing()), ["eve"])
        client, facts = self.come(self.facts["pid"])
        self.assertNotEqual(facts["sid"], self.facts["sid"])
        self.assertEqual(self.heard(client), [])

    def test_shutdown(self) -> None:
        """Who is told that the server goes is not waited for."""
        self.world.server.stop()
        self.assertEqual(self.listing(), {})
        self.no_timer()


class ManyTests(PresenceTestCase):
    def test_tabs(self) -> None:
        """Three hundred tabs of one user that go in one moment: one message and nothing left."""
        witness = self.enter("eve")
        tabs = [self.connect("ada", session=f"s{n % 7}") for n in range(300)]
        for tab in tabs:
            self.emit(tab, "enter", "lobby")
        self.assertEqual(len(self.listing()["ada"]["metas"]), 300)
        self.heard(witness)
        for tab in tabs:
            tab.vanish()
        self.world.clock.advance(10)
        ((event, room, change),) = self.heard(witness)
        self.assertEqual((event, room, change["joins"]), ("presence_diff", "lobby", {}))
        self.assertEqual(len(change["leaves"]["ada"]["metas"]), 300)
        self.assertEqual(list(self.listing()), ["eve"])
        self.assertEqual((len(self.board._listings), self.board._absences._of), (1, {}))

    def test_lists(self) -> None:
        """A connection in a hundred lists leaves them all, and their watchers hear it once each."""
        ada = self.connect("ada")
        for number in range(100):
            self.emit(ada, "enter", f"room {number}")
        witness = self.enter("eve", "room 7")
        self.heard(witness)
        ada.send("1/ChatSocket,")
        told = diff(leaves={"ada": metas("8")})
        self.assertEqual(self.heard(witness), [["presence_diff", "room 7", told]])
        self.assertEqual(len(self.board.roster), 1)

    def test_coming_and_going(self) -> None:
        """A thousand reloads are a thousand absences that are over, and no departure."""
        witness = self.enter("eve")
        self.heard(witness)
        self.enter("ada", session="s1").vanish()
        for _ in range(1000):
            self.enter("ada", session="s1").vanish()
        self.assertEqual(len(self.board._absences), 1)
        told = [["presence_diff", "lobby", diff(joins={"ada": metas("2")})]]
        self.assertEqual(self.heard(witness), told)

    def test_state_only_to_newcomers(self) -> None:
        """The long message is sent to one; the others get one of the same length however many."""
        for number in range(50):
            self.enter(f"user{number}")
        witness = self.enter("eve")
        self.heard(witness)
        newcomer = self.enter("ada")
        ((event, _, change),) = self.heard(witness)
        self.assertEqual((event, change), ("presence_diff", diff(joins={"ada": metas("52")})))
        ((event, _, state),) = self.heard(newcomer)
        self.assertEqual((event, len(state)), ("presence_state", 52))


class MisbehavingTests(PresenceTestCase):
    def test_listener_that_raises(self) -> None:
        """What an app hangs on one watcher does not keep the others from hearing."""
        tabs = [self.enter("ada"), self.enter("bob"), self.enter("eve")]
        for tab in tabs:
            self.heard(tab)
        connections = list(self.world.server.namespaces["/ChatSocket"].connections.values())

        def fail(name, *args):
            raise ValueError

        connections[0].handler.on_any_outgoing(fail)
        self.enter("new")
        told = [["presence_diff", "lobby", diff(joins={"new": metas("4")})]]
        for tab in tabs:
            self.assertEqual(self.heard(tab), told)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_listener_that_ends_others(self) -> None:
        """Watchers may go while they are told, and what they do counts for the next turn."""
        tabs = [self.enter("ada"), self.enter("bob"), self.enter("eve")]
        for tab in tabs:
            self.heard(tab)
        ada, bob, eve = self.world.server.namespaces["/ChatSocket"].connections.values()

        def end(name, *args):
            ada.handler.off_any_outgoing()
            bob.disconnect()
            eve.handler.presence("lobby").untrack()

        ada.handler.on_any_outgoing(end)
        self.enter("new")
        joined = ["presence_diff", "lobby", diff(joins={"new": metas("4")})]
        left = ["presence_diff", "lobby", diff(leaves={"bob": metas("2"), "eve": metas("3")})]
        self.assertEqual(self.heard(tabs[0]), [joined, left])
        self.assertEqual(list(self.listing()), ["ada", "new"])

    def test_handler_that_raises(self) -> None:
        """It is in the list as long as it is connected."""

        class Failing(Chat):
            def on_close(self, reason):
                raise ValueError

        self.handler = Failing
        self.setUp()
        ada = self.enter("ada")
        ada.send("1/ChatSocket,")
        self.assertEqual(self.listing(), {})
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_parse_error(self) -> None:
        """Who breaks the protocol is not waited for."""
        ada = self.enter("ada")
        ada.send("no packet")
        self.assertEqual(self.listing(), {})

    def test_names_of_javascript(self) -> None:
        """Names that mean something elsewhere are names here."""
        for number, name in enumerate(("__proto__", "constructor", "ref", "metas"), 1):
            self.enter(name, "__proto__")
            self.assertEqual(self.listing("__proto__")[name], metas(str(number)))

    def test_namespaces_do_not_meet(self) -> None:
        """A list of one app is nobody's in another one."""
        self.world.server.add_namespace("/GameSocket", Chat)
        self.enter("ada")
        operator = self.world.server.namespaces["/GameSocket"].operator
        self.assertEqual(operator.presence("lobby").list(), {})


class NodeTests(PresenceTestCase):
    """What another node tells is put into the roster under its name."""

    def test_there(self) -> None:
        """Clients here get it with the list, and its changes; it goes with the node."""
        ada = self.enter("ada")
        self.heard(ada)
        roster = self.board.roster
        there = Entry("b", "ada", "b-1", {"ref": "b-1", "phone": True})
        roster.put(SOFA, there)
        roster.put(SOFA, Entry("b", "bob", "b-2", {"ref": "b-2"}))
        joins = {"ada": metas("b-1", phone=True), "bob": metas("b-2")}
        self.assertEqual(self.heard(ada), [["presence_diff", "lobby", diff(joins=joins)]])
        both = {"metas": [{"ref": "1"}, {"ref": "b-1", "phone": True}]}
        eve = self.enter("eve")
        state = {"ada": both, "bob": metas("b-2"), "eve": metas("2")}
        self.assertEqual(self.heard(eve), [["presence_state", "lobby", state]])
        roster.remove_node("b")
        self.assertEqual(self.heard(eve), [["presence_diff", "lobby", diff(leaves=joins)]])
        self.assertEqual(self.listing(), {"ada": metas("1"), "eve": metas("2")})

    def test_shared(self) -> None:
        """What has changed here is handed on when the turn ends, with nothing that was undone."""
        shared: list = []
        self.board.share = shared.append
        self.emit(self.connect("eve"), "watch", "lobby")
        self.world.turn()
        self.assertEqual(shared, [])
        ada = self.enter("ada")
        self.emit(ada, "change", "lobby", {"a": 1})
        self.emit(ada, "change", "lobby", {})
        self.world.turn()
        entry = Entry("", "ada", "1", {"ref": "1"})
        self.assertEqual(
            [(c[SOFA].joins, c[SOFA].leaves) for c in shared], [([entry], []), ([], [])]
        )
        self.assertEqual(self.board.roster.entries_of(""), [(SOFA, entry)])

    def test_what_cannot_be_sent(self) -> None:
        """A list that another node has spoilt is told to the operator; other lists are told."""
        ada, bob = self.enter("ada"), self.enter("bob", "attic")
        self.heard(ada)
        self.heard(bob)
        self.board.roster.put(SOFA, Entry("b", "eve", "b-1", {"ref": object()}))
        self.enter("new", "attic")
        self.assertEqual(len(self.heard(bob)), 1)
        self.assertEqual(len(self.flushLoggedErrors()), 1)
