"""Presence of several services of one cluster: `mojo.cluster.shared_presence`."""

from __future__ import annotations

import json
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from mojo import App, MojoSocketHandler, event
from mojo.cluster.presence_wire import in_parts, read_entries, read_gone, write_entry, write_gone
from mojo.errors import PacketError
from mojo.socketio.roster import USERS, Entry
from tests.cluster.nodes import Cluster


class Chat(MojoSocketHandler):
    @event
    def enter(self, room, meta, key=None):
        self.presence(room).track(meta, key=key)

    @event
    def change(self, room, meta):
        self.presence(room).update(meta)

    @event
    def look(self, room):
        self.presence(room).watch()

    @event
    def go(self, room):
        self.presence(room).untrack()


def chat() -> App:
    return App(name="Chat", handler=type("Chat", (Chat,), {}))


class ClusterTestCase(SynchronousTestCase):
    """Two nodes that know each other."""

    settings: dict = {}  # noqa: RUF012

    def setUp(self) -> None:
        self.cluster = Cluster()
        self.addCleanup(self.cluster.close)
        self.one, self.two = self.start(), self.start()
        self.cluster.advance(2)

    def start(self):
        return self.cluster.start(chat(), **self.settings)

    def tab(self, node, user="ada", **options):
        tab = node.server.connect("/ChatSocket", user_id=user, **options)
        assert tab.connected
        self.cluster.turn()
        return tab

    def online(self) -> list[set[str]]:
        return [set(node.service.online_users) for node in self.cluster.nodes]

    def news(self) -> list[tuple[str, str]]:
        return self.cluster.news()


class UserTests(ClusterTestCase):
    def test_everywhere(self) -> None:
        """Who is at one server is online at all, and the hooks are told once."""
        tab = self.tab(self.one)
        self.assertEqual(self.online(), [{"ada"}, {"ada"}])
        self.assertEqual(self.news(), [("came", "ada")])
        for node in (self.one, self.two):
            self.assertTrue(node.service.user("ada").online)
            self.assertEqual(node.service.user("ada").last_seen, self.cluster.now())
        self.cluster.advance(5)
        tab.disconnect()
        self.assertEqual(self.news(), [("went", "ada")])
        self.assertEqual(self.online(), [set(), set()])

    def test_last_seen(self) -> None:
        """Everywhere the moment at which the last connection went, wherever that was."""
        tabs = [self.tab(self.one), self.tab(self.two)]
        self.cluster.advance(1)
        tabs[0].vanish()
        self.cluster.advance(1)
        tabs[1].vanish()
        went = self.cluster.now()
        self.cluster.advance(30)
        self.assertEqual(self.news(), [("came", "ada"), ("went", "ada")])
        for node in (self.one, self.two):
            self.assertAlmostEqual(node.service.user("ada").last_seen, went)

    def test_many_users(self) -> None:
        """Each is told once, by one of the two; both tell of some."""
        for number in range(40):
            self.tab(self.one, f"user{number}")
        self.cluster.turn()
        told = [len(node.told) for node in (self.one, self.two)]
        self.assertEqual(sum(told), 40)
        self.assertGreater(min(told), 5)

    def test_both_end_in_one_moment(self) -> None:
        """A revocation ends the login at both servers: one departure."""
        for _ in range(10):
            self.tab(self.one)
            self.tab(self.two)
            self.assertEqual(self.news(), [("came", "ada")])
            self.one.service.revoke(user_id="ada")
            self.cluster.advance(1)
            self.assertEqual(self.news(), [("went", "ada")])

    def test_moves(self) -> None:
        """A client that comes back to the other server was never away."""
        for number in range(6):
            tab = self.tab((self.one, self.two)[number % 2])
            self.cluster.advance(60)
            tab.vanish()
            self.cluster.advance(5)
        self.assertEqual(self.news(), [("came", "ada")])

    def test_does_not_come_back(self) -> None:
        """Who is waited for at one server and was not seen at another one is gone in time."""
        self.tab(self.one).vanish()
        self.news()
        self.cluster.advance(9.8)
        self.assertEqual((self.news(), self.online()), ([], [{"ada"}, {"ada"}]))
        self.cluster.advance(0.3)
        self.assertEqual((self.news(), self.online()), ([("went", "ada")], [set(), set()]))


