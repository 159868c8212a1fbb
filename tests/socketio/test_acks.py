"""`mojo.socketio.acks`: the answers of one client and of many, and what is left behind: nothing."""

from __future__ import annotations

import threading
from functools import partial

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.python import threadable
from twisted.trial.unittest import SynchronousTestCase

from mojo.errors import AckTimeout, Disconnected
from mojo.socketio import event
from mojo.socketio.acks import AckCollector
from mojo.socketio.operator import BroadcastOperator
from tests.socketio.world import OverTransport, World, over_both, remembering

ASK = '2/ChatSocket,0["ask"]'


def time_limits(clock: Clock) -> int:
    """Count the timers that wait for acknowledgements."""
    return sum("Ack" in call.func.__qualname__ for call in clock.getDelayedCalls())


class Ack(OverTransport):
    """Three clients that are asked."""

    def setUp(self) -> None:
        self.handler_class = remembering()
        self.chat = self.world(self.handler_class)
        self.clock = self.chat.clock
        self.clients = [self.connect(self.chat) for _ in range(3)]
        self.first, self.second, self.third = self.handler_class.handlers
        self.everyone = self.first.namespace
        self.answers: list = []

    def keep(self, *args) -> None:
        self.answers.append(args)

    def all_are_asked(self) -> None:
        self.assertEqual([c.received() for c in self.clients], [[ASK]] * 3)

    def nothing_is_left(self) -> None:
        """No timer of ours, and no answer that is still waited for."""
        self.assertEqual(time_limits(self.clock), 0)
        for handler in self.handler_class.handlers:
            self.assertEqual(len(handler._connection._acks or ()), 0)

    # -- of many ------------------------------------------------------------

    def test_all_answer(self) -> None:
        """As soon as the last has: each one's argument, in the order of their coming."""
        answers = self.everyone.call("ask")
        self.all_are_asked()
        self.assertEqual(time_limits(self.clock), 1)
        self.clients[2].send("3/ChatSocket,0[3]")
        self.clients[0].send("3/ChatSocket,0[]")
        self.assertNoResult(answers)
        self.clients[1].send('3/ChatSocket,0["a","b"]')
        self.assertEqual(self.successResultOf(answers), ([3, None, ("a", "b")], []))
        self.nothing_is_left()

    def test_binary_answers(self) -> None:
        answers = self.first.to(self.second.id).call("ask", b"\x01")
        self.assertEqual(
            self.clients[1].received(),
            ['51-/ChatSocket,0["ask",{"_placeholder":true,"num":0}]', b"\x01"],
        )
        self.clients[1].send('61-/ChatSocket,0[{"_placeholder":true,"num":0}]', b"\x02")
        self.assertEqual(self.successResultOf(answers), ([b"\x02"], []))

    def test_time_is_up(self) -> None:
        """Who has not answered is named; what comes later is passed over."""
        answers = self.everyone.timeout(5).call("ask")
        self.clients[1].send("3/ChatSocket,0[2]")
        self.clock.advance(4.75)
        self.assertNoResult(answers)
        self.clock.advance(0.25)
        self.assertEqual(self.successResultOf(answers), ([2], ["cid1", "cid3"]))
        self.nothing_is_left()
        self.clients[0].send("3/ChatSocket,0[1]")
        self.clients[1].send("3/ChatSocket,0[2]")
        self.assertFalse(any(client.closed for client in self.clients))

    def test_sixty_seconds(self) -> None:
        """So long, unless something else was said."""
        answers = self.everyone.call("ask")
        for _ in range(59):
            self.clock.advance(1)
            for client in self.clients:
                client.received()
        self.assertNoResult(answers)
        self.clock.advance(1)
        self.assertEqual(self.successResultOf(answers), ([], ["cid1", "cid2", "cid3"]))

    def test_clients_that_go(self) -> None:
        """They are missing at once, however they go; nobody waits for them."""
        answers = self.everyone.call("ask")
        self.clients[0].send("3/ChatSocket,0[1]")
        self.clients[1].send("1/ChatSocket,")
        self.assertNoResult(answers)
        self.clients[2].vanish()
        self.assertEqual(self.successResultOf(answers), ([1], ["cid2", "cid3"]))

    def test_answered_twice(self) -> None:
        answers = self.everyone.call("ask")
        self.clients[0].send("3/ChatSocket,0[1]", "3/ChatSocket,0[1]", "3/ChatSocket,0[1]")
        self.assertNoResult(answers)

    def test_nobody(self) -> None:
        """Nothing to wait for: the answer is there at once."""
        for operator in (
            self.everyone.to("nobody's room"),
            self.everyone.except_("cid1", "cid2", "cid3"),
            self.chat.server.of("/ChatSocket").to("nobody's room").timeout(0),
        ):
            self.assertEqual(self.successResultOf(operator.call("ask")), ([], []))
            operator.emit("ask", ack=self.keep)
        self.assertEqual(self.answers, [(None, [])] * 3)
        self.nothing_is_left()

    def test_some(self) -> None:
        """Only those that were chosen are asked, and are waited for."""
        answers = self.first.broadcast.except_("cid3").call("ask")
        self.assertEqual([c.received() for c in self.clients], [[], [ASK], []])
        self.clients[0].send('3/ChatSocket,0["nobody asked you"]')
        self.clients[1].send('3/ChatSocket,0["yes"]')
        self.assertEqual(self.successResultOf(answers), (["yes"], []))

    def test_several_questions_at_once(self) -> None:
        """Each has an id of its own, for one client and for all."""
        one = self.everyone.call("ask")
        two = self.second.call("ask")
        three = self.everyone.to("cid2").call("ask")
        self.assertEqual(
            self.clients[1].received(),
            [ASK, '2/ChatSocket,1["ask"]', '2/ChatSocket,2["ask"]'],
        )
        self.clients[1].send("3/ChatSocket,2[2]", "3/ChatSocket,1[1]", "3/ChatSocket,0[0]")
        self.assertEqual(self.successResultOf(two), 1)
        self.assertEqual(self.successResultOf(three), ([2], []))
        self.assertNoResult(one)

    def test_callback_of_many(self) -> None:
        """It gets no error and the answers, or an error that counts and the answers so far."""
        self.everyone.emit("ask", ack=self.keep)
        for number, client in enumerate(self.clients):
            client.send(f"3/ChatSocket,0[{number}]")
        self.assertEqual(self.answers, [(None, [0, 1, 2])])
        self.everyone.timeout(5).send("ask", ack=self.keep)
        self.clients[0].send("3/ChatSocket,1[0]")
        self.clock.advance(5)
        error, answers = self.answers[1]
        self.assertIsInstance(error, AckTimeout)
        self.assertEqual((str(error), answers), ("2 clients have not acknowledged", [0]))
        self.nothing_is_left()

    def test_cancelled(self) -> None:
        """Whoever no longer wants the answers leaves nothing behind, and nothing in the log."""
        for operator in (self.everyone, BroadcastOperator(self.chat.server), self.first.to("cid2")):
            answers = operator.call("ask")
            answers.cancel()
            self.failureResultOf(answers, CancelledError)
            self.nothing_is_left()
        self.clients[1].send("3/ChatSocket,0[]", "3/ChatSocket,2[]")
        self.assertFalse(self.clients[1].closed)

    def test_who_is_not_in_yet(self) -> None:
        """It is asked when it is let in; refused, it is missing."""
        decisions = [Deferred(), Deferred()]
        self.handler_class.on_open = lambda handler, request: decisions[int(handler.id[-1]) - 4]
        waiting = [self.chat.client(self.transport) for _ in decisions]
        for client in waiting:
            client.send("0/ChatSocket,")
        answers = self.first.broadcast.except_("cid2", "cid3").call("ask")
        decisions[0].callback(None)
        decisions[1].callback(False)
        self.assertEqual(waiting[0].received(), ['0/ChatSocket,{"sid":"cid4"}', ASK])
        waiting[0].send("3/ChatSocket,0[4]")
        self.assertEqual(self.successResultOf(answers), ([4], ["cid5"]))

    # -- of one -------------------------------------------------------------

    def test_timeout_of_one(self) -> None:
        """``timeout`` says how long; and the callback then gets the error first, as in Node."""
        answer = self.first.timeout(5).call("ask")
        self.first.timeout(5).emit("ask", ack=self.keep)
        self.first.timeout(5).emit("ask", ack=self.keep)
        self.clients[0].send("3/ChatSocket,2[1,2]")
        self.clock.advance(5)
        self.assertEqual(
            str(self.failureResultOf(answer, AckTimeout).value), "no acknowledgement within 5 s"
        )
        self.assertEqual(self.answers[0], (None, 1, 2))
        ((error,),) = self.answers[1:]
        self.assertIsInstance(error, AckTimeout)
        self.nothing_is_left()

    def test_goes_while_asked(self) -> None:
        """Each wait ends at once, with the reason; a callback without a time limit is not told."""
        answer = self.first.timeout(5).call("ask")
        self.first.timeout(5).emit("ask", ack=self.keep)
        self.first.emit("ask", ack=self.fail)
        self.clients[0].send("1/ChatSocket,")
        reason = "client namespace disconnect"
        self.assertEqual(str(self.failureResultOf(answer, Disconnected).value), reason)
        ((error,),) = self.answers
        self.assertEqual((type(error), str(error)), (Disconnected, reason))
        self.nothing_is_left()

    def test_cancelled_by_one(self) -> None:
        answer = self.first.timeout(5).call("ask")
        answer.cancel()
        self.failureResultOf(answer, CancelledError)
        self.nothing_is_left()
        self.clients[0].send("3/ChatSocket,0[1]")
        self.assertFalse(self.clients[0].closed)

    def test_event_that_waits_for_who_goes(self) -> None:
        """A client that leaves is no mistake of the app's: one line, and no traceback."""

        class Handler(remembering()):
            @event
            async def start(self):
                await self.call("ask")

            @event
            async def start_briefly(self):
                await self.timeout(1).call("ask")

        world = self.world(Handler)
        client = self.connect(world)
        client.send('2/ChatSocket,["start_briefly"]', '2/ChatSocket,["start"]')
        world.clock.advance(1)
        client.vanish()
        self.assertEqual(
            Handler.seen[:2],
            [("on_error", "start_briefly", AckTimeout), ("on_error", "start", Disconnected)],
        )
        self.assertEqual(self.flushLoggedErrors(), [])

    # -- callbacks ----------------------------------------------------------

    def test_callbacks_that_raise(self) -> None:
        """Whenever it is: logged, and given to on_error; never to whoever emitted."""

        def bad(*args):
            raise ValueError

        self.first.emit("ask", ack=bad)
        self.first.timeout(5).emit("ask", ack=bad)
        self.first.timeout(50).emit("ask", ack=bad)
        self.clients[0].send("3/ChatSocket,0[]")
        self.clock.advance(5)
        self.clients[0].send("1/ChatSocket,")
        self.first.timeout(5).emit("ask", ack=bad)
        error = ("on_error", "acknowledgement", ValueError)
        self.assertEqual(self.handler_class.seen.count(error), 4)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 4)
        self.nothing_is_left()

    def test_callback_of_many_that_raises(self) -> None:
        def bad(error, answers):
            raise ValueError

        self.everyone.to("nobody's room").emit("ask", ack=bad)
        self.everyone.timeout(5).emit("ask", ack=bad)
        self.clock.advance(5)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 2)
        self.nothing_is_left()

    def test_async_callbacks(self) -> None:
        """They may be coroutines, like any method."""
        wait: Deferred = Deferred()

        async def later(*args):
            await wait
            self.keep(*args)
            raise ValueError

        self.first.emit("ask", ack=later)
        self.everyone.to("cid1").emit("ask", ack=later)
        self.clients[0].send("3/ChatSocket,0[1]", "3/ChatSocket,1[2]")
        self.assertEqual(self.answers, [])
        wait.callback(None)
        self.assertEqual(self.answers, [(1,), (None, [2])])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 2)

    def test_callback_that_asks_again(self) -> None:
        """Also while the connection ends: the second question fails, and that is all."""

        def again(error=None, *args):
            self.keep(type(error))
            if len(self.answers) < 3:
                self.first.timeout(5).emit("ask", ack=again)

        self.first.timeout(5).emit("ask", ack=again)
        self.clients[0].vanish()
        self.assertEqual(self.answers, [(Disconnected,)] * 3)
        self.nothing_is_left()


