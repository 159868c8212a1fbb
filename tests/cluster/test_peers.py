"""Which servers there are, which are dead, and which keeps what: `mojo.cluster.peers`."""

from __future__ import annotations

import json

from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from mojo.cluster import peers
from mojo.cluster.channel import MojoChannel
from mojo.cluster.peers import Peers, Standing
from tests.cluster.memory_bus import Exchange, Server


class Watcher:
    """Is told of the others, and notes it."""

    version = 7
    is_complete = True

    def __init__(self) -> None:
        self.seen: list[tuple] = []

    def peer_came(self, uid) -> None:
        self.seen.append(("came", uid))

    def peer_says(self, uid, version) -> None:
        self.seen.append(("says", uid, version))

    def peer_left(self, uid, *, silent_since) -> None:
        self.seen.append(("left", uid, silent_since is None))

    def learning(self) -> None:
        self.seen.append(("learning",))

    def learnt(self, *, from_others) -> None:
        self.seen.append(("learnt", from_others))

    def take(self, *kinds) -> list[tuple]:
        seen, self.seen = self.seen, []
        return [one for one in seen if not kinds or one[0] in kinds]


class PeersTestCase(SynchronousTestCase):
    """Some servers that beat every five seconds."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.exchange = Exchange()
        self.lines: list[str] = []
        globalLogPublisher.addObserver(self.log)
        self.addCleanup(globalLogPublisher.removeObserver, self.log)

    def log(self, event) -> None:
        if event["log_namespace"] == "mojo.cluster.peers":
            self.lines.append(event["log_format"].format(**event))

    def server(self, name, every=5.0, random=0.0):
        server = Server(self.exchange, name=f"/{name}")
        server.uid = name
        server.channel = MojoChannel(server)
        server.watcher = Watcher()
        server.peers = Peers(
            server,
            server.channel,
            self.clock,
            server.watcher,
            name=f"the {name}",
            every=every,
            random=lambda: random,
        )
        server.peers.start()
        return server

    def advance(self, seconds, step=0.5) -> None:
        for _ in range(round(seconds / step)):
            self.clock.advance(step)
            self.exchange.turn()

    def silence(self, server) -> None:
        """Let a server be gone without a word."""
        server.peers._looking.stop()
        server.bus.is_up = False


class ComingTests(PeersTestCase):
    def test_beat(self) -> None:
        """A newcomer says who it is, that others should say so too, and when it is heard next."""
        self.server("one")
        (message,) = [json.loads(data) for _, data in self.exchange.published]
        self.assertEqual(
            message,
            {
                "uid": "one",
                "act": "beat",
                "args": [
                    {
                        "name": "the one",
                        "every": 5.0,
                        "standing": "new",
                        "version": 7,
                        "asks": True,
                    }
                ],
            },
        )
        self.assertEqual(self.exchange.published[0][0], b"socket.io-mojo#")

    def test_answers(self) -> None:
        """It is answered at once, alone."""
        one = self.server("one")
        self.advance(2)
        self.exchange.published.clear()
        two = self.server("two")
        self.exchange.turn()
        channels = [channel for channel, _ in self.exchange.published]
        self.assertEqual(channels, [b"socket.io-mojo#", b"socket.io-mojo-own#two#"])
        self.assertEqual(one.peers.names, {"two": "the two"})
        self.assertEqual(two.peers.names, {"one": "the one"})
        self.assertEqual(two.watcher.take("came", "says"), [("came", "one"), ("says", "one", 7)])

    def test_log(self) -> None:
        """One line when a server comes, and one when it goes."""
        self.server("one")
        two = self.server("two")
        self.advance(20)
        two.peers.stop()
        self.exchange.turn()
        lines = [line for line in self.lines if "the two" in line]
        self.assertEqual(lines, ["cluster: the two is there", "cluster: the two has gone"])

    def test_log_of_what_is_known(self) -> None:
        """One line, from which on who stops leaves its users to this server."""
        self.server("one")
        self.advance(1.5)
        two = self.server("two")
        two.watcher.is_complete = False
        self.advance(5)
        known = "cluster: what the others know is known here: "
        self.assertEqual([line for line in self.lines if known in line], [known + "0 of them"])
        two.watcher.is_complete = True
        self.advance(1)
        self.assertEqual(self.lines[-1], known + "1 of them")

    def test_alone(self) -> None:
        """Who hears of nobody within a second knows that it is alone."""
        one = self.server("one")
        self.assertEqual(one.watcher.take(), [("learning",)] * 2)
        self.advance(0.5)
        self.assertEqual((one.watcher.take(), one.peers.standing), ([], Standing.NEW))
        self.advance(0.5)
        self.assertEqual(one.watcher.take(), [("learnt", False)])
        self.assertEqual(one.peers.standing, Standing.HERE)

    def test_learns(self) -> None:
        """A newcomer has learnt when it has all that the others know."""
        self.server("one")
        self.advance(2)
        two = self.server("two")
        two.watcher.is_complete = False
        self.advance(3)
        self.assertEqual(two.watcher.take("learnt"), [])
        two.watcher.is_complete = True
        self.advance(0.5)
        self.assertEqual(two.watcher.take("learnt"), [("learnt", True)])

    def test_never_learns(self) -> None:
        """It does not wait for longer than ten seconds."""
        self.server("one")
        two = self.server("two")
        two.watcher.is_complete = False
        self.advance(9.5)
        self.assertEqual(two.watcher.take("learnt"), [])
        self.advance(0.5)
        self.assertEqual(two.watcher.take("learnt"), [("learnt", True)])

    def test_together(self) -> None:
        """Of two that are started together nobody knows what was told before."""
        one, two = self.server("one"), self.server("two", random=1.0)
        self.advance(1)
        self.assertEqual(one.watcher.take("learnt"), [("learnt", False)])
        self.advance(0.5)
        self.assertEqual(two.watcher.take("learnt"), [("learnt", True)])

    def test_without_a_bus(self) -> None:
        """Who starts cut off is alone, and a newcomer when there is a bus."""
        one = self.server("one")
        self.silence(one)
        one.peers._is_up = False
        one.peers.start()
        self.advance(1)
        self.assertEqual(one.peers.standing, Standing.HERE)
        one.bus.is_up = True
        one.watcher.take()
        self.advance(0.5)
        self.assertEqual((one.peers.standing, one.watcher.take()), (Standing.NEW, [("learning",)]))

    def test_jitter(self) -> None:
        """Beats come earlier than said by up to a tenth, and never later."""
        for random, at in ((0.0, 5.0), (1.0, 4.5)):
            self.exchange.published.clear()
            one = self.server("one", random=random)
            self.advance(at - 0.5)
            self.assertEqual(len(self.exchange.published), 2)  # when it came, and had learnt
            self.exchange.published.clear()
            self.advance(at + 1.0)
            self.assertGreaterEqual(len(self.exchange.published), 1)
            one.peers.stop()

    def test_bad_beats(self) -> None:
        """What is no beat is counted, and nobody is there who said it."""
        one = self.server("one")
        good = {"name": "x", "every": 5, "standing": "here", "version": 1, "asks": False}
        for wrong in (
            {"name": 1}, {"name": "x" * 201}, {"every": None}, {"every": True}, {"every": 1e999},
            {"every": 10**400}, {"every": float("nan")}, {"name": "x\nforged"},
            {"version": "1"}, {"version": True}, {"standing": "dead"}, {"standing": []},
        ):  # fmt: skip
            data = {"uid": "other", "act": "beat", "args": [{**good, **wrong}]}
            self.exchange.put(b"socket.io-mojo#", json.dumps(data).encode())
        for args in ([], [1], [None]):
            data = {"uid": "other", "act": "beat", "args": args}
            self.exchange.put(b"socket.io-mojo#", json.dumps(data).encode())
        for uid in (None, "", 1, "x" * 201):
            data = {"uid": uid, "act": "beat", "args": [good]}
            self.exchange.put(b"socket.io-mojo#", json.dumps(data).encode())
        self.exchange.turn()
        self.assertEqual((len(one.refused), one.peers.names), (19, {}))

    def test_too_many(self) -> None:
        """Others cannot fill the memory with servers that they make up."""
        one = self.server("one")
        for number in range(1100):
            self.say_that_is_there(f"u{number}")
        self.exchange.turn()
        self.assertEqual((len(one.peers.names), len(one.refused)), (1000, 100))

    def test_log_is_not_filled(self) -> None:
        """Nor the log: so many come and go in a minute, and one line says that there are more."""
        self.patch(peers, "MAX_LINES", 3)
        self.server("one")
        for number in range(10):
            self.say_that_is_there(f"u{number}")
        self.exchange.turn()
        more = "cluster: servers come and go more often than is logged, 3 times in 60 s"
        self.assertEqual(self.lines, ["cluster: x is there"] * 3 + [more])
        self.advance(59)
        self.assertEqual(len(self.lines), 4)
        self.advance(1)
        self.say_that_is_there("another")
        self.exchange.turn()
        self.assertEqual(self.lines[4:], ["cluster: x is there"])

    def say_that_is_there(self, uid) -> None:
        facts = {"name": "x", "every": 5, "standing": "here", "version": 1, "asks": False}
        data = {"uid": uid, "act": "beat", "args": [facts]}
        self.exchange.put(b"socket.io-mojo#", json.dumps(data).encode())


class DeadTests(PeersTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.one, self.two = self.server("one"), self.server("two")
        self.advance(2)
        self.one.watcher.take()

    def test_dead(self) -> None:
        """Three beats after the last one, and no sooner."""
        self.advance(4.5)  # at 6 s it beats
        self.silence(self.two)
        self.advance(15)
        self.assertEqual(self.one.watcher.take("left"), [])
        self.advance(1)
        self.assertEqual(self.one.watcher.take("left"), [("left", "two", False)])
        (line,) = [line for line in self.lines if "dead" in line]
        self.assertRegex(line, r"the two was not heard of for 1[56]\.\d s")

    def test_mistake(self) -> None:
        """What goes wrong with one who is dead keeps nobody from beating."""

        def fail(uid, *, silent_since) -> None:
            raise ValueError(uid)

        self.one.watcher.peer_left = fail
        self.silence(self.two)
        self.advance(20)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertNotIn("two", self.one.peers)
        before = len(self.exchange.published)
        self.advance(6)
        self.assertGreater(len(self.exchange.published), before)

    def test_alive(self) -> None:
        """Who beats lives."""
        self.advance(300)
        self.assertEqual(self.one.watcher.take("left", "came"), [])

    def test_own_time(self) -> None:
        """A server is judged by the time that it says itself."""
        slow = self.server("slow", every=60.0)
        self.advance(1)
        self.silence(slow)
        self.advance(170)
        self.assertIn("slow", self.one.peers)
        self.advance(20)
        self.assertNotIn("slow", self.one.peers)

    def test_anything_is_a_sign_of_life(self) -> None:
        """Who tells something else is not dead."""
        self.silence(self.two)
        self.two.bus.is_up = True
        for _ in range(10):
            self.two.channel.tell("nonsense", [])
            self.advance(5)
        self.assertEqual(self.one.watcher.take("left"), [])

    def test_cut_off(self) -> None:
        """Nobody is dead because we hear nothing: the time begins anew with the bus."""
        self.silence(self.two)
        self.one.bus.is_up = False
        self.advance(600)
        self.one.bus.is_up = True
        self.advance(15)
        self.assertEqual(self.one.watcher.take("left"), [])
        self.advance(1.5)
        self.assertEqual(self.one.watcher.take("left"), [("left", "two", False)])

    def test_deaf(self) -> None:
        """Nor where the bus seems to be there, and not even we are heard."""
        self.one.bus.is_up = self.two.bus.is_up = True
        lost, self.exchange.turn = self.exchange.turn, lambda: None
        self.advance(600)
        self.assertEqual(self.one.watcher.take("left"), [])
        self.exchange.turn = lost
        self.exchange._under_way.clear()
        self.silence(self.two)
        self.advance(1)
        self.assertEqual(self.one.watcher.take("left"), [("left", "two", False)])

    def test_stood_still(self) -> None:
        """Nor because this process stood still, with what was said meanwhile unread."""
        self.silence(self.two)
        self.clock.advance(30)
        self.exchange.turn()  # what we have said ourselves comes first
        self.advance(1)
        self.assertEqual(self.one.watcher.take("left"), [])

    def test_back(self) -> None:
        """Who was taken for dead and is heard of again is there again."""
        self.silence(self.two)
        self.advance(20)
        self.one.watcher.take()
        self.two.bus.is_up = True
        self.two.peers._looking.start(0.5)
        self.advance(1)
        self.assertEqual(self.one.watcher.take("came"), [("came", "two")])

    def test_ended(self) -> None:
        """Who is known to have ended is dead at once; who has said it is gone already."""
        self.one.peers.ended("two")
        self.assertEqual(self.one.watcher.take("left"), [("left", "two", False)])
        self.assertEqual(self.one.peers.names, {})
        self.assertIn("cluster: the two has ended without a word", self.lines)
        self.one.peers.ended("two")
        self.assertEqual(self.one.watcher.take("left"), [])

    def test_goodbye(self) -> None:
        """Who says that it goes is gone at once."""
        self.two.peers.leave()
        self.exchange.turn()
        self.assertFalse(self.one.peers.have_heirs)
        self.two.peers.stop()
        self.exchange.turn()
        self.assertEqual(self.one.watcher.take("left"), [("left", "two", True)])
        self.assertEqual(self.one.peers.names, {})


class KeeperTests(PeersTestCase):
    def keepers(self, servers) -> list[list[str]]:
        return [
            [one.uid for one in servers if one.peers.is_ours(f"user{number}", ())]
            for number in range(300)
        ]

    def test_any_text(self) -> None:
        """Also of what has no UTF-8, which others may send."""
        self.assertTrue(self.server("a").peers.is_ours("\ud800", ()))

    def test_one_of_all(self) -> None:
        """Each key has one keeper, and each server has some keys."""
        servers = [self.server(name) for name in "abc"]
        self.advance(6)
        keepers = self.keepers(servers)
        self.assertEqual({len(found) for found in keepers}, {1})
        self.assertEqual({found[0] for found in keepers}, {"a", "b", "c"})

    def test_after_a_death(self) -> None:
        """What a dead one kept the others keep, and nothing else has another keeper."""
        servers = [self.server(name) for name in "abc"]
        self.advance(6)
        before = self.keepers(servers)
        self.silence(servers[2])
        self.advance(20)
        after = self.keepers(servers[:2])
        self.assertEqual({len(found) for found in after}, {1})
        kept = [(b, a) for b, a in zip(before, after, strict=True) if b != ["c"]]
        self.assertEqual([b for b, _ in kept], [a for _, a in kept])

    def test_who_stays(self) -> None:
        """Neither who has just come nor who is leaving keeps what another one can."""
        one = self.server("one")
        self.advance(2)
        two = self.server("two")
        self.exchange.turn()
        self.assertTrue(all(one.peers.is_ours(f"user{n}", ()) for n in range(50)))
        self.assertFalse(any(two.peers.is_ours(f"user{n}", ()) for n in range(50)))
        self.advance(2)
        one.peers.leave()
        self.exchange.turn()
        self.assertTrue(all(two.peers.is_ours(f"user{n}", ()) for n in range(50)))
        two.peers.leave()
        self.exchange.turn()
        keepers = self.keepers([one, two])
        self.assertEqual({len(found) for found in keepers}, {1})
        both = [server.peers.is_ours("user", ["two", "gone"]) for server in (one, two)]
        self.assertEqual(both, [False, True])
