"""
The chat's tests: pages and connections together, in memory.

``trial Apps/*/test_*.py`` in the project's folder runs them; so do ``python -m unittest`` with
the same files, and ``pytest``.
"""

from pathlib import Path

from Apps.Chat.database import DATABASE
from twisted.internet.defer import maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from mojo.testing import TestServer

PROJECT = Path(__file__).resolve().parents[2]


class ChatTests(SynchronousTestCase):
    def setUp(self):
        # A database of this test's own, which answers at once rather than from a thread.
        DATABASE.open(":memory:", run=maybeDeferred)
        for name in ("ada", "bob", "eve"):
            DATABASE.query("INSERT INTO accounts VALUES (?, ?, 'no hash')", name, name)
        self.server = TestServer(PROJECT)
        self.addCleanup(self.server.close)

    def enter(self, user, room="Lobby"):
        """Open a room's page in a tab, as somebody who has logged in."""
        browser = self.server.browser(user)
        self.assertEqual(browser.get(f"/room/{room}").status, 200)
        tab = self.server.connect(browser=browser)
        tab.received()
        return tab

    def heard(self, tab, name):
        """Give the arguments of the events that came, without what recovery puts behind them."""
        return [args[:-1] for _, args in tab.received(name)]

    def test_strangers(self):
        """They are led to the login, and from there to where they wanted to go."""
        stranger = self.server.connect()
        self.assertEqual(stranger.refused, ("Please log in", {"code": "login_required"}))
        page = self.server.browser().get("/room/Lobby")
        self.assertEqual(page.header("location"), "/login?next=%2Froom%2FLobby")
        form = self.server.browser().get(page.header("location"))
        self.assertIn('name="next" value="/room/Lobby"', form.text)

    def test_no_account(self):
        """The login of somebody whose account is gone is none."""
        self.assertEqual(self.server.browser("mallory").get("/").status, 302)
        self.assertIsNotNone(self.server.connect(user_id="mallory").refused)

    def test_say(self):
        """Everybody in the room hears it, and nobody elsewhere."""
        ada, bob = self.enter("ada"), self.enter("bob")
        eve = self.server.connect(user_id="eve")
        message = ada.call("say", "Lobby", " hello ", "id of the message")
        self.assertEqual((message["author"], message["text"]), ("ada", "hello"))
        for tab, heard in ((ada, 1), (bob, 1), (eve, 0)):
            self.assertEqual(len(tab.received("said")), heard)

    def test_said_again(self):
        """What a client sends a second time, since the answer was lost, is said once."""
        ada = self.enter("ada")
        first = ada.call("say", "Lobby", "hello", "one")
        self.assertEqual(ada.call("say", "Lobby", "hello", "one"), first)
        self.assertEqual(len(ada.received("said")), 1)

    def test_what_cannot_be_said(self):
        ada = self.enter("ada")
        cases = (
            ("Lobby", "  ", "A message has 1 to 2,000 characters."),
            ("Lobby", "x" * 2001, "A message has 1 to 2,000 characters."),
            ("Lobby", 7, "A message has 1 to 2,000 characters."),
            ("Attic", "hello", "You are not in that room."),
            ("@bob,eve", "hello", "You are not in that room."),
            (["@ada"], "hello", "You are not in that room."),
            ("\ud800", "hello", "You are not in that room."),
            ("@ada,mallory", "hello", "There is nobody called mallory."),
        )
        for number, (key, text, error) in enumerate(cases):
            self.assertEqual(ada.call("say", key, text, f"{number}"), {"error": error})

    def test_no_database(self):
        """What fails here is answered, and may be said again when that is over."""
        ada = self.enter("ada")
        self.patch(DATABASE, "_transact", lambda work: 1 / 0)
        self.assertIn("Something went wrong", ada.call("say", "Lobby", "hello", "id")["error"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertTrue(ada.connected)

    def test_half_an_emoji(self):
        """A browser cuts a text that is too long wherever the limit is."""
        self.assertEqual(self.enter("ada").call("say", "Lobby", "hi \ud83d", "id")["text"], "hi ?")

    def test_private(self):
        """All tabs of both get it, on whatever page they are, and nobody else does."""
        ada, phone = self.server.connect(user_id="ada"), self.server.connect(user_id="ada")
        bob, eve = self.enter("bob"), self.server.connect(user_id="eve")
        message = bob.call("say", "@ada,bob", "psst", "id")
        for tab in (ada, phone, bob):
            self.assertEqual(self.heard(tab, "said"), [[message]])
        self.assertEqual(eve.received("said"), [])
        self.assertIn("error", eve.call("since", "@ada,bob", 0))

    def test_caught_up_with(self):
        """A tab that was away for longer than a connection is kept asks for what it missed."""
        ada, bob = self.enter("ada"), self.enter("bob")
        first, second, third = (ada.call("say", "Lobby", text, text) for text in "abc")
        self.assertEqual(bob.call("since", "Lobby", first["id"]), [second, third])
        self.assertIn("error", bob.call("since", "Lobby", "DROP TABLE"))

    def test_unread(self):
        """It is marked on the pages until it is read, in whichever tab that is."""
        ada = self.enter("ada")
        self.enter("bob").vanish()
        message = ada.call("say", "Lobby", "hello", "id")
        browser = self.server.browser("bob")
        self.assertIn("<b>1</b>", browser.get("/").text)
        desk, phone = self.server.connect(browser=browser), self.server.connect(user_id="bob")
        desk.call("seen", "Lobby", message["id"])
        self.assertEqual(self.heard(phone, "seen"), [["Lobby"]])
        self.assertNotIn("<b>1</b>", browser.get("/").text)

    def test_typing(self):
        ada, bob = self.enter("ada"), self.enter("bob")
        ada.emit("typing", "Lobby")
        self.assertEqual(self.heard(bob, "typing"), [["Lobby", "ada"]])
        self.assertEqual(self.heard(ada, "typing"), [])

    def test_online(self):
        """Somebody comes and goes once, however many tabs there are, and a reload is neither."""
        ada = self.enter("ada")
        first, second = self.enter("bob"), self.enter("bob")
        self.assertEqual(self.heard(ada, "online"), [["bob"]])
        first.vanish()
        second.vanish()
        self.server.advance(5)
        self.assertIn(
            '<li data-user="bob" class="online">', self.server.browser("ada").get("/").text
        )
        self.enter("bob").vanish()
        self.server.advance(9)
        self.assertEqual(self.heard(ada, "online") + self.heard(ada, "offline"), [])
        self.server.advance(1)
        self.assertEqual(self.heard(ada, "offline"), [["bob"]])

    def test_rooms(self):
        """A new one is shown to everybody; one that is there is found however it is typed."""
        ada, browser = self.server.connect(user_id="ada"), self.server.browser("bob")
        for name in ("Tea room", "tea ROOM"):
            page = browser.submit("/rooms", "/", room=name)
            self.assertEqual((page.status, page.header("location")), (303, "/room/Tea%20room"))
        self.assertEqual(self.heard(ada, "room"), [["Tea room"]])
        self.assertIn("1 to 30 letters", browser.submit("/rooms", "/", room="<b>").text)
        self.assertEqual(browser.get("/room/Attic").status, 404)
        self.assertEqual(browser.get("/with/mallory").status, 404)

    def test_without_a_script(self):
        """The form of a room works by itself, and those who are connected hear it."""
        ada, browser = self.enter("ada"), self.server.browser("bob")
        page = browser.submit("/room/Lobby", text="<i>hello</i>")
        self.assertEqual((page.status, page.header("location")), (303, "/room/Lobby"))
        ((message,),) = self.heard(ada, "said")
        self.assertEqual((message["author"], message["text"]), ("bob", "<i>hello</i>"))
        self.assertIn("&lt;i&gt;hello&lt;/i&gt;", browser.get("/room/Lobby").text)
        self.assertEqual(browser.submit("/room/Lobby", text=" ").status, 400)

    def test_earlier_messages(self):
        """A page has the last fifty, and a link to those before."""
        ada, browser = self.enter("ada"), self.server.browser("ada")
        numbers = [ada.call("say", "Lobby", f"no. {n}.", str(n))["id"] for n in range(60)]
        page = browser.get("/room/Lobby").text
        self.assertNotIn("no. 9.", page)
        self.assertIn("no. 10.", page)
        self.assertIn(f'href="?before={numbers[10]}"', page)
        self.assertIn("no. 59.", browser.get(f"/room/Lobby?before={'9' * 5000}").text)
        page = browser.get(f"/room/Lobby?before={numbers[10]}").text
        self.assertIn("no. 9.", page)
        self.assertNotIn("no. 10.", page)

    def test_logout(self):
        """It takes all of the browser's tabs along, and the user's other browsers if wanted."""
        other = self.server.connect(user_id="ada", session_id="another browser")
        for fields, elsewhere in ({}, True), ({"everywhere": "yes"}, False):
            browser = self.server.browser("ada", f"session {elsewhere}")
            tab = self.server.connect(browser=browser)
            self.assertIn("open in 1 other browser of", browser.get("/account").text)
            browser.submit("/logout", "/account", **fields)
            self.assertEqual(self.heard(tab, "logged out"), [["logout"]])
            self.assertEqual(tab.closed, "io server disconnect")
            self.assertEqual(other.connected, elsewhere)
            self.assertEqual(browser.get("/").status, 302)

    def test_forms_of_other_sites(self):
        browser = self.server.browser("ada")
        browser.get("/account")
        self.assertEqual(browser.post("/logout").status, 403)

    def test_policy(self):
        """No page runs what is not the server's own, nor is kept by the browser."""
        browser = self.server.browser("ada")
        for page in ("/", "/room/Lobby", "/with/bob", "/account", "/login", "/room/none"):
            self.assertIn("default-src 'self'", browser.get(page).header("content-security-policy"))
        self.assertEqual(browser.get("/").header("cache-control"), "no-store")
