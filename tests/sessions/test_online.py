"""Who is online, who was, and what a project's hooks are told of it."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mojo import App, MojoSocketHandler
from mojo.socketio.places import Identity
from mojo.socketio.roster import USERS, Entry
from mojo.testing import TestServer
from mojo.testing.server import EPOCH
from tests.web.server import VisitorPage

ADA = Identity("session-of-ada", "ada")


class Page(VisitorPage):
    csrf_protected = False

    def get(self):
        pass


class Login(Page):
    def post(self):
        self.login(self.get_argument("user"))


class Logout(Page):
    def post(self):
        self.logout()


class Chat(MojoSocketHandler):
    pass


PAGES = [("/", Page), ("/login", Login), ("/logout", Logout)]


class OnlineTestCase(SynchronousTestCase):
    settings: dict = {}  # noqa: RUF012

    def setUp(self) -> None:
        self.told: list[tuple[str, str]] = []
        chat = App(name="Chat", handler=Chat, urlpatterns=PAGES)
        game = App(name="Game", handler=type("Game", (Chat,), {}))
        self.server = TestServer(
            chat,
            game,
            settings={
                "ON_USER_ONLINE": self.came,
                "ON_USER_OFFLINE": self.went,
                **self.settings,
            },
        )
        self.addCleanup(self.server.close)
        self.service = self.server.service
        self.online = self.service._registry.online

    def came(self, user_id, service):
        assert service is self.service
        self.told.append(("came", user_id))

    def went(self, user_id, service):
        assert service is self.service
        self.told.append(("went", user_id))

    def tab(self, user="ada", namespace="/ChatSocket", **options):
        tab = self.server.connect(namespace, user_id=user, **options)
        assert tab.connected
        return tab

    def news(self) -> list[tuple[str, str]]:
        """What the hooks were told since the last time."""
        self.server.turn()
        told, self.told[:] = list(self.told), []
        return told


class HookTests(OnlineTestCase):
    def test_once_for_a_user(self) -> None:
        """Not for each tab, browser or app."""
        tabs = [self.tab(), self.tab(session_id="s2"), self.tab(namespace="/GameSocket")]
        self.assertEqual(self.news(), [("came", "ada")])
        for tab in tabs:
            tab.disconnect()
            self.assertEqual(self.news(), [] if tab is not tabs[-1] else [("went", "ada")])

    def test_anonymous(self) -> None:
        self.server.connect("/ChatSocket", session_id="s1").disconnect()
        self.assertEqual((self.news(), self.service.online_users), ([], frozenset()))

    def test_reload(self) -> None:
        """Who is back in time was never away."""
        tab = self.tab()
        self.news()
        for _ in range(3):
            tab.vanish()
            self.server.advance(9.9)
            self.assertTrue(self.service.user("ada").online)
            tab = self.tab()
            self.server.advance(60)
        self.assertEqual(self.news(), [])

    def test_gone(self) -> None:
        """Ten seconds after the connection broke, to the second."""
        self.tab().vanish()
        self.news()
        self.server.advance(9.999)
        self.assertEqual((self.news(), self.service.user("ada").online), ([], True))
        self.server.advance(0.001)
        self.assertEqual((self.news(), self.service.user("ada").online), ([("went", "ada")], False))

    def test_two_tabs_vanish(self) -> None:
        """In the same moment: one departure."""
        for tab in (self.tab(), self.tab(transport="polling")):
            tab.vanish()
        self.news()
        self.server.advance(60)
        self.assertEqual(self.news(), [("went", "ada")])

    def test_leaving_while_another_tab_reloads(self) -> None:
        """A tab that says goodbye does not speak for one that may come back."""
        first, second = self.tab(), self.tab()
        self.news()
        first.vanish()
        second.disconnect()
        self.assertEqual(self.news(), [])
        self.tab()
        self.server.advance(60)
        self.assertEqual(self.news(), [])

    def test_back_and_gone(self) -> None:
        """Who is back from a reload and then leaves is gone at once."""
        self.tab().vanish()
        tab = self.tab()
        self.news()
        tab.disconnect()
        self.assertEqual(self.news(), [("went", "ada")])

    def test_come_and_gone(self) -> None:
        """Who has come and gone in one turn was never here."""
        self.online.came("ada", ADA)
        self.assertTrue(self.service.user("ada").online)
        self.online.went("ada", ADA, may_return=False)
        self.assertEqual(self.news(), [])

    def test_sent_away(self) -> None:
        """Nobody is waited for who was sent away."""
        self.tab()
        self.news()
        self.service.user("ada").close()
        self.assertEqual(self.news(), [("went", "ada")])

    def test_heard_by_the_newcomer(self) -> None:
        """What a hook sends reaches the user's first tab, after it learned that it is connected."""
        self.online.hooks = (lambda user_id: self.service.user(user_id).emit("hello"), None)
        tab = self.tab()
        self.server.turn()
        self.assertEqual(tab.received(), [("hello", [])])

    def test_raising(self) -> None:
        """A hook that raises is logged and counted, and disturbs nobody; it is not called again."""

        def fail(user_id):
            self.told.append(("failed", user_id))
            raise ValueError

        async def fail_later(user_id):
            fail(user_id)

        for hook in (fail, fail_later):
            self.online.hooks = (hook, hook)
            ada, bob = self.tab(), self.tab("bob")
            self.assertEqual(self.news(), [("failed", "ada"), ("failed", "bob")])
            self.assertTrue(ada.connected and bob.connected)
            ada.disconnect()
            bob.disconnect()
            self.assertEqual(self.news(), [("failed", "ada"), ("failed", "bob")])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 8)
        self.assertEqual(self.service._sockets.stats.handler_errors, 8)

    def test_slow_hooks(self) -> None:
        """One at a time for a user, and no more than are needed to end with the truth."""
        hooks: list[tuple[str, Deferred]] = []

        def slow(what):
            def hook(user_id):
                hooks.append((what, Deferred()))
                return hooks[-1][1]

            return hook

        self.online.hooks = (slow("came"), slow("went"))
        for _ in range(3):
            tab = self.tab()
            self.server.turn()
            tab.disconnect()
            self.server.turn()
        self.assertEqual([what for what, _ in hooks], ["came"])
        hooks[0][1].callback(None)
        self.assertEqual([what for what, _ in hooks], ["came", "went"])
        self.tab("bob")
        self.server.turn()
        self.assertEqual(hooks[2][0], "came")  # somebody else does not wait
        for _, hook in hooks[1:]:
            hook.callback(None)
        self.assertEqual(len(hooks), 3)
        self.assertEqual(self.online._busy, set())

    def test_hook_that_sends_away(self) -> None:
        """What a hook does to the user is told by the other hook, a turn later."""
        self.online.hooks = (
            lambda user_id: self.service.user(user_id).close(),
            lambda user_id: self.told.append(("went", user_id)),
        )
        tab = self.server.connect("/ChatSocket", user_id="ada")
        self.assertEqual((tab.closed, self.news()), ("io server disconnect", [("went", "ada")]))