class EndTests(ClusterTestCase):
    def test_dead(self) -> None:
        """The users of a server that died are gone within 16 seconds; the hooks are told once."""
        self.tab(self.one)
        self.tab(self.one, "bob")
        self.tab(self.two, "bob")
        self.news()
        self.one.kill()
        self.cluster.advance(16)
        self.assertEqual(self.news(), [("went", "ada")])
        self.assertEqual(self.online(), [{"bob"}])

    def test_before_it_is_found_dead(self) -> None:
        """Who comes or goes while a dead server has not been missed is told of afterwards, once."""
        tabs = {number: self.tab(self.two, f"user{number}") for number in range(20)}
        self.assertEqual(len(self.news()), 20)
        self.one.kill()
        for number in range(10):
            tabs[number].disconnect()
        for number in range(20, 30):
            self.tab(self.two, f"user{number}")
        self.tab(self.two, "moment").disconnect()
        before = self.news()
        self.assertTrue(4 < len(before) < 20, before)
        self.cluster.advance(16)
        told = [("went", f"user{number}") for number in range(10)]
        told += [("came", f"user{number}") for number in range(20, 30)]
        both = [one for one in [*before, *self.news()] if one[1] != "moment"]
        self.assertEqual(sorted(both), sorted(told))

    def test_question_to_a_dead_server(self) -> None:
        """Who waits for the answers of its clients waits until it is found dead."""
        tab = self.tab(self.two)
        self.news()
        asked = self.one.service.app("Chat").timeout(300).call("why")
        self.cluster.turn()
        self.two.kill()
        self.cluster.advance(10)
        self.assertNoResult(asked)
        self.cluster.advance(6)
        self.assertEqual(self.successResultOf(asked), ([], [tab.id]))

    def test_client_of_a_dead_server(self) -> None:
        """Who goes to another one before the first is found dead was never away."""
        self.tab(self.one)
        self.news()
        self.one.kill()
        self.cluster.advance(3)
        self.tab(self.two)
        self.cluster.advance(30)
        self.assertEqual((self.news(), self.online()), ([], [{"ada"}]))

    def test_known_to_have_ended(self) -> None:
        """Nobody waits for its beats, but its users have the grace time."""
        self.tab(self.one)
        self.tab(self.one, "bob")
        self.news()
        self.one.kill()
        self.two.service.cluster.server_ended(self.one.uid)
        self.assertEqual((self.news(), self.two.service.online_users), ([], {"ada", "bob"}))
        self.tab(self.two, "bob")
        self.cluster.advance(9)
        self.assertEqual((self.news(), self.two.service.online_users), ([], {"ada", "bob"}))
        self.cluster.advance(2)
        self.assertEqual(self.news(), [("went", "ada")])
        self.assertEqual(self.two.service.online_users, {"bob"})

    def test_stop(self) -> None:
        """The users of a server that stops have the grace time to come to another one."""
        self.tab(self.one)
        self.tab(self.one, "bob")
        self.news()
        self.one.stop()
        self.assertEqual((self.news(), self.online()), ([], [{"ada", "bob"}]))
        self.tab(self.two, "bob")
        self.cluster.advance(11)
        self.assertEqual((self.news(), self.online()), ([("went", "ada")], [{"bob"}]))
        self.assertEqual(self.one.roster.entries_of(self.one.uid), [])

    def test_list_of_one_that_stops(self) -> None:
        """Who was in a list stays there for the grace time, too."""
        self.tab(self.one).emit("enter", "lobby", {})
        self.cluster.turn()
        self.one.stop()
        lobby = self.two.service.app("Chat").presence("lobby")
        self.assertEqual(list(lobby), ["ada"])
        self.cluster.advance(11)
        self.assertEqual(list(lobby), [])

    def test_all_stop(self) -> None:
        """The last one tells of everybody, also of those who had been at another one."""
        self.tab(self.one)
        self.tab(self.two, "bob")
        self.news()
        self.one.stop()
        self.two.stop()
        self.assertEqual(sorted(self.news()), [("went", "ada"), ("went", "bob")])

    def test_stop_in_one_moment(self) -> None:
        """Of those who stop together none leaves its users to the other, whoever tells of them."""
        users = [f"user{number}" for number in range(20)]
        for number, user in enumerate(users):
            self.tab((self.one, self.two)[number % 2], user)
        self.news()
        stopped = [node.service.stopService() for node in (self.one, self.two)]
        self.cluster.advance(5)
        for deferred in stopped:
            self.successResultOf(deferred)
        self.assertEqual(sorted(self.news()), sorted(("went", user) for user in users))

    def test_started_again(self) -> None:
        """A server that comes again after a stop has nothing left of before."""
        self.tab(self.one)
        stopped = self.one.service.stopService()
        self.cluster.advance(2)
        self.successResultOf(stopped)
        self.one.service.startService()
        self.cluster.advance(3)
        self.tab(self.one, "bob")
        self.cluster.advance(20)
        self.assertEqual(self.online(), [{"bob"}, {"bob"}])
        self.assertEqual(sorted(self.news()), [("came", "ada"), ("came", "bob"), ("went", "ada")])


