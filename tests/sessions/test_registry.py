"""Who is here: `mojo.sessions.registry`, behind a server with two apps."""

from twisted.trial.unittest import SynchronousTestCase

from mojo.errors import UnsendableError
from mojo.sessions.registry import Registry
from tests.socketio.world import World, remembering


class RegistryTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.told: list = []
        self.chat = remembering(on_logout=self.on_logout)
        self.game = remembering()
        self.world = World({"/ChatSocket": self.chat, "/GameSocket": self.game})
        self.registry = self.world.server.observer = Registry(self.world.server)

    def log_out(self, session_id, user_id=None, **options) -> None:
        self.world.server.log_out(session_id, user_id, "logout", **options)

    @property
    def on_logout(self):
        told = self.told

        def on_logout(handler, reason):
            told.append((handler.id, reason, handler.user_id, handler.request.user_id))

        return on_logout

    def visit(self, session=None, user=None, namespace="/ChatSocket", **options):
        pairs = (("session_id", session), ("logged_in", user))
        cookie = "; ".join(f"{name}={value}" for name, value in pairs if value)
        headers = {"Cookie": cookie} if cookie else {}
        return self.world.connect(namespace, headers=headers, **options)


class RegistryTests(RegistryTestCase):
    def test_two_tabs(self) -> None:
        """One visitor with two connections; closing one tab keeps the other."""
        first = self.visit("s1", "u1")
        self.visit("s1", "u1")
        visitors, logins = self.registry.visitors, self.registry.logins
        self.assertEqual((list(visitors), list(logins)), (["s1"], ["u1"]))
        self.assertEqual([h.id for h in visitors["s1"].connections], ["cid1", "cid2"])
        first.vanish()
        self.assertEqual([h.id for h in visitors["s1"].connections], ["cid2"])
        self.assertEqual([h.id for h in logins["u1"].connections], ["cid2"])

    def test_last_tab(self) -> None:
        self.visit("s1", "u1").vanish()
        self.assertEqual(len(self.registry.visitors), 0)
        self.assertEqual(len(self.registry.logins), 0)

    def test_apps(self) -> None:
        """A visitor's presence is every app; each has its own connection."""
        client = self.visit("s1")
        client.connect("/GameSocket")
        visitor = self.registry.visitors["s1"]
        self.assertEqual(visitor.apps, {"Chat", "Game"})
        self.assertEqual(len(visitor.connections), 2)
        client.send("1/ChatSocket,")
        self.assertEqual(visitor.apps, {"Game"})

    def test_anonymous(self) -> None:
        """Nobody is ever registered under None."""
        self.visit()
        self.visit(user="u1")
        self.assertEqual(list(self.registry.visitors), [])
        self.assertEqual(list(self.registry.logins), ["u1"])
        self.assertNotIn(None, self.registry.visitors)
        self.assertNotIn(None, self.registry.logins)
        self.assertIsNone(self.registry.logins.get(None))

    def test_refused(self) -> None:
        """Who was not let in was never here."""
        self.chat.on_open = lambda handler, request: False
        client = self.world.client(headers={"Cookie": "session_id=s1"})
        client.send("0/ChatSocket,")
        self.assertEqual(len(self.registry.visitors), 0)

    def test_emit(self) -> None:
        """To every tab and every app of one visitor, and to nobody else."""
        tabs = [self.visit("s1"), self.visit("s1", transport="polling")]
        tabs[0].connect("/GameSocket")
        own = self.world.connect("/", path="/ChatSocket/", headers={"Cookie": "session_id=s1"})
        other = self.visit("s2")
        self.registry.visitors["s1"].emit("x", b"\x01")
        event = '51-/ChatSocket,["x",{"_placeholder":true,"num":0}]'
        self.assertEqual(
            tabs[0].received(), [event, b"\x01", event.replace("Chat", "Game"), b"\x01"]
        )
        self.assertEqual(tabs[1].received(), [event, b"\x01"])
        self.assertEqual(own.received(), ['51-["x",{"_placeholder":true,"num":0}]', b"\x01"])
        self.assertEqual(other.received(), [])
        self.registry.visitors["s2"].send("hi")
        self.assertEqual(other.received(), ['2/ChatSocket,["message","hi"]'])

    def test_login(self) -> None:
        """One user with two browsers."""
        clients = [self.visit("s1", "u1"), self.visit("s2", "u1"), self.visit("s3", "u2")]
        login = self.registry.logins["u1"]
        self.assertEqual(login.session_ids, {"s1", "s2"})
        self.assertEqual(self.registry.visitors["s1"].user_ids, {"u1"})
        login.emit("x")
        self.assertEqual(
            [c.received() for c in clients], [['2/ChatSocket,["x"]'], ['2/ChatSocket,["x"]'], []]
        )

    def test_numbers(self) -> None:
        """A user id may be asked for as a number."""
        self.visit("s1", "42")
        self.assertIn(42, self.registry.logins)
        self.assertEqual(self.registry.logins[42].user_id, "42")
        self.assertEqual(self.registry.user(42), self.registry.logins["42"])

    def test_not_here(self) -> None:
        """Whoever is not here can be sent to; nobody hears it."""
        self.registry.session("nobody").emit("x")
        self.registry.user("nobody").close()
        self.assertEqual(self.registry.session("nobody").connections, ())
        self.assertRaises(KeyError, self.registry.visitors.__getitem__, "nobody")
        self.assertRaises(UnsendableError, self.registry.session("nobody").emit, "x", object())
        self.assertEqual(self.registry.session("a"), self.registry.session("a"))
        self.assertNotEqual(self.registry.session("a"), self.registry.user("a"))

    def test_close(self) -> None:
        """Every connection of a visitor ends, in every app; the sessions stay."""
        client = self.visit("s1")
        client.connect("/GameSocket")
        other = self.visit("s2")
        self.registry.visitors["s1"].close()
        self.assertEqual(client.received(), ["1/ChatSocket,", "1/GameSocket,"])
        self.assertEqual(other.received(), [])
        self.assertEqual(list(self.registry.visitors), ["s2"])
        self.assertFalse(client.closed)

    def test_read_only(self) -> None:
        for view in (self.registry.visitors, self.registry.logins):
            self.assertRaises(TypeError, view.__class__.__setitem__, view, "a", 1) if hasattr(
                view, "__setitem__"
            ) else None
            with self.assertRaises(TypeError):
                view["a"] = 1
            with self.assertRaises(TypeError):
                del view["a"]

    def test_iterating_while_they_come_and_go(self) -> None:
        for number in range(3):
            self.visit(f"s{number}")
        seen = []
        for visitor in self.registry.visitors.values():
            seen.append(visitor.session_id)
            visitor.close()
            self.visit(f"new{len(seen)}")
        self.assertEqual(seen, ["s0", "s1", "s2"])
        for session_id in self.registry.visitors:
            self.visit(f"more {session_id}".replace(" ", "-"))
        for session_id, visitor in self.registry.visitors.items():
            self.assertEqual(visitor.session_id, session_id)
            visitor.close()
        self.assertEqual(len(self.registry.visitors), 0)

    def test_nothing_secret_is_shown(self) -> None:
        """The id in a visitor's cookie is as good as the cookie to whoever has the signer."""
        self.visit("s1", "u1")
        shown = repr(self.registry.visitors["s1"]) + repr(self.registry.visitors)
        self.assertNotIn("s1", shown)