class LogoutTests(OnlineTestCase):
    settings = {"LOGIN_MAX_AGE": 200}  # noqa: RUF012

    def setUp(self) -> None:
        super().setUp()
        self.browser = self.server.browser()
        self.browser.get("/")
        self.browser.post("/login", {"user": "ada"})

    def connect(self):
        return self.server.connect("/ChatSocket", browser=self.browser)

    def test_logout(self) -> None:
        """Who logs out is gone at once, though the connections stay."""
        tabs = [self.connect(), self.connect()]
        self.news()
        self.browser.post("/logout")
        self.assertEqual(self.news(), [("went", "ada")])
        self.assertTrue(all(tab.connected for tab in tabs))
        for tab in tabs:
            tab.vanish()
        self.server.advance(60)
        self.assertEqual(self.news(), [])

    def test_other_browser(self) -> None:
        """Who is logged in elsewhere is still here."""
        self.connect()
        self.tab(session_id="elsewhere")
        self.news()
        self.browser.post("/logout")
        self.assertEqual((self.news(), self.service.user("ada").online), ([], True))

    def test_tab_that_was_faster(self) -> None:
        """A page that leads to the logout closes its connection first; nobody waits for that."""
        self.connect().vanish()
        self.news()
        self.browser.post("/logout")
        self.assertEqual(self.news(), [("went", "ada")])

    def test_somebody_else_is_waited_for(self) -> None:
        """A logout ends the waiting for nobody but that browser's tabs."""
        self.tab("bob", session_id="s2").vanish()
        self.tab("ada", session_id="s3").vanish()
        self.connect().vanish()
        self.news()
        self.browser.post("/logout")
        self.assertEqual(self.news(), [])
        self.server.advance(10)
        self.assertEqual(sorted(self.news()), [("went", "ada"), ("went", "bob")])

    def test_revoked(self) -> None:
        """All browsers at once, those that are away too."""
        self.connect()
        self.tab(session_id="elsewhere").vanish()
        self.news()
        self.service.revoke(user_id="ada")
        self.assertEqual(self.news(), [("went", "ada")])

    def test_revoked_session(self) -> None:
        self.connect()
        self.news()
        session_id = self.connect().handler.session_id
        self.service.revoke(session_id=session_id)
        self.assertEqual(self.news(), [("went", "ada")])

    def test_login_again(self) -> None:
        """The session's id changes, and nobody goes."""
        tab = self.connect()
        self.news()
        self.browser.post("/login", {"user": "ada"})
        self.assertEqual(self.news(), [])
        tab.vanish()
        self.connect()
        self.server.advance(60)
        self.assertEqual(self.news(), [])

    def test_login_as_somebody_else(self) -> None:
        """The one is gone at once; the other is here with the first connection."""
        self.connect()
        self.news()
        self.browser.post("/login", {"user": "bob"})
        self.assertEqual(self.news(), [("went", "ada")])
        self.connect()
        self.assertEqual(self.news(), [("came", "bob")])

    def test_expired(self) -> None:
        self.connect()
        self.news()
        self.server.advance(201)
        self.assertEqual(self.news(), [("went", "ada")])