class NoGraceTests(ClusterTestCase):
    settings = {"PRESENCE_GRACE": 0}  # noqa: RUF012

    def test_stop(self) -> None:
        """Without a grace time the users of a server that stops are gone with it."""
        self.tab(self.one)
        self.news()
        self.one.stop()
        self.assertEqual((self.news(), self.online()), ([("went", "ada")], [set()]))


class NewcomerTests(ClusterTestCase):
    def test_learns(self) -> None:
        """A server that starts knows within a moment who is where, and tells nobody's hooks."""
        self.tab(self.one)
        self.tab(self.two, "bob").emit("enter", "lobby", {"name": "Bob"})
        self.news()
        three = self.start()
        self.cluster.advance(0.1)
        self.assertEqual(three.service.online_users, {"ada", "bob"})
        self.assertEqual(list(three.service.app("Chat").presence("lobby")), ["bob"])
        self.cluster.advance(5)
        self.assertEqual(self.news(), [])

    def test_first_second(self) -> None:
        """Who comes to a server that has just started, and was elsewhere, has not come."""
        self.tab(self.one)
        self.news()
        three = self.start()
        self.tab(three)
        self.tab(three, "eve")
        self.cluster.advance(5)
        self.assertEqual(self.news(), [("came", "eve")])

    def test_keeps_its_part(self) -> None:
        """It tells the hooks of some from then on: of each user it is one server."""
        self.start()
        self.cluster.advance(3)
        tabs = [self.tab(self.one, f"user{number}") for number in range(60)]
        self.cluster.turn()
        told = [len(node.told) for node in self.cluster.nodes]
        self.assertEqual((sum(told), min(told) > 5), (60, True))
        self.news()
        for tab in tabs:
            tab.disconnect()
        self.assertEqual(len(self.news()), 60)

    def test_many_entries(self) -> None:
        """What is long comes in parts, none of which is, with what changes meanwhile."""
        roster = self.one.roster
        for number in range(3000):
            entry = Entry(self.one.uid, f"user{number}", str(number), {"name": "x" * 50})
            roster.put(("/ChatSocket", "lobby"), entry)
        self.cluster.turn()
        self.cluster.exchange.published.clear()
        three = self.start()
        self.cluster.turn()
        self.cluster.turn(0.02)
        tab = self.tab(self.one)
        tab.emit("enter", "lobby", {"name": "Ada"})
        for number in (0, 1500, 2999):
            entry = Entry(self.one.uid, f"user{number}", str(number), {})
            roster.remove(("/ChatSocket", "lobby"), entry)
        self.cluster.advance(3, step=0.02)
        lobby = three.service.app("Chat").presence("lobby")
        self.assertEqual(len(lobby), 2998)
        self.assertEqual(lobby.list(), self.one.service.app("Chat").presence("lobby").list())
        lengths = [len(data) for _, data in self.cluster.exchange.published]
        self.assertLess(max(lengths), 40_000)
        self.assertGreater(sum(length > 20_000 for length in lengths), 5)


