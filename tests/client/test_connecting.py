"""`connect`: a Deferred, and an async context manager."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred, inlineCallbacks

from mojo.client import ConnectError, connect
from tests.client.test_socket import SocketTestCase
from tests.client.world import URL


class ConnectTests(SocketTestCase):
    def connect(self, url=URL, **options):
        options.setdefault("transports", ("websocket",))
        options.setdefault("random", lambda: 0.5)
        return connect(
            url, reactor=self.world.client_clock, endpoints=self.world.network, **options
        )

    def nothing_is_left(self) -> None:
        self.world.settle()
        self.assertEqual(self.world.network.open_links, [])
        self.assertEqual(self.world.client_clock.getDelayedCalls(), [])

    def test_deferred(self) -> None:
        connecting = self.connect()
        self.world.settle()
        socket = self.successResultOf(connecting)
        self.assertTrue(socket.connected)

    def test_namespace(self) -> None:
        """It is the URL's path."""
        connecting = self.connect(f"{URL}/other")
        self.world.settle()
        self.assertEqual(self.successResultOf(connecting).namespace, "/other")

    def test_coroutine(self) -> None:
        """At the end of ``async with`` nothing is left; also if it ends by an exception."""

        async def talk(fail):
            async with self.connect() as socket:
                self.heard.by(socket, "disconnect")
                answer = await socket.call("echo", 1)
                if fail:
                    raise ValueError("as asked")
                return answer

        talking = Deferred.fromCoroutine(talk(fail=False))
        self.world.settle()
        self.assertEqual(self.successResultOf(talking), 1)
        self.nothing_is_left()
        talking = Deferred.fromCoroutine(talk(fail=True))
        self.world.settle()
        self.failureResultOf(talking, ValueError)
        self.nothing_is_left()
        self.assertEqual(self.heard.events, [("disconnect", "io client disconnect")] * 2)

    def test_inline_callbacks(self) -> None:
        @inlineCallbacks
        def talk():
            socket = yield self.connect()
            answer = yield socket.call("echo", 1)
            yield socket.disconnect()
            return answer

        talking = talk()
        self.world.settle()
        self.assertEqual(self.successResultOf(talking), 1)
        self.nothing_is_left()

    def test_in_time_to_listen(self) -> None:
        """Whoever listens right after it hears what the server emits in ``on_open``."""

        async def talk():
            socket = await self.connect(auth={"n": 1})
            self.heard.by(socket, "welcome")

        Deferred.fromCoroutine(talk())
        self.world.settle()
        self.assertEqual(self.heard.events, [("welcome", {"n": 1})])

    def test_server_is_not_there(self) -> None:
        """It fails at once, and nothing is tried again."""
        self.world.network.down = True
        for transports in (("websocket",), ("polling",)):
            error = self.failureResultOf(self.connect(transports=transports), ConnectError)
            self.assertIn("Connection was refused", str(error.value))
            self.nothing_is_left()

    def test_retry(self) -> None:
        """Unless it is asked to go on."""
        self.world.network.down = True
        connecting = self.connect(retry=True)
        self.world.advance(10)
        self.assertNoResult(connecting)
        self.world.network.down = False
        self.world.advance(5)
        self.assertTrue(self.successResultOf(connecting).connected)

    def test_refused(self) -> None:
        """The server's words; there is no retry, asked for or not."""
        for retry in (False, True):
            connecting = self.connect(f"{URL}/admin", retry=retry)
            self.world.settle()
            error = self.failureResultOf(connecting, ConnectError).value
            self.assertEqual((error.message, error.data), ("wrong password", {"hint": "caves"}))
            self.nothing_is_left()

    def test_attempts_run_out(self) -> None:
        self.world.network.down = True
        connecting = self.connect(retry=True, reconnection_attempts=1)
        self.world.advance(5)
        self.failureResultOf(connecting, ConnectError)
        self.nothing_is_left()

    def test_cancelled(self) -> None:
        connecting = self.connect(retry=True)
        connecting.cancel()
        self.failureResultOf(connecting, CancelledError)
        self.nothing_is_left()

    def test_later_errors_are_not_ours(self) -> None:
        """A connection that is lost later is made anew."""
        connecting = self.connect()
        self.world.settle()
        socket = self.successResultOf(connecting)
        self.world.network.down = True
        self.world.network.cut()
        self.world.advance(5)
        self.world.network.down = False
        self.world.advance(10)
        self.assertTrue(socket.connected)

    def test_bad_arguments(self) -> None:
        """They raise where they are given."""
        self.assertRaises(ValueError, self.connect, "ftp://example.com")
        self.assertRaises(ValueError, self.connect, transports=("carrier pigeon",))
        self.assertRaises(TypeError, self.connect, reconection=False)