class FactsTests(OnlineTestCase):
    def test_sessions(self) -> None:
        tabs = [self.tab(), self.tab(), self.tab(session_id="s2")]
        ada = self.service.user("ada")
        self.assertEqual({v.session_id for v in ada.sessions}, {"session-of-ada", "s2"})
        self.assertEqual({len(visitor.connections) for visitor in ada.sessions}, {2, 1})
        self.assertEqual(len(ada.connections), len(tabs))
        self.assertEqual(self.service.online_users, {"ada"})
        self.assertEqual(self.service.user("bob").sessions, ())

    def test_last_seen(self) -> None:
        """Now for who is here, then the moment at which the last connection went."""
        ada = self.service.user("ada")
        self.assertIsNone(ada.last_seen)
        tab = self.tab()
        self.server.advance(5)
        self.assertEqual(ada.last_seen, EPOCH + 5)
        tab.vanish()
        self.server.advance(100)
        self.assertEqual(ada.last_seen, EPOCH + 5)
        tab = self.tab()
        self.server.advance(1)
        self.assertEqual(ada.last_seen, EPOCH + 106)
        tab.disconnect()
        self.assertEqual(ada.last_seen, EPOCH + 106)

    def test_grace(self) -> None:
        """Who is away for a moment is online, and not in LOGGED_IN_SESSIONS."""
        self.tab().vanish()
        self.assertTrue(self.service.user("ada").online)
        self.assertEqual(self.service.user("ada").connections, ())
        self.assertNotIn("ada", self.service.logged_in_sessions)

    def test_numbers(self) -> None:
        """A user id may be asked for as a number."""
        self.tab(7)
        self.assertTrue(self.service.user(7).online)
        self.assertEqual(self.service.user(7).last_seen, EPOCH)


class BoundTests(OnlineTestCase):
    settings = {"MAX_LAST_SEEN": 2}  # noqa: RUF012

    def test_oldest_go(self) -> None:
        """Those that went first are forgotten, and only of those who are not here."""
        here = self.tab("here")
        for user in ("ada", "bob", "ada", "eve"):
            self.tab(user).disconnect()
            self.server.advance(1)
        seen = [self.service.user(user).last_seen for user in ("ada", "bob", "eve", "here")]
        self.assertEqual(seen, [EPOCH + 2, None, EPOCH + 3, EPOCH + 4])
        here.disconnect()
        self.assertEqual(len(self.online._seen), 2)

    def test_who_is_here_takes_no_room(self) -> None:
        """Neither who has come back, nor who has closed one tab of two."""
        self.tab("ada").disconnect()
        self.tab("bob").disconnect()
        self.tab("bob")
        self.tab("bob").disconnect()
        self.tab("eve").disconnect()
        self.assertEqual(list(self.online._seen), ["ada", "eve"])


class NoGraceTests(OnlineTestCase):
    settings = {"PRESENCE_GRACE": 0}  # noqa: RUF012

    def test_reload(self) -> None:
        """Without a grace time a reload is a departure."""
        self.tab().vanish()
        self.assertEqual(self.news(), [("came", "ada"), ("went", "ada")])
        self.tab()
        self.assertEqual(self.news(), [("came", "ada")])
        self.assertEqual((len(self.online._absences), self.online._away), (0, {}))


class StopTests(OnlineTestCase):
    def test_everybody_is_gone(self) -> None:
        """A service that stops tells of everybody, also of who was waited for."""
        self.tab()
        self.tab("bob").vanish()
        self.news()
        self.server.close()
        self.assertEqual(sorted(self.told), [("went", "ada"), ("went", "bob")])

    def test_hooks_have_time(self) -> None:
        """It waits for a hook, as for one that writes to a database."""
        gone: Deferred = Deferred()
        self.online.hooks = (None, lambda user_id: gone)
        self.tab()
        self.server.turn()
        stopped = self.service.stopService()
        self.server.advance(2)
        self.assertNoResult(stopped)
        gone.callback(None)
        self.server.advance(0.1)
        self.successResultOf(stopped)

    def test_started_again(self) -> None:
        """A service that is started again begins with nobody, and tells of whoever comes."""
        self.tab()
        stopped = self.service.stopService()
        self.server.advance(1)
        self.successResultOf(stopped)
        self.assertEqual(self.news(), [("came", "ada"), ("went", "ada")])
        self.service.startService()
        self.tab()
        self.assertEqual((self.news(), self.service.online_users), ([("came", "ada")], {"ada"}))

    def test_hook_that_is_never_over(self) -> None:
        """It is not waited for without end."""
        self.online.hooks = (None, lambda user_id: Deferred())
        self.tab()
        self.server.turn()
        self.server.close()