class LossTests(ClusterTestCase):
    def test_lost_between_parts(self) -> None:
        """What is lost while a long answer comes is not lost for ever."""
        topic = ("/ChatSocket", "lobby")
        entries = [Entry(self.one.uid, f"user{n}", str(n), {"x": "x" * 50}) for n in range(3000)]
        for entry in entries:
            self.one.roster.put(topic, entry)
        self.cluster.turn()
        three = self.start()
        self.cluster.turn(0.02)
        lobby = three.service.app("Chat").presence("lobby")
        self.assertTrue(0 < len(lobby) < 3000)
        three.bus.loses = lambda channel, data: b'"presence"' in data
        gone = next(entry for entry in entries if entry.key in lobby)
        self.one.roster.remove(topic, gone)
        self.cluster.turn()
        three.bus.loses = lambda channel, data: False
        self.cluster.advance(3, step=0.02)
        self.assertEqual(set(lobby), {entry.key for entry in entries} - {gone.key})

    def test_lost_change(self) -> None:
        """A message that was lost is made good with the next beat."""
        self.two.bus.loses = lambda channel, data: b'"presence"' in data
        self.tab(self.one)
        self.two.bus.loses = lambda channel, data: False
        self.assertEqual(self.online(), [{"ada"}, set()])
        self.cluster.advance(5.5)
        self.assertEqual(self.online(), [{"ada"}, {"ada"}])

    def test_gap(self) -> None:
        """The next change shows that one was lost, without a beat."""
        self.two.bus.loses = lambda channel, data: b'"presence"' in data
        self.tab(self.one)
        self.two.bus.loses = lambda channel, data: False
        self.tab(self.one, "bob")
        self.cluster.turn()
        self.assertEqual(self.online(), [{"ada", "bob"}] * 2)

    def test_lost_departure(self) -> None:
        tab = self.tab(self.one)
        self.two.bus.loses = lambda channel, data: b'"presence"' in data
        tab.disconnect()
        self.cluster.turn()
        self.two.bus.loses = lambda channel, data: False
        self.assertEqual(self.online(), [set(), {"ada"}])
        self.cluster.advance(5.5)
        self.assertEqual(self.online(), [set(), set()])
        self.assertEqual(self.news(), [("came", "ada"), ("went", "ada")])

    def test_lost_answer(self) -> None:
        """What was asked for is asked for again when it does not come."""
        self.two.bus.loses = lambda channel, data: b'"presence"' in data or b'"entries"' in data
        self.tab(self.one)
        self.cluster.advance(12)
        self.two.bus.loses = lambda channel, data: False
        self.assertEqual(self.online(), [{"ada"}, set()])
        self.cluster.advance(11)
        self.assertEqual(self.online(), [{"ada"}, {"ada"}])

    def test_cut_off(self) -> None:
        """A server without the bus goes on with what it knows; then it is told the rest."""
        tabs = {user: self.tab(self.two, user) for user in ("ada", "bob")}
        self.news()
        self.two.cut()
        tabs["bob"].disconnect()
        self.tab(self.two, "eve")
        self.tab(self.one, "dan")
        self.cluster.advance(10)
        self.assertEqual(self.online(), [{"ada", "bob", "dan"}, {"ada", "eve"}])
        self.two.mend()
        self.cluster.advance(1)
        self.assertEqual(self.online(), [{"ada", "dan", "eve"}] * 2)
        self.cluster.advance(20)
        self.assertEqual(sorted(self.news()), [("came", "dan"), ("came", "eve"), ("went", "bob")])

    def test_all_cut_off(self) -> None:
        """While there is no bus at all nobody is dead, for however long."""
        self.tab(self.one)
        self.news()
        for node in (self.one, self.two):
            node.cut()
        self.cluster.advance(300, step=0.5)
        self.assertEqual((self.news(), self.online()), ([], [{"ada"}, {"ada"}]))
        for node in (self.one, self.two):
            node.mend()
        self.cluster.advance(30)
        self.assertEqual((self.news(), self.online()), ([], [{"ada"}, {"ada"}]))

    def test_of_others(self) -> None:
        """What is no presence is counted, and changes nothing; nor does that of a stranger."""
        stats = self.two.service.cluster.stats
        one = self.one.uid
        bad = [
            ("presence", []), ("presence", ["1", [], []]), ("presence", [1, 1, []]),
            ("presence", [1, [[]], []]), ("presence", [1, [["", "users", 1, "", {}]], []]),
            ("presence", [1, [["", "users", "eve", "", []]], []]), ("presence", [1, [], [[1]]]),
            ("entries", []), ("entries", [1, "0", True, 1, []]), ("entries", [1, 0, True, 1, 1]),
            ("ask", []), ("ask", ["x"]),
        ]  # fmt: skip
        for act, args in bad:
            message = {"uid": one, "act": act, "args": args}
            self.cluster.exchange.put(b"socket.io-mojo#", json.dumps(message).encode())
        self.cluster.turn()
        self.assertEqual(stats.refused, len(bad))
        entry = ["", "users", "eve", "", {}]
        for act, args in (("presence", [1, [entry], []]), ("entries", [1, 0, True, 1, [entry]])):
            message = {"uid": "stranger", "act": act, "args": args}
            self.cluster.exchange.put(b"socket.io-mojo#", json.dumps(message).encode())
        self.cluster.turn()
        self.assertEqual((stats.refused, self.online()), (len(bad), [set(), set()]))


