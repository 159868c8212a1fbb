"""`mojo.sessions.revocations`."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from mojo.credential import Credential
from mojo.sessions.revocations import MAX_LOGINS, Mark, Revocations

NOW = 1_700_000_000.0
DAY = 86400.0


class RevocationsTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.now = NOW
        self.revocations = self.make()

    def make(self, **options) -> Revocations:
        return Revocations(lambda: self.now, 14 * DAY, 365 * DAY, **options)

    def login(self, user_id: str = "ada", login: str = "1", **more) -> Credential:
        """Log somebody in now."""
        since = self.revocations.beginning(user_id)
        return Credential(user_id=user_id, id=login, since=since, **more)


class RevocationsTests(RevocationsTestCase):
    def test_user(self) -> None:
        """All that a user has now, and nothing of another's or of later."""
        ada, bob = self.login(), self.login("bob")
        self.now += 1
        self.revocations.revoke_user("ada")
        self.assertTrue(self.revocations.covers(ada))
        self.assertFalse(self.revocations.covers(bob))
        self.now += 1
        self.assertFalse(self.revocations.covers(self.login()))

    def test_in_the_same_moment(self) -> None:
        """Who logs in in the moment of the revocation is in, and who did before is out."""
        before = self.login()
        self.revocations.revoke_user("ada")
        after = self.login()
        self.assertTrue(self.revocations.covers(before))
        self.assertFalse(self.revocations.covers(after))
        self.revocations.revoke_user("ada")
        self.assertTrue(self.revocations.covers(after))

    def test_renewed(self) -> None:
        """A cookie that was sealed anew is of the login that it was."""
        renewed = replace(self.login(), expires=NOW + 100 * DAY)
        self.now += 1
        self.revocations.revoke_user("ada")
        self.assertTrue(self.revocations.covers(renewed))

    def test_login(self) -> None:
        """One of a user's logins, and not the others."""
        one, two = self.login(login="1"), self.login(login="2")
        self.revocations.revoke_login(one)
        self.assertTrue(self.revocations.covers(one))
        self.assertFalse(self.revocations.covers(two))

    def test_login_of_a_clock_ahead(self) -> None:
        """One that seems to begin in a minute is out as well."""
        login = replace(self.login(), since=NOW + 60)
        self.revocations.revoke_login(login)
        self.now += 61
        self.assertTrue(self.revocations.covers(login))

    def test_session(self) -> None:
        """The logins that were made in it, and the session's own cookie."""
        inside, outside = self.login(session_id="s"), self.login(session_id="t")
        self.revocations.revoke_session("s")
        self.assertTrue(self.revocations.covers(inside))
        self.assertFalse(self.revocations.covers(outside))
        self.assertTrue(self.revocations.covers_session("s", NOW))
        self.assertFalse(self.revocations.covers_session("t", NOW))

    def test_session_and_a_clock_that_was_put_back(self) -> None:
        """What was sealed and made by the former time is no better for it."""
        login = self.login(session_id="s")
        self.now -= 10
        self.revocations.revoke_session("s")
        self.assertTrue(self.revocations.covers_session("s", NOW))
        self.assertTrue(self.revocations.covers(login))

    def test_user_and_a_clock_that_was_put_back(self) -> None:
        """Who logged in before is out, and who does afterwards is in."""
        before = self.login()
        self.now -= 3600
        self.revocations.revoke_user("ada")
        self.assertTrue(self.revocations.covers(before))
        self.assertFalse(self.revocations.covers(self.login(login="2")))

    def test_forgotten_in_time(self) -> None:
        """A mark goes when no cookie of its time can be good."""
        self.revocations.revoke_user("ada")
        for day, marks in ((14, 2), (15, 1)):
            self.now = NOW + day * DAY
            self.revocations.revoke_user("bob")
            self.assertEqual(len(self.revocations._users), marks)
        self.assertFalse(self.revocations.covers(self.login()))

    def test_full(self) -> None:
        """What has to be forgotten before its time takes along all that is as old."""
        self.revocations = self.make(max_marks=10)
        old = self.login("eve")
        for number in range(10):
            self.now += 1
            self.revocations.revoke_user(f"user{number}")
        self.assertFalse(self.revocations.covers(old))
        young = self.login("eve", "2")
        self.now += 1
        self.revocations.revoke_user("one more")
        self.assertEqual(len(self.revocations._users), 10)
        self.assertTrue(self.revocations.covers(old))
        self.assertFalse(self.revocations.covers(young))
        self.assertFalse(self.revocations.covers(self.login("eve", "3")))

    def test_full_of_sessions(self) -> None:
        self.revocations = self.make(max_marks=1)
        self.revocations.revoke_session("s")
        self.now += 1
        self.revocations.revoke_session("t")
        self.assertTrue(self.revocations.covers_session("s", NOW))
        self.assertTrue(self.revocations.covers_session("u", NOW))
        self.assertFalse(self.revocations.covers_session("u", NOW + 1))

    def test_one_who_logs_out_for_ever(self) -> None:
        """It is the user's own early logins that go, and nobody else's."""
        first, other = self.login(login="first"), self.login("bob", "his")
        for number in range(MAX_LOGINS + 1):
            self.now += 1
            self.revocations.revoke_login(self.login(login=str(number)))
        self.assertEqual(len(self.revocations._logins), MAX_LOGINS)
        self.assertTrue(self.revocations.covers(first))
        self.assertFalse(self.revocations.covers(other))
        self.assertFalse(self.revocations.covers(self.login(login="new")))


