"""Revocations that servers learn of later: `shared_revocations`, and `marks` without Redis."""

from __future__ import annotations

import json

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from mojo import App, MojoSocketHandler
from mojo.cluster.shared_revocations import SharedRevocations
from mojo.credential import Credential
from mojo.errors import ClusterUnavailable
from mojo.sessions.revocations import Mark, Revocations
from tests.cluster.nodes import Cluster

NOW = 1_700_000_000.0


class Source:
    """What is kept, in memory: it answers when the test says so, unless it is away."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], Mark] = {}
        self.is_away = False
        self.waits: Deferred | None = None
        self.reads = 0
        self.is_closed = False

    async def read(self):
        self.reads += 1
        if self.waits is not None:
            await self.waits
        if self.is_away:
            raise ClusterUnavailable("away")
        return list(self.kept.values())

    async def keep(self, marks) -> None:
        if self.is_away:
            raise ClusterUnavailable("away")
        self.kept.update({(mark.kind, mark.key): mark for mark in marks})

    async def close(self) -> None:
        self.is_closed = True


class LearningTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.source = Source()
        self.revocations = Revocations(lambda: NOW + self.clock.seconds(), 1000.0, 1000.0)
        self.news: list[Mark] = []
        self.shared = SharedRevocations(self.revocations, self.source, self.clock, self.news.extend)
        self.known = self.shared.known()

    def stop(self) -> None:
        self.successResultOf(Deferred.fromCoroutine(self.shared.stop()))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_at_the_start(self) -> None:
        """Clients may come when it is known what is worthless."""
        mark = self.source.kept["user", "ada"] = Mark("user", "ada", NOW)
        self.source.waits = Deferred()
        self.shared.start()
        self.clock.advance(2)
        self.assertNoResult(self.known)
        self.source.waits.callback(None)
        self.successResultOf(self.known)
        self.assertTrue(self.revocations.covers(Credential(user_id="ada", since=NOW)))
        self.assertEqual(self.news, [mark])
        self.stop()

    def test_bounded(self) -> None:
        """They do not wait for longer than three seconds, and it is learnt when it can be."""
        self.source.is_away = True
        self.source.kept["user", "ada"] = Mark("user", "ada", NOW)
        self.shared.start()
        self.clock.advance(2.9)
        self.assertNoResult(self.known)
        self.clock.advance(0.1)
        self.successResultOf(self.known)
        self.source.is_away = False
        self.clock.advance(2)
        self.assertEqual(len(self.news), 1)
        self.stop()

    def test_kept(self) -> None:
        """What is revoked is kept for others; what could not be is kept later."""
        self.shared.start()
        self.shared.keep([self.revocations.revoke_user("ada")])
        self.assertEqual(list(self.source.kept), [("user", "ada")])
        self.source.is_away = True
        lines = []
        globalLogPublisher.addObserver(lines.append)
        self.addCleanup(globalLogPublisher.removeObserver, lines.append)
        self.shared.keep([self.revocations.revoke_user("bob")])
        self.clock.pump([2.0] * 3)
        told = [event for event in lines if event["log_namespace"].endswith("shared_revocations")]
        self.assertEqual(len(told), 1)
        self.source.is_away = False
        self.clock.advance(2)
        self.assertEqual(list(self.source.kept), [("user", "ada"), ("user", "bob")])
        self.stop()

    def test_many(self) -> None:
        """A thousand at once, and no more."""
        sizes = []
        keep = self.source.keep

        async def note(marks):
            sizes.append(len(marks))
            await keep(marks)

        self.source.keep = note
        self.shared.start()
        self.shared.keep([Mark("user", f"user{number}", NOW) for number in range(2500)])
        self.assertEqual((sizes, len(self.source.kept)), ([1000, 1000, 500], 2500))
        self.stop()

    def test_source_that_lost_it(self) -> None:
        """A Redis that is empty gets what is known here."""
        self.shared.start()
        self.shared.keep([self.revocations.revoke_user("ada")])
        self.source.kept.clear()
        self.shared.look()
        self.assertEqual(list(self.source.kept), [("user", "ada")])
        self.stop()

    def test_stop(self) -> None:
        """What is not kept is, if that can be; and nothing is tried any more."""
        self.source.is_away = True
        self.shared.start()
        self.shared.keep([self.revocations.revoke_user("ada")])
        self.source.is_away = False
        self.stop()
        self.assertEqual(list(self.source.kept), [("user", "ada")])
        self.assertTrue(self.source.is_closed)
        self.successResultOf(self.known)
        reads = self.source.reads
        self.clock.advance(10)
        self.assertEqual(self.source.reads, reads)

    def test_stop_without(self) -> None:
        self.source.is_away = True
        self.shared.start()
        self.shared.keep([self.revocations.revoke_user("ada")])
        self.stop()


class Chat(MojoSocketHandler):
    seen: list = []  # noqa: RUF012

    def on_logout(self, reason):
        self.seen.append((self.request.user_id, reason))


class SiblingTests(SynchronousTestCase):
    """Servers without Redis ask each other."""

    def setUp(self) -> None:
        Chat.seen = []
        self.cluster = Cluster()
        self.addCleanup(self.cluster.close)
        self.one, self.two = self.start(), self.start()
        self.cluster.advance(2)

    def start(self):
        return self.cluster.start(App(name="Chat", handler=type("Chat", (Chat,), {})))

    def whom(self, node, browser) -> str | None:
        """Tell whom somebody who comes to a server is taken for."""
        client = node.server.connect("/ChatSocket", browser=browser)
        return client.handler.user_id

    def test_newcomer(self) -> None:
        """A server that is started knows what was revoked before."""
        browsers = {user: self.one.server.browser(user) for user in ("ada", "bob", "eve")}
        self.cluster.advance(1)
        self.one.service.revoke(user_id="ada")
        self.two.service.revoke(session_id="session-of-eve")
        self.cluster.advance(1)
        three = self.start()
        known = three.service.cluster.know()
        self.cluster.turn()
        self.successResultOf(known)
        self.assertIsNone(self.whom(three, browsers["ada"]))
        self.assertEqual(self.whom(three, browsers["bob"]), "bob")
        eve = three.server.connect("/ChatSocket", browser=browsers["eve"])
        self.assertIsNone(eve.handler.session_id)

    def test_one_answers(self) -> None:
        """And not all of them."""
        self.one.service.revoke(user_id="ada")
        self.cluster.advance(1)
        self.cluster.exchange.published.clear()
        self.start()
        self.cluster.advance(0.2)
        acts = [json.loads(data)["act"] for _, data in self.cluster.exchange.published]
        self.assertEqual([acts.count(act) for act in ("knows", "marks?", "marks")], [2, 1, 1])

    def test_just_told(self) -> None:
        """Who was told itself a moment ago knows, and passes it on when it is alone."""
        self.one.service.revoke(user_id="ada")
        self.cluster.advance(1)
        three = self.start()
        self.cluster.advance(0.1)
        for node in (self.one, self.two):
            node.kill()
        four = self.start()
        self.cluster.advance(0.1)
        for node in (three, four):
            self.assertEqual(len(list(node.service.cookies.revocations.marks())), 1)

    def test_looks_again(self) -> None:
        """Whose question was lost asks once more when it knows the others."""
        self.one.service.revoke(user_id="ada")
        self.cluster.advance(1)
        for node in (self.one, self.two):
            node.bus.loses = lambda channel, data: b'"knows?"' in data
        three = self.start()
        self.cluster.advance(0.5)
        self.assertEqual(list(three.service.cookies.revocations.marks()), [])
        for node in (self.one, self.two):
            node.bus.loses = lambda channel, data: False
        self.cluster.advance(1.5)
        self.assertEqual(len(list(three.service.cookies.revocations.marks())), 1)

    def test_dead(self) -> None:
        """One that is dead, and was not missed yet, is not waited for."""
        self.one.service.revoke(user_id="ada")
        self.cluster.advance(1)
        for dead in (self.one, self.two):
            three = self.start()
            self.cluster.advance(3)
            dead.kill()
            four = self.start()
            known = four.service.cluster.know()
            self.cluster.turn()
            self.successResultOf(known)
            self.assertEqual(len(list(four.service.cookies.revocations.marks())), 1)
            three.kill()
            self.cluster.advance(20)

    def test_away(self) -> None:
        """Who was cut off learns what was revoked meanwhile, and live logins end."""
        for here, away in ((self.one, self.two), (self.two, self.one)):
            Chat.seen.clear()
            browser = away.server.browser("ada")
            away.server.connect("/ChatSocket", browser=browser)
            self.cluster.advance(1)
            away.cut()
            here.service.revoke(user_id="ada")
            self.cluster.advance(1)
            self.assertEqual(Chat.seen, [])
            away.mend()
            self.cluster.advance(1)
            self.assertEqual(Chat.seen, [("ada", "revoked")])
            self.assertIsNone(self.whom(away, browser))
            self.cluster.advance(1)

    def test_alone(self) -> None:
        """Whom nobody answers lets clients in after a moment."""
        for node in (self.one, self.two):
            node.kill()
        three = self.start()
        known = three.service.cluster.know()
        self.cluster.advance(0.2)
        self.assertNoResult(known)
        self.cluster.advance(0.2)
        self.successResultOf(known)

    def test_many(self) -> None:
        """In parts, each of which takes no long message."""
        for number in range(2000):
            self.one.service.revoke(user_id=f"user{number}")
        self.cluster.turn()
        self.cluster.exchange.published.clear()
        three = self.start()
        self.cluster.advance(0.2)
        self.assertEqual(len(list(three.service.cookies.revocations.marks())), 2000)
        self.assertLess(max(len(data) for _, data in self.cluster.exchange.published), 50_000)

    def test_of_others(self) -> None:
        """What is no mark is counted, and an answer to no question is not heard."""
        stats = self.two.service.cluster.stats
        bad = [
            ("knows?", []), ("knows", ["x"]), ("marks?", []), ("marks?", ["x"]),
            ("marks", []), ("marks", [1, True, 1]),
            ("marks", [1, True, [1]]), ("marks", [1, True, [["user", "ada", "1", ""]]]),
            ("marks", [1, True, [["all", "ada", 1, ""]]]),
            ("marks", [1, True, [["user", None, 1, ""]]]),
        ]  # fmt: skip
        for act, args in [*bad, ("marks", [1, True, [["user", "ada", 2e9, ""]]])]:
            message = {"uid": self.one.uid, "act": act, "args": args}
            self.cluster.exchange.put(b"socket.io-mojo#", json.dumps(message).encode())
        self.cluster.turn()
        self.assertEqual(stats.refused, len(bad))
        self.assertEqual(list(self.two.service.cookies.revocations.marks()), [])