class ListTests(ClusterTestCase):
    def test_state_and_diff(self) -> None:
        """A newcomer is sent who is at the other server, and those there that it has come."""
        ada = self.tab(self.one)
        ada.emit("enter", "lobby", {"name": "Ada"})
        self.cluster.turn()
        bob = self.tab(self.two, "bob")
        bob.emit("enter", "lobby", {"name": "Bob"})
        self.cluster.turn()
        refs = [f"{self.one.uid}-1", f"{self.two.uid}-1"]
        metas = {"ada": {"ref": refs[0], "name": "Ada"}, "bob": {"ref": refs[1], "name": "Bob"}}
        state = {key: {"metas": [meta]} for key, meta in metas.items()}
        self.assertEqual(bob.received(), [("presence_state", ["lobby", state])])
        joins = {"bob": {"metas": [metas["bob"]]}}
        self.assertEqual(ada.received("presence_diff"), [self.diff(joins=joins)])
        bob.emit("change", "lobby", {"name": "B."})
        self.cluster.turn()
        changed = {"bob": {"metas": [{"ref": refs[1], "name": "B."}]}}
        self.assertEqual(ada.received("presence_diff"), [self.diff(joins=changed, leaves=joins)])
        self.two.kill()
        self.cluster.advance(16)
        self.assertEqual(ada.received("presence_diff"), [self.diff(leaves=changed)])

    def diff(self, **changes) -> tuple:
        return ("presence_diff", ["lobby", {"joins": {}, "leaves": {}, **changes}])

    def test_turn(self) -> None:
        """What changes in one turn is one message to the other servers."""
        tabs = [self.tab(self.one, f"user{number}") for number in range(5)]
        self.cluster.turn()
        self.cluster.exchange.published.clear()
        for tab in tabs:
            tab.handler.presence("lobby").track({})
        self.cluster.turn()
        told = [data for _, data in self.cluster.exchange.published if b'"presence"' in data]
        self.assertEqual(len(told), 1)


