"""
The chat's tests: pages and connections together, in memory.

``trial Apps/*/test_*.py`` in the project's folder runs them; so do ``python -m unittest`` with
the same files, and ``pytest``.
"""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mojo.testing import TestServer

PROJECT = Path(__file__).resolve().parents[2]


class ChatTests(SynchronousTestCase):
    def setUp(self):
        self.server = TestServer(PROJECT)
        self.addCleanup(self.server.close)

    def enter(self, user, room):
        """Connect as somebody who has logged in, and enter a room."""
        client = self.server.connect(user_id=user)
        self.assertEqual(client.call("enter", room)["room"], room)
        return client

    def test_strangers_are_sent_to_the_login(self):
        stranger = self.server.connect()
        self.assertEqual(stranger.refused, ("Please log in first.", {"login": "/login"}))

    def test_say(self):
        """The others in the room hear it, and nobody elsewhere."""
        ada, bob = self.enter("ada", "Garden"), self.enter("bob", "Garden")
        eve = self.enter("eve", "Attic")
        message = ada.call("say", " hello ")
        self.assertEqual((message["user"], message["text"]), ("ada", "hello"))
        self.assertEqual(bob.received("said"), [("said", [message])])
        self.assertEqual(ada.received("said") + eve.received("said"), [])

    def test_newcomers_read_what_was_said(self):
        message = self.enter("ada", "Library").call("say", "hush")
        answer = self.server.connect(user_id="bob").call("enter", "Library")
        self.assertEqual(answer["messages"], [message])

    def test_a_room_comes_before_words(self):
        ada = self.server.connect(user_id="ada")
        self.assertEqual(ada.call("say", "hello"), {"error": "Enter a room first."})

    def test_two_tabs_are_one_person(self):
        """Who closes one of them has not left."""
        ada, first = self.enter("ada", "Hall"), self.enter("bob", "Hall")
        second = self.enter("bob", "Hall")
        self.assertEqual(ada.received("entered"), [("entered", ["bob"])])
        first.vanish()
        self.assertEqual(ada.received("left"), [])
        second.vanish()
        self.assertEqual(ada.received("left"), [("left", ["bob"])])
        self.assertEqual(ada.received("people")[-1], ("people", [["ada"]]))

    def test_from_login_to_logout(self):
        """The pages and the channel share one login, and it ends for both at once."""
        browser = self.server.browser()
        self.assertEqual(browser.get("/").header("location"), "/login?next=%2F")
        witness = self.server.connect(user_id="witness")
        browser.submit("/login", name="ada")
        self.assertEqual(witness.received("notice"), [("notice", ["ada has logged in"])])
        self.assertIn('data-user="ada"', browser.get("/").text)

        tab = self.server.connect(browser=browser)
        self.assertEqual(tab.handler.user_id, "ada")
        browser.submit("/logout", "/")
        self.assertEqual(tab.received(), [("logged out", [])])
        self.assertEqual(tab.closed, "io server disconnect")
        self.assertEqual(browser.get("/").header("location"), "/login?next=%2F")

    def test_names(self):
        browser = self.server.browser()
        self.assertEqual(browser.submit("/login", name="<b>").status, 400)
        self.assertNotIn("logged_in", browser.jar)
