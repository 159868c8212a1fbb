"""`mojo.socketio.server_events`."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mojo.socketio.server_events import ServerListeners


class ServerListenersTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.listeners = ServerListeners("/chat")
        self.answers: list = []

    def hear(self, *args) -> None:
        self.listeners.hear("x", args, self.answers.append)

    def test_answer(self) -> None:
        self.listeners.add("x", lambda *args: list(args))
        self.hear(1, 2)
        self.assertEqual(self.answers, [[1, 2]])

    def test_nobody_listens(self) -> None:
        self.listeners.add("y", lambda *args: "of another event")
        self.hear()
        self.assertEqual(self.answers, [])

    def test_several(self) -> None:
        """All are called, and the first to be done answers."""
        waiting: Deferred = Deferred()
        called = []

        async def second():
            called.append(2)
            return 2

        self.listeners.add("x", lambda: waiting)
        self.listeners.add("x", second)
        self.listeners.add("x", lambda: called.append(3))
        self.hear()
        self.assertEqual((called, self.answers), ([2, 3], [2]))
        waiting.callback(1)
        self.assertEqual(self.answers, [2])

    def test_no_answer_is_wanted(self) -> None:
        called = []
        self.listeners.add("x", called.append)
        self.listeners.hear("x", [1], None)
        self.assertEqual(called, [1])

    def test_raises(self) -> None:
        """It is logged, and the others are called."""

        async def later():
            raise ValueError("as asked")

        self.listeners.add("x", lambda: 1 / 0)
        self.listeners.add("x", later)
        self.listeners.add("x", lambda: "good")
        self.hear()
        self.assertEqual(self.answers, ["good"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError, ValueError)), 2)

    def test_answer_that_cannot_be_sent(self) -> None:
        def answer(result) -> None:
            raise TypeError("no JSON")

        self.listeners.add("x", object)
        self.listeners.hear("x", [], answer)
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)
