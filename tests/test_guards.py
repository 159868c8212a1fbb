"""``LOAD_USER``, ``@login_required`` and ``@require``, on pages, namespaces and events."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mojo import App, MojoRequestHandler, MojoSocketHandler, event, login_required, require
from mojo.auth import hash_password, passwords, scrypt
from mojo.errors import SettingsError
from mojo.guards import FORBIDDEN, LOGIN_REQUIRED, Guard
from mojo.settings import Settings
from mojo.testing import TestServer
from mojo.users import Users
from tests.web.server import VisitorPage, make_service

USERS = {
    "ada": {"name": "Ada", "roles": ["admin", "staff"]},
    "bob": {"name": "Bob", "roles": ["staff"]},
    "eve": {"name": "Eve"},
}
LOGIN = {"error": {"message": "Please log in", "data": {"code": "login_required"}}}
FORBID = {"error": {"message": "Not allowed", "data": {"code": "forbidden"}}}


class Loader:
    """A ``LOAD_USER`` that counts, and may take its time."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.users = {name: dict(user) for name, user in USERS.items()}
        self.waits: Deferred[None] | None = None

    def __call__(self, user_id: str):
        self.asked.append(user_id)
        if self.waits is None:
            return self.users.get(user_id)
        return self.later(user_id)

    async def later(self, user_id: str):
        await self.waits
        return self.users.get(user_id)


class GuardTests(SynchronousTestCase):
    def refusal(self, user, *roles, users=None):
        return Guard(roles).refusal(user, (users or Users()).roles_of)

    def test_nobody(self) -> None:
        for user in (None, "", False, {}, 0):
            self.assertIs(self.refusal(user), LOGIN_REQUIRED)
            self.assertIs(self.refusal(user, "admin"), LOGIN_REQUIRED)

    def test_roles(self) -> None:
        """One is enough; they are an attribute or a key of the user, or what a function says."""

        class User:
            roles = ("staff",)

        for user in (User(), {"roles": ["staff"]}, {"roles": {"staff": 1}}):
            self.assertIsNone(self.refusal(user))
            self.assertIsNone(self.refusal(user, "admin", "staff"))
            self.assertIs(self.refusal(user, "admin"), FORBIDDEN)
        for user in ("ada", {"name": "x"}, object()):
            self.assertIs(self.refusal(user, "admin"), FORBIDDEN)
        users = Users(roles=lambda user: user.split("+"))
        self.assertIsNone(self.refusal("a+b", "b", users=users))

    def test_functions(self) -> None:
        """A function in place of a role is asked with the user."""
        self.assertIsNone(self.refusal("ada", lambda user: user == "ada"))
        self.assertIs(self.refusal("bob", lambda user: user == "ada"), FORBIDDEN)

    def test_roles_that_are_none(self) -> None:
        """A text is no collection of roles: "admin" would be a, d, m, i and n."""
        for roles in ("admin", None, 5):
            self.assertRaises(TypeError, self.refusal, {"roles": roles}, "a")

        async def roles_of(user):
            return ["admin"]

        coroutine = roles_of("ada")
        users = Users(roles=lambda user: coroutine)
        self.assertRaises(TypeError, self.refusal, "ada", "admin", users=users)
        coroutine.close()

    def test_mistakes(self) -> None:
        for roles in ((), (None,), (5,), (["admin"],)):
            self.assertRaises(TypeError, require, *roles)
        self.assertRaises(TypeError, login_required, dict)
        self.assertRaises(TypeError, login_required, "admin")
        # ``@require`` without its roles gets what it decorates.
        self.assertRaises(TypeError, require, MojoRequestHandler)
        self.assertRaises(TypeError, require, MojoRequestHandler.get_argument)


class PageTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.load = Loader()

    def serve(self, *pages, **settings):
        urls = [(f"/{page.__name__.lower()}", page) for page in pages]
        app = App(name="Test", urlpatterns=urls)
        server = TestServer(app, settings={"LOAD_USER": self.load, **settings})
        self.addCleanup(server.close)
        return server

    def test_current_user(self) -> None:
        """It is the loaded user, in the method, in prepare and in templates."""
        seen: list = []

        class Me(MojoRequestHandler):
            def prepare(self):
                seen.append(self.current_user)

            def get(self):
                self.write(str(self.current_user))

        server = self.serve(Me)
        self.assertEqual(server.browser("ada").get("/me").text, str(USERS["ada"]))
        self.assertEqual(seen, [USERS["ada"]])
        self.assertEqual(server.browser().get("/me").text, "None")
        self.assertEqual(server.browser("gone").get("/me").text, "None")
        self.assertEqual(self.load.asked, ["ada", "gone"])

    def test_async(self) -> None:
        class Me(MojoRequestHandler):
            def get(self):
                self.write(self.current_user["name"])

        server = self.serve(Me)
        self.load.waits = Deferred()
        answer = server.browser("ada").ask("GET", "/me")
        self.assertFalse(answer.answered)
        self.load.waits.callback(None)
        self.assertEqual(answer.value.text, "Ada")

    def test_after_login(self) -> None:
        """The user of a login that was just made is nobody until it is loaded."""

        class Enter(VisitorPage):
            csrf_protected = False

            async def post(self):
                self.login("bob")
                before = self.current_user
                after = await self.load_user()
                self.write(f"{before} {after['name']} {self.current_user['name']}")

        browser = self.serve(Enter).browser("ada")
        self.assertEqual(browser.post("/enter").text, "None Bob Bob")

    def test_guards(self) -> None:
        """Anonymous visitors go to the login, others are forbidden what they have no role for."""

        class Staff(VisitorPage):
            csrf_protected = False

            @require("admin", "staff")
            def get(self):
                self.write("in")

            @require("admin")
            async def post(self):
                self.write("done")

        server = self.serve(Staff)
        for user, get, post in (
            ("ada", 200, 200), ("bob", 200, 403), ("eve", 403, 403), ("gone", 302, 403),
            (None, 302, 403),
        ):  # fmt: skip
            browser = server.browser(user)
            self.assertEqual(browser.get("/staff").status, get, user)
            self.assertEqual(browser.post("/staff").status, post, user)
        self.assertEqual(
            server.browser().get("/staff?x=1").header("location"), "/login?next=%2Fstaff%3Fx%3D1"
        )

    def test_classes(self) -> None:
        """All methods of a class, and of its subclasses, which may ask for more."""

        @login_required
        class Base(VisitorPage):
            csrf_protected = False

            def get(self):
                self.write("get")

            def post(self):
                self.write("post")

        class Plain(Base):
            pass

        @require("admin")
        class Admin(Base):
            pass

        server = self.serve(Plain, Admin)
        for user, plain, admin in (("ada", 200, 200), ("bob", 200, 403), (None, 403, 403)):
            browser = server.browser(user)
            self.assertEqual(browser.post("/plain").status, plain)
            self.assertEqual(browser.post("/admin").status, admin)
        self.assertEqual(server.browser().get("/plain").status, 302)

    def test_broken_loader(self) -> None:
        """A user that cannot be loaded is an error, and not a visitor without a login."""

        class Me(MojoRequestHandler):
            def get(self):
                self.write("in")

        def load(user_id):
            raise OSError("the database is away")

        server = self.serve(Me, LOAD_USER=load)
        self.assertEqual(server.browser("ada").get("/me").status, 500)
        self.assertEqual(server.browser().get("/me").status, 200)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_setting(self) -> None:
        """A function or its dotted path; anything else is told at the start."""
        for value in ("nowhere.load", "mojo.errors.__doc__"):
            self.assertRaises(SettingsError, make_service, load_user=value)
        for value in (5, "load"):
            self.assertRaises(SettingsError, Settings, load_user=value)
        self.assertTrue(make_service(load_user="mojo.users.user_key").users.are_loaded)


class PasswordPageTests(SynchronousTestCase):
    def test_tries(self) -> None:
        """Three at an account within the window; the fourth is told when to come again."""
        self.patch(scrypt, "CURRENT", scrypt.Parameters(4, 8, 1))
        self.patch(passwords, "_in_turn", lambda work: succeeded(work()))
        hashed: list[str] = []
        hash_password("correct horse").addCallback(hashed.append)

        class Enter(MojoRequestHandler):
            csrf_protected = False

            async def post(self):
                name = self.get_argument("name")
                known = hashed[0] if name == "ada" else None
                right = await self.check_password(name, self.get_argument("password"), known)
                self.write(str(right))

        app = App(name="Test", urlpatterns=[("/enter", Enter)])
        server = TestServer(app, settings={"LOGIN_TRIES": {"account": 3, "window": 300}})
        self.addCleanup(server.close)

        def enter(name: str, password: str = "wrong horse"):
            return server.browser().post("/enter", {"name": name, "password": password})

        self.assertEqual([enter("ada").text for _ in range(2)], ["False"] * 2)
        self.assertEqual(enter("ada", "correct horse").text, "True")
        for name in ("ada", "nobody"):
            self.assertEqual([enter(name).status for _ in range(4)], [200, 200, 200, 429], name)
            self.assertEqual(enter(name).header("retry-after"), "100")
        self.assertEqual(enter("ada", "correct horse").status, 429)
        server.advance(100)
        self.assertEqual(enter("ada", "correct horse").text, "True")
        # While too many wait it is no try at all.
        patch = self.patch(passwords, "MAX_WAITING", 0)
        self.assertEqual([enter("eve").status for _ in range(9)], [503] * 9)
        patch.restore()
        self.assertEqual(enter("eve").text, "False")

    def test_setting(self) -> None:
        for wrong in ({"account": 0}, {"x": 1}, {"window": 0}, 5):
            self.assertRaises(SettingsError, Settings, login_tries=wrong)