class ToldTests(RevocationsTestCase):
    """What one server knows to be worthless, learnt by another."""

    def setUp(self) -> None:
        super().setUp()
        self.other = self.make()

    def test_learn(self) -> None:
        """It is worthless there too, and only what was news is told."""
        ada, bob, eve = self.login(), self.login("bob", "2"), self.login("eve", "3", session_id="s")
        self.now += 1
        marks = [
            self.revocations.revoke_user("ada"),
            self.revocations.revoke_login(bob),
            self.revocations.revoke_session("s"),
        ]
        at = NOW + 1
        self.assertEqual(
            marks,
            [Mark("user", "ada", at), Mark("login", "2", at, "bob"), Mark("session", "s", at)],
        )
        self.assertEqual(sorted(self.revocations.marks()), sorted(marks))
        self.assertEqual(sorted(self.other.learn(marks)), sorted(marks))
        self.assertEqual([self.other.covers(one) for one in (ada, bob, eve)], [True] * 3)
        self.assertTrue(self.other.covers_session("s", at))
        self.assertEqual(self.other.learn(marks), [])
        self.assertFalse(self.other.covers(self.login("dan", "4")))

    def test_newer(self) -> None:
        """Of two moments the later one stays, whichever was learnt first."""
        self.other.learn([Mark("user", "ada", NOW + 5)])
        self.assertEqual(self.other.learn([Mark("user", "ada", NOW)]), [])
        self.assertTrue(self.other.covers(Credential(user_id="ada", since=NOW + 5)))
        self.assertEqual(len(self.other.learn([Mark("user", "ada", NOW + 6)])), 1)

    def test_told_moment(self) -> None:
        """What is told of a revocation is when it was, and not when that is heard."""
        self.now += 10
        self.other.revoke_user("ada", NOW)
        self.assertFalse(self.other.covers(Credential(user_id="ada", since=NOW + 1)))
        self.assertTrue(self.other.covers(Credential(user_id="ada", since=NOW)))

    def test_forgotten(self) -> None:
        """What had to be forgotten is worthless with all of its time, there too."""
        few = self.make(max_marks=2)
        old = self.login("old")
        for number in range(3):
            self.now += 1
            few.revoke_user(f"user{number}")
        self.assertTrue(few.covers(old))
        self.other.learn(list(few.marks()))
        self.assertTrue(self.other.covers(old))
        self.now += 1
        self.assertFalse(self.other.covers(self.login("new")))

    def test_bounds(self) -> None:
        """There is no more room for what is learnt than for what is revoked."""
        few = self.make(max_marks=10)
        few.learn([Mark("session", f"s{number}", NOW + number) for number in range(1000)])
        self.assertEqual(len(list(few.marks())), 11)
        self.assertTrue(few.covers_session("any", NOW + 989))
        self.assertFalse(few.covers_session("any", NOW + 990))

    def test_no_ids_in_logs(self) -> None:
        self.assertEqual(repr(Mark("session", "secret", NOW)), "<Mark of a session>")