WebSocketAckTests, PollingAckTests = over_both(Ack)


class ManyNamespacesTests(SynchronousTestCase):
    """One question to several apps at once."""

    def setUp(self) -> None:
        self.world = World({"/ChatSocket": remembering(), "/GameSocket": remembering()})
        self.client = self.world.connect("/ChatSocket")
        self.client.connect("/GameSocket")
        self.everyone = BroadcastOperator(self.world.server)

    def test_answers(self) -> None:
        """One id for all, one time limit, and the answers in the order of their coming."""
        answers = self.everyone.call("ask")
        self.assertEqual(self.client.received(), [ASK, ASK.replace("Chat", "Game")])
        self.assertEqual(time_limits(self.world.clock), 1)
        self.client.send("3/GameSocket,0[2]", "3/ChatSocket,0[1]")
        self.assertEqual(self.successResultOf(answers), ([2, 1], []))
        self.assertEqual(time_limits(self.world.clock), 0)

    def test_some_answer(self) -> None:
        answers = self.everyone.timeout(1).call("ask")
        self.client.send("3/GameSocket,0[2]")
        self.world.clock.advance(1)
        self.assertEqual(self.successResultOf(answers), ([2], ["cid1"]))

    def test_no_namespace(self) -> None:
        """A server without any has nobody to wait for."""
        world = World({})
        self.assertEqual(self.successResultOf(BroadcastOperator(world.server).call("x")), ([], []))
        self.assertEqual(world.clock.getDelayedCalls(), [])