def succeeded(value):
    done: Deferred = Deferred()
    done.callback(value)
    return done


class SocketTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.load = Loader()

    def serve(self, handler, **settings) -> TestServer:
        server = TestServer(handler, settings={"LOAD_USER": self.load, **settings})
        self.addCleanup(server.close)
        return server


class CurrentUserTests(SocketTestCase):
    def serve_me(self, **settings) -> TestServer:
        class Me(MojoSocketHandler):
            @event
            async def me(self):
                return await self.current_user

        return self.serve(Me, **settings)

    def test_lifetime(self) -> None:
        """Loaded when asked for, and kept for a minute."""
        server = self.serve_me()
        client = server.connect(user_id="ada")
        self.assertEqual(self.load.asked, [])
        self.assertEqual(client.handler.loaded_user, None)
        for _ in range(3):
            self.assertEqual(client.call("me"), USERS["ada"])
        self.assertEqual(client.handler.loaded_user, USERS["ada"])
        self.assertEqual(self.load.asked, ["ada"])
        self.load.users["ada"] = {"name": "Ada L."}
        server.advance(59)
        self.assertEqual(client.call("me"), USERS["ada"])
        server.advance(1)
        self.assertEqual(client.call("me"), {"name": "Ada L."})
        self.assertEqual(self.load.asked, ["ada", "ada"])

    def test_setting(self) -> None:
        server = self.serve_me(USER_MAX_AGE=0)
        client = server.connect(user_id="ada")
        client.call("me")
        client.call("me")
        self.assertEqual(self.load.asked, ["ada", "ada"])

    def test_nobody(self) -> None:
        server = self.serve_me()
        self.assertIsNone(server.connect().call("me"))
        self.assertIsNone(server.connect(user_id="gone").call("me"))
        self.assertEqual(self.load.asked, ["gone"])

    def test_without_the_hook(self) -> None:
        server = self.serve_me(LOAD_USER=None)
        self.assertEqual(server.connect(user_id="ada").call("me"), "ada")

    def test_logged_out(self) -> None:
        """With the login the user goes, also one that is being loaded."""
        server = self.serve_me()
        client = server.connect(user_id="ada")
        client.call("me")
        server.service.revoke(user_id="ada")
        self.assertIsNone(client.handler.loaded_user)
        self.assertIsNone(client.call("me"))
        server.advance(1)
        client = server.connect(user_id="ada")
        self.load.waits = Deferred()
        answer = client.ask("me")
        server.service.revoke(user_id="ada")
        self.load.waits.callback(None)
        self.assertEqual(answer.value, None)
        self.assertIsNone(client.handler.loaded_user)

    def test_changed(self) -> None:
        """What was being loaded while the user changed is loaded once more."""
        server = self.serve_me()
        client = server.connect(user_id="ada")
        client.call("me")
        self.load.users["ada"] = {"name": "Ada L."}
        server.service.user_changed("ada")
        self.load.waits = waits = Deferred()
        answer = client.ask("me")
        self.load.waits = None
        server.service.user_changed("ada")
        waits.callback(None)
        self.assertEqual(answer.value, {"name": "Ada L."})
        self.assertEqual(self.load.asked, ["ada"] * 3)