class WireTests(SynchronousTestCase):
    def test_entry(self) -> None:
        topic = ("/chat", "lobby")
        entry = Entry("node", "ada", "node-1", {"ref": "node-1", "name": "Ä"})
        written = write_entry(topic, entry)
        expected = ["/chat", "lobby", "ada", "node-1", {"ref": "node-1", "name": "Ä"}]
        self.assertEqual(written, expected)
        self.assertEqual(read_entries("node", [written]), [(topic, entry)])
        self.assertEqual(write_gone(topic, entry), expected[:4])
        (found,) = read_gone("node", [expected[:4]])
        self.assertEqual(found[1].id, entry.id)

    def test_parts(self) -> None:
        """As many as it takes; a single one that is too long is a part of its own."""
        items = [[*USERS, "x" * 1000, ""] for _ in range(100)]
        parts = list(in_parts(items))
        self.assertEqual([len(part) for part in parts], [31, 31, 31, 7])
        self.assertEqual([item for part in parts for item in part], items)
        long = [[*USERS, "x" * 100_000, ""], [*USERS, "y", ""]]
        self.assertEqual(list(in_parts(long)), [[long[0]], [long[1]]])

    def test_bad(self) -> None:
        for value in (None, {}, [1], [["a"] * 4], [[*"abcd", None]], [[None, *"bcd", {}]]):
            with self.assertRaises(PacketError):
                read_entries("node", value)


class AnyOrderTests(SynchronousTestCase):
    """Servers that come, go, die, lose things and are cut off; and users who come and go."""

    def run_story(self, seed: int) -> None:
        random = Random(seed)
        cluster = Cluster()
        nodes = [cluster.start(chat()) for _ in range(3)]
        cluster.advance(3)
        tabs: list[tuple] = []
        for _ in range(120):
            alive = [node for node in nodes if node in cluster.nodes]
            tabs = [(node, tab) for node, tab in tabs if node in alive and tab.connected]
            what = random.random()
            node = random.choice(alive)
            if what < 0.4:
                tab = node.server.connect("/ChatSocket", user_id=f"user{random.randrange(8)}")
                tab.emit("enter", random.choice("ab"), {"n": random.randrange(3)})
                tabs.append((node, tab))
            elif what < 0.6 and tabs:
                node, tab = tabs.pop(random.randrange(len(tabs)))
                random.choice((tab.disconnect, tab.vanish))()
            elif what < 0.7 and tabs:
                random.choice(tabs)[1].emit("go", random.choice("ab"))
            elif what < 0.78:
                node.bus.loses = lambda channel, data: random.random() < 0.3
            elif what < 0.84:
                node.bus.loses = lambda channel, data: False
            elif what < 0.88:
                random.choice((node.cut, node.mend))()
            elif what < 0.91 and len(alive) > 2:
                random.choice((node.kill, node.stop))()
            elif what < 0.94 and len(alive) < 5:
                nodes.append(cluster.start(chat()))
            cluster.advance(random.choice((0.0, 0.1, 0.5, 2.0)))
        for node in cluster.nodes:
            node.bus.loses = lambda channel, data: False
            node.mend()
        cluster.advance(60, step=0.25)
        views = [
            {(topic, entry.id, str(entry.meta)) for other in cluster.nodes
             for topic, entry in node.roster.entries_of(other.uid)}
            for node in cluster.nodes
        ]  # fmt: skip
        everything = [
            {(topic, entry.id, str(entry.meta)) for topic in list(node.roster._lists)
             for entry in node.roster._entries(topic)}
            for node in cluster.nodes
        ]  # fmt: skip
        online = {
            tab_user for node in cluster.nodes for tab_user in node.service.logged_in_sessions
        }
        for view, all_of_it, node in zip(views, everything, cluster.nodes, strict=True):
            self.assertEqual(view, views[0], f"seed {seed}")
            self.assertEqual(all_of_it, view, f"seed {seed}: of who is gone")
            self.assertEqual(set(node.service.online_users), online, f"seed {seed}")
            self.assertEqual(node.peers.names.keys() | {node.uid}, {n.uid for n in cluster.nodes})
        told = [node.service._registry.online._told for node in cluster.nodes]
        self.assertEqual(told, [online] * len(told), f"seed {seed}")
        cluster.close()

    def test_agree(self) -> None:
        """In the end all know the same, and it is true."""
        for seed in range(6):
            self.run_story(seed)