class LogoutTests(RegistryTestCase):
    def test_logout(self) -> None:
        """The visitor's connections lose the login at once, and their handlers are told."""
        self.visit("s1", "u1")
        self.visit("s1", "u1")
        elsewhere = self.visit("s2", "u1")
        self.log_out("s1", "u1")
        self.assertEqual(
            self.told, [("cid1", "logout", None, "u1"), ("cid2", "logout", None, "u1")]
        )
        login = self.registry.logins["u1"]
        self.assertEqual([h.id for h in login.connections], ["cid3"])
        login.emit("x")
        self.assertEqual(elsewhere.received(), ['2/ChatSocket,["x"]'])
        self.assertEqual([h.user_id for h in self.chat.handlers], [None, None, "u1"])
        self.assertEqual(len(self.registry.visitors["s1"].connections), 2)

    def test_last_one(self) -> None:
        client = self.visit("s1", "u1")
        self.log_out("s1", "u1")
        self.assertNotIn("u1", self.registry.logins)
        self.log_out("s1", "u1")
        self.assertEqual(len(self.told), 1)
        client.vanish()
        self.assertEqual(dict(self.registry.visitors), {})

    def test_handler_that_closes(self) -> None:
        """on_logout decides: here the connection ends."""

        def on_logout(handler, reason):
            handler.emit("bye")
            handler.close()

        self.chat.on_logout = on_logout
        client = self.visit("s1", "u1")
        self.log_out("s1", "u1")
        self.assertEqual(client.received(), ['2/ChatSocket,["bye"]', "1/ChatSocket,"])
        self.assertEqual(len(self.registry.visitors), 0)

    def test_handler_that_raises(self) -> None:
        def on_logout(handler, reason):
            raise ValueError

        self.chat.on_logout = on_logout
        self.visit("s1", "u1")
        self.visit("s1", "u1")
        self.log_out("s1", "u1")
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 2)
        self.assertNotIn("u1", self.registry.logins)

    def test_without_session(self) -> None:
        """Connections that have only the login cookie are found by that."""
        self.visit(user="u1")
        self.visit("s1", "u1")
        self.log_out(None, "u1")
        self.assertEqual([h.id for h in self.registry.logins["u1"].connections], ["cid2"])

    def test_session_that_came_later(self) -> None:
        """A connection that came before the visitor had a session, too."""
        self.visit(user="u1")
        self.log_out("s1", "u1")
        self.assertNotIn("u1", self.registry.logins)

    def test_whatever_the_login(self) -> None:
        """All logins of the visitor's connections; those of others stay."""
        self.visit("s1", "u1")
        self.visit("s1", "u2")
        self.visit("s2", "u2")
        self.log_out("s1")
        self.assertEqual(list(self.registry.logins), ["u2"])
        self.assertEqual([h.id for h in self.registry.logins["u2"].connections], ["cid3"])

    def test_keep(self) -> None:
        """Who logs in as somebody else is no longer who she was."""
        self.visit("s1", "u1")
        self.visit("s1", "u2")
        self.log_out("s1", keep="u2")
        self.assertEqual(list(self.registry.logins), ["u2"])

    def test_while_opening(self) -> None:
        """A logout that comes while the app decides counts too."""
        from twisted.internet.defer import Deferred

        decide: Deferred = Deferred()
        self.chat.on_open = lambda handler, request: decide
        client = self.world.client(headers={"Cookie": "session_id=s1; logged_in=u1"})
        client.send("0/ChatSocket,")
        self.log_out("s1", "u1")
        decide.callback(None)
        self.assertEqual(self.registry.logins.get("u1"), None)

    def test_connecting_afterwards(self) -> None:
        """What a client connects to after the logout, it connects to without the login."""
        client = self.visit("s1", "u1")
        idle = self.world.client(headers={"Cookie": "session_id=s1; logged_in=u1"})
        self.log_out("s1", "u1")
        for late in (client, idle):
            late.connect("/GameSocket")
        self.assertEqual([h.user_id for h in self.game.handlers], [None, None])
        self.assertEqual([h.request.user_id for h in self.game.handlers], [None, None])
        self.assertNotIn("u1", self.registry.logins)
        client.vanish()
        idle.vanish()
        self.assertEqual(len(self.world.server._visitors), 0)
