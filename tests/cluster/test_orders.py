"""What happens to visitors and logins, told to the other servers: `orders` and `channel`."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from mojo import MojoSocketHandler
from mojo.cluster.channel import MojoChannel
from mojo.cluster.orders import Orders
from mojo.sessions.stores import Sender
from mojo.testing import TestServer
from tests.cluster.memory_bus import Exchange, Server


class Handler(MojoSocketHandler):
    seen: list = []  # noqa: RUF012

    def on_logout(self, reason):
        self.seen.append((self.request.user_id, reason))

    def on_close(self, reason):
        self.seen.append(("on_close", reason))


class OrderTests(SynchronousTestCase):
    """What is done at the first of two servers, and its effect at the second."""

    def setUp(self) -> None:
        Handler.seen = []
        self.exchange = Exchange()
        self.nodes = [Server(self.exchange, name=f"/{n}") for n in (1, 2)]
        self.one, self.two = (TestServer(Handler) for _ in range(2))
        for server, node in zip((self.one, self.two), self.nodes, strict=True):
            self.addCleanup(server.close)
            acts = server.service._acts
            server.service._orders = Orders(MojoChannel(node), acts.names, acts.perform)

    def settle(self) -> None:
        self.exchange.turn()
        self.assertEqual([node.refused for node in self.nodes], [[], []])
        self.two.turn()

    def user_at_two(self, browser) -> str | None:
        """Tell whom somebody who comes to the second server is taken for."""
        client = self.two.connect(browser=browser)
        return self.two.handler_of(client.id).user_id

    def test_revoked_user(self) -> None:
        """The live login ends, and the cookie is worthless there as well."""
        ada, bob = self.two.browser("ada"), self.two.browser("bob")
        for browser in (ada, bob):
            self.two.connect(browser=browser)
        self.one.service.revoke(user_id="ada")
        self.settle()
        self.assertEqual(Handler.seen, [("ada", "revoked")])
        self.assertEqual([self.user_at_two(ada), self.user_at_two(bob)], [None, "bob"])

    def test_new_login(self) -> None:
        """Who logs in after it is believed there too, however late the news comes there."""
        self.two.advance(0.5)
        self.one.service.revoke(user_id="ada")
        login = self.one.service.cookies.new_login("ada", "s")
        self.settle()
        ada = self.two.browser()
        ada.jar["logged_in"] = self.one.service.cookies.seal_login(login)
        self.assertEqual(self.user_at_two(ada), "ada")

    def test_revoked_session(self) -> None:
        ada = self.two.browser("ada", "s")
        client = self.two.connect(browser=ada)
        self.one.service.revoke(session_id="s", reason="stolen")
        self.settle()
        self.assertEqual(Handler.seen[0], ("ada", "stolen"))
        self.assertFalse(client.connected)

    def test_logout(self) -> None:
        self.two.connect(browser=self.two.browser("ada", "s"))
        self.two.connect(browser=self.two.browser("ada", "another"))
        self.one.service.log_out("s")
        self.settle()
        self.assertEqual(Handler.seen, [("ada", "logout")])

    def test_one_login(self) -> None:
        """A copy of the cookie that a logout at another server ended."""
        ada = self.two.browser("ada")
        client = self.two.connect(browser=ada)
        connection = self.two.handler_of(client.id).connection
        credential = self.two.service._sockets.logins._held[connection.client].credential
        self.one.service.end_login(credential, "logout")
        self.settle()
        self.assertEqual(Handler.seen, [("ada", "logout")])
        self.assertIsNone(self.user_at_two(ada))

    def test_moved(self) -> None:
        """The visitor's connections have the new id; who may be somebody else goes."""
        mine = self.two.connect(session_id="s", headers={"User-Agent": "mine"})
        other = self.two.connect(session_id="s", headers={"User-Agent": "another"})
        sender = Sender(self.two.handler_of(mine.id).request.address, ("mine",))
        self.one.service.move_visitor("s", "new", sender)
        self.settle()
        self.assertEqual(self.two.handler_of(mine.id).session_id, "new")
        self.assertFalse(other.connected)

    def test_of_others(self) -> None:
        """What is no order is counted, and nothing is raised or done."""
        self.two.connect(user_id="ada")
        for order in (
            {}, {"act": 1, "args": []}, {"act": "perform", "args": []},
            {"act": "revoke", "args": ["ada", None, "x", "1"]}, {"act": "revoke", "args": 1},
            {"act": "revoke", "args": ["ada"]},
            {"act": "revoke", "args": [1, None, "x", 1]},
            {"act": "revoke", "args": ["ada", None, None, 1]}, {"act": "__init__", "args": []},
            {"act": "end_login", "args": ["ada", "x"]}, {"act": "end_login", "args": [{}, "x"]},
            {"act": "end_login", "args": [{"user_id": "ada", "id": "i", "since": True}, "x"]},
            {"act": "renew_login", "args": [{"user_id": "a", "id": "", "since": 1, "expires": ""}]},
            {"act": "move", "args": ["a", "b", "c"]}, {"act": "move", "args": ["a", "b", [1, []]]},
            {"act": "move", "args": ["a", "b", ["c", [1]]]},
        ):  # fmt: skip
            self.exchange.put(b"socket.io-mojo#", json.dumps({"uid": "other", **order}).encode())
            self.exchange.turn()
        self.exchange.put(b"socket.io-mojo#", b"\xc1")
        self.exchange.turn()
        self.assertEqual([len(node.refused) for node in self.nodes], [17, 17])
        self.assertEqual(Handler.seen, [])