class NodeTests(OnlineTestCase):
    """What a cluster tells, put beside what is known here."""

    def entry(self, user="ada") -> Entry:
        return Entry("b", user, "", {})

    def test_here_and_there(self) -> None:
        """Of one user they are called at one node, wherever the user comes and goes."""
        roster = self.service._sockets.presence.roster
        roster.node = "a"
        roster.put(USERS, self.entry())
        self.assertEqual(self.news(), [("came", "ada")])
        self.assertTrue(self.service.user("ada").online)
        self.tab()
        roster.remove(USERS, self.entry())
        self.assertEqual(self.news(), [])
        self.service.user("ada").close()
        self.assertEqual(self.news(), [("went", "ada")])

    def test_of_another_node(self) -> None:
        """Whose hooks another node calls is known here, and not told."""
        roster = self.service._sockets.presence.roster
        roster.node = "a"
        self.online.is_ours = lambda user_id, nodes: user_id == "bob"
        roster.put(USERS, self.entry())
        self.tab()
        self.tab("bob")
        self.assertEqual(self.news(), [("came", "bob")])
        self.service.user("ada").close()
        roster.remove(USERS, self.entry())
        self.assertEqual((self.news(), self.service.online_users), ([], {"bob"}))

    def test_a_node_dies(self) -> None:
        """What its hooks were told is known to whoever tells them from then on."""
        roster = self.service._sockets.presence.roster
        roster.node = "a"
        self.online.is_ours = lambda user_id, nodes: False
        roster.put(USERS, self.entry())
        roster.put(USERS, self.entry("bob"))
        self.tab("bob")
        self.news()
        self.online.is_ours = lambda user_id, nodes: True
        roster.remove_node("b")
        self.assertEqual(self.news(), [("went", "ada")])

    def test_not_decided(self) -> None:
        """A node that has just come tells nothing until it knows what was told."""
        self.online.wait_for_others()
        self.tab()
        self.assertEqual(self.news(), [])
        self.online.decide(were_told=True)
        self.assertEqual(self.news(), [])
        self.service.user("ada").close()
        self.assertEqual(self.news(), [("went", "ada")])

    def test_nobody_else(self) -> None:
        """It tells what it knows where nobody else could have."""
        self.online.wait_for_others()
        self.tab()
        self.tab("bob").disconnect()
        self.news()
        self.online.decide(were_told=False)
        self.assertEqual(self.news(), [("came", "ada")])

    def test_last_seen_elsewhere(self) -> None:
        """Now while there is a connection at another node, then what that says."""
        roster = self.service._sockets.presence.roster
        roster.node = "a"
        ada = self.service.user("ada")
        self.tab().disconnect()
        roster.put(USERS, self.entry())
        self.server.advance(5)
        self.assertEqual(ada.last_seen, EPOCH + 5)
        roster.put(USERS, Entry("b", "ada", "", {"seen": EPOCH + 4}))
        self.server.advance(5)
        self.assertEqual((ada.last_seen, ada.online), (EPOCH + 4, True))
        roster.remove_node("b")
        self.server.advance(5)
        self.assertEqual((ada.last_seen, ada.online), (EPOCH + 4, False))

    def test_heirs(self) -> None:
        """Where another node waits for who was here, a stop tells of nobody, and keeps nobody."""
        self.service._sockets.presence.has_heirs = lambda: True
        self.tab()
        self.tab("bob").vanish()
        self.news()
        self.server.close()
        self.assertEqual(self.told, [])
        self.assertEqual(self.service.online_users, {"ada", "bob"})

    def test_shared(self) -> None:
        """Once a turn, with what has changed in it."""
        shared: list = []
        self.service._sockets.presence.share = shared.append
        self.online.came("ada", ADA)
        self.online.came("bob", Identity(None, "bob"))
        self.online.came("eve", Identity(None, "eve"))
        self.online.went("eve", Identity(None, "eve"), may_return=False)
        self.server.turn()
        (changes,) = shared
        self.assertEqual([e.key for e in changes[USERS].joins], ["ada", "bob"])