class CollectorTests(SynchronousTestCase):
    """What an adapter may rely on."""

    def test_waits_for_each_namespace(self) -> None:
        """Answers may be complete before everybody was asked: that is not the end."""
        collector = AckCollector(Clock(), 5, places=2)
        collector.expect("a", lambda: None)
        collector.all_asked()
        collector.answered("a", [1])
        self.assertNoResult(collector.result)
        collector.all_asked()
        self.assertEqual(self.successResultOf(collector.result), ([1], []))

    def test_strangers(self) -> None:
        """An answer of somebody who was not asked is none."""
        collector = AckCollector(Clock(), 5)
        collector.answered("stranger", [1])
        collector.lost("stranger", Disconnected("x"))
        collector.all_asked()
        self.assertEqual(self.successResultOf(collector.result), ([], []))

    def test_forgets(self) -> None:
        """Whoever is not waited for any longer is told so."""
        clock = Clock()
        collector = AckCollector(clock, 5)
        forgotten: list = []
        for cid in ("a", "b"):
            collector.expect(cid, partial(forgotten.append, cid))
        collector.answered("a", [])
        collector.all_asked()
        clock.advance(5)
        self.assertEqual(forgotten, ["b"])


class ThreadTests(SynchronousTestCase):
    """A question that comes from another thread."""

    def test_emit_with_ack(self) -> None:
        """It is asked, and timed, in the reactor's thread; so is the callback called."""
        handler_class = remembering()
        world = World({"/ChatSocket": handler_class})
        client = world.connect("/ChatSocket")
        (handler,) = handler_class.handlers
        calls: list = []
        world.clock.callFromThread = lambda f, *a, **kw: calls.append(partial(f, *a, **kw))
        self.patch(threadable, "ioThread", threading.get_ident())
        answers: list = []

        def work() -> None:
            for sender in (handler.timeout(5), handler.namespace, BroadcastOperator(world.server)):
                sender.emit("ask", ack=lambda *a: answers.append((threading.get_ident(), a)))

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        self.assertEqual((client.received(), len(calls)), ([], 3))
        self.assertEqual(time_limits(world.clock), 0)
        for call in calls:
            call()
        self.assertEqual(client.received(), [ASK, '2/ChatSocket,1["ask"]', '2/ChatSocket,2["ask"]'])
        client.send("3/ChatSocket,0[1]", "3/ChatSocket,1[2]", "3/ChatSocket,2[3]")
        here = threading.get_ident()
        self.assertEqual(answers, [(here, (None, 1)), (here, (None, [2])), (here, (None, [3]))])