class EventTests(SocketTestCase):
    def serve_events(self) -> TestServer:
        class Chat(MojoSocketHandler):
            @event
            @login_required
            def say(self, text):
                return [self.user_id, text]

            @require("admin")
            @event("kick out", idempotent=True)
            async def kick(self, name, event_id):
                return name

            @event
            def look(self):
                return "all may"

        return self.serve(Chat)

    def test_login(self) -> None:
        server = self.serve_events()
        ada, nobody = server.connect(user_id="ada"), server.connect()
        self.assertEqual(ada.call("say", "hi"), ["ada", "hi"])
        self.assertEqual(nobody.call("say", "hi"), LOGIN)
        self.assertEqual(nobody.call("look"), "all may")

    def test_roles(self) -> None:
        """Either order of the decorators; the refusal is not remembered as handled."""
        server = self.serve_events()
        clients = [server.connect(user_id=u) for u in ("ada", "bob")]
        self.assertEqual([c.call("kick out", "eve", "id1") for c in clients], ["eve", FORBID])
        self.load.users["bob"]["roles"] = ["admin"]
        server.service.user_changed("bob")
        self.assertEqual(clients[1].call("kick out", "eve", "id1"), "eve")

    def test_arguments(self) -> None:
        """They are counted as those of the method."""
        server = self.serve_events()
        table = server.connect().handler.event_table
        self.assertEqual([table["say"].describe(), table["kick out"].describe()], ["1", "2"])

    def test_demoted(self) -> None:
        """The events of a connection that has lost its login are refused, the others not."""
        server = self.serve_events()
        client = server.connect(user_id="ada")
        client.call("say", "hi")
        server.service.revoke(user_id="ada")
        self.assertEqual(client.call("say", "hi"), LOGIN)
        self.assertEqual(client.call("look"), "all may")


class NamespaceTests(SocketTestCase):
    def serve_admin(self, **methods) -> TestServer:
        base = type("Base", (MojoSocketHandler,), {"opened": [], "reasons": [], **methods})

        @require("admin")
        class Admin(base):
            def on_open(self, request):
                self.opened.append(self.loaded_user["name"])

            def on_logout(self, reason):
                self.reasons.append(reason)
                self.emit("bye")

        self.handler = Admin
        return self.serve(Admin)

    def test_refused(self) -> None:
        """Before on_open, with data that a client can act on."""
        server = self.serve_admin()
        for user, code in (
            ("bob", "forbidden"),
            ("gone", "login_required"),
            (None, "login_required"),
        ):
            refused = server.connect(user_id=user).refused
            self.assertEqual(refused.data, {"code": code or "login_required"})
        self.assertEqual(self.handler.opened, [])
        self.assertTrue(server.connect(user_id="ada").connected)
        self.assertEqual(self.handler.opened, ["Ada"])

    def test_subclass(self) -> None:
        """A subclass with middleware of its own is guarded as its base is."""
        asked: list = []
        self.serve_admin()

        class Sub(self.handler):
            middleware = (lambda handler: asked.append(handler.user_id),)

        server = self.serve(Sub)
        self.assertIsNotNone(server.connect(user_id="bob").refused)
        self.assertEqual(asked, [])
        self.assertTrue(server.connect(user_id="ada").connected)
        self.assertEqual(asked, ["ada"])

    def test_loses_the_login(self) -> None:
        """The app is told, says its last word, and the connection ends."""
        server = self.serve_admin()
        client = server.connect(user_id="ada")
        server.service.revoke(user_id="ada")
        self.assertEqual(self.handler.reasons, ["revoked"])
        self.assertEqual(client.received(), [("bye", [])])
        self.assertFalse(client.connected)

    def test_loses_the_login_while_opening(self) -> None:
        server = self.serve_admin()
        self.load.waits = Deferred()
        client = server.connect(user_id="ada")
        server.service.revoke(user_id="ada")
        self.load.waits.callback(None)
        self.assertFalse(client.connected)
        self.assertEqual(self.handler.opened, [])

    def test_loses_the_role(self) -> None:
        """``user_changed`` asks again, at once, in every tab; who may stay stays."""
        server = self.serve_admin()
        clients = [server.connect(user_id="ada") for _ in range(2)]
        server.service.user_changed("ada")
        self.assertEqual([client.connected for client in clients], [True, True])
        self.load.users["ada"]["roles"] = []
        server.service.user_changed("ada")
        self.assertEqual([client.connected for client in clients], [False, False])
        self.assertIsNotNone(server.connect(user_id="ada").refused)

    def test_cannot_be_asked(self) -> None:
        """Who cannot be loaded any more does not stay."""
        server = self.serve_admin()
        client = server.connect(user_id="ada")
        self.load.users = None
        server.service.user_changed("ada")
        self.assertFalse(client.connected)
        self.assertEqual(len(self.flushLoggedErrors(AttributeError)), 1)

    def test_with_a_number(self) -> None:
        server = self.serve_admin()
        self.load.users["7"] = USERS["ada"]
        client = server.connect(user_id=7)
        del self.load.users["7"]
        server.service.user_changed(7)
        self.assertFalse(client.connected)
