"""Connections that are lost, and what becomes of what was to be sent."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mojo.client import AckTimeout, ConnectError, Disconnected
from tests.client.scripted import Script
from tests.client.test_socket import SocketTestCase
from tests.client.world import Heard

LIFE = (
    "open", "error", "close", "reconnect_attempt", "reconnect", "reconnect_error",
    "reconnect_failed",
)  # fmt: skip


class ReconnectionTests(SocketTestCase):
    def test_lost(self) -> None:
        """After a second there is a connection again, with another id."""
        socket = self.socket()
        self.heard.by(socket, "connect", "disconnect").by(socket.manager, *LIFE)
        before = socket.id
        self.world.network.cut()
        self.assertEqual(
            self.heard.take(), [("close", "transport error"), ("disconnect", "transport error")]
        )
        self.assertTrue(socket.active and socket.manager.reconnecting)
        self.world.advance(0.5)
        self.assertEqual(self.heard.take(), [])
        self.world.advance(0.5)
        self.assertEqual(
            self.heard.take(),
            [("reconnect_attempt", 1), ("open",), ("reconnect", 1), ("connect",)],
        )
        self.assertTrue(socket.connected)
        self.assertNotEqual(socket.id, before)

    def test_server_closes(self) -> None:
        """A server that shuts down closes; its clients come back."""
        for options in ({"transports": ("polling",)}, {"transports": ("websocket",)}):
            socket = self.socket(**options)
            self.heard.by(socket, "disconnect")
            self.world.server.stop()
            self.world.settle()
            self.assertEqual(self.heard.take(), [("disconnect", "transport close")])
            self.world.server.reopen()
            self.world.advance(6)
            self.assertTrue(socket.connected)
            socket.disconnect()
            self.heard.take()

    def test_delays(self) -> None:
        """1, 2, 4, 5, 5 s while the server is down, and 1 s again after a success."""
        socket = self.socket()
        attempts: list[float] = []
        clock = self.world.client_clock
        socket.manager.on("reconnect_attempt", lambda _: attempts.append(clock.seconds()))
        self.world.network.down = True
        lost = clock.seconds()
        self.world.network.cut()
        self.world.advance(17)
        self.assertEqual([time - lost for time in attempts], [1, 3, 7, 12, 17])
        self.world.network.down = False
        self.world.advance(5)
        self.assertTrue(socket.connected)
        attempts.clear()
        lost = clock.seconds()
        self.world.network.cut()
        self.world.advance(1)
        self.assertEqual([time - lost for time in attempts], [1])

    def test_first_attempt(self) -> None:
        """A server that is not there yet is waited for too."""
        self.world.network.down = True
        manager = self.manager()
        socket = manager.socket("/")
        self.heard.by(socket, "connect_error").by(manager, *LIFE)
        waiting = socket.connect()
        self.world.settle()
        self.world.network.down = False
        self.world.advance(1)
        self.assertIs(self.successResultOf(waiting), socket)
        self.assertEqual(
            [name for name, *_ in self.heard.events],
            ["reconnect_attempt", "open", "reconnect"],
        )

    def test_errors(self) -> None:
        """Each attempt that fails is told, with the reason."""
        socket = self.socket()
        self.heard.by(socket, "connect_error").by(socket.manager, "error", "reconnect_error")
        self.world.network.down = True
        self.world.network.cut()
        self.world.advance(1)
        names = [name for name, *_ in self.heard.events]
        self.assertEqual(names, ["error", "connect_error", "reconnect_error"])
        for _, error in self.heard.events:
            self.assertIsInstance(error, ConnectError)
            self.assertIn("Connection was refused", str(error))

    def test_attempts_are_counted(self) -> None:
        """After ``reconnection_attempts`` it is over, and whoever waits is told."""
        socket = self.socket(reconnection_attempts=2)
        self.heard.by(socket.manager, "reconnect_attempt", "reconnect_failed")
        self.world.network.down = True
        self.world.network.cut()
        waiting = socket.connect()
        self.world.advance(20)
        self.assertEqual(
            self.heard.events,
            [("reconnect_attempt", 1), ("reconnect_attempt", 2), ("reconnect_failed",)],
        )
        self.failureResultOf(waiting, ConnectError)
        self.assertEqual(self.world.client_clock.getDelayedCalls(), [])
        self.world.network.down = False
        socket.connect()
        self.world.settle()
        self.assertTrue(socket.connected)

    def test_off(self) -> None:
        """Without ``reconnection`` the app connects again."""
        socket = self.socket(reconnection=False)
        self.world.network.cut()
        self.world.advance(60)
        self.assertFalse(socket.connected)
        socket.connect()
        self.world.settle()
        self.assertTrue(socket.connected)

    def test_disconnect_ends_it(self) -> None:
        """No attempt follows, and no timer is left."""
        socket = self.socket()
        self.world.network.cut()
        waiting = socket.connect()
        self.successResultOf(socket.disconnect())
        self.failureResultOf(waiting, Disconnected)
        self.assertEqual(self.world.client_clock.getDelayedCalls(), [])
        self.world.advance(60)
        self.assertEqual(len(self.world.network.links), 1)

    def test_disconnect_while_connecting(self) -> None:
        """Also when the connection is half made; nobody is told of an error."""
        for transports in (("websocket",), ("polling",)):
            manager = self.manager(transports=transports)
            socket = manager.socket("/")
            self.heard.by(socket, "connect", "connect_error", "disconnect")
            gone = socket.disconnect()
            self.world.settle()
            self.successResultOf(gone)
            self.assertEqual(self.heard.events, [])
            self.assertEqual(self.world.network.open_links, [])
            self.assertEqual(self.world.client_clock.getDelayedCalls(), [])

    def test_manager_close(self) -> None:
        """Every socket is disconnected, and may connect again."""
        manager = self.manager()
        sockets = [manager.socket("/"), manager.socket("/other")]
        self.world.settle()
        self.heard.by(manager, "close", "error")
        for socket in sockets:
            self.heard.by(socket, "disconnect", "connect_error")
        gone = manager.close()
        self.world.settle()
        self.successResultOf(gone)
        self.assertEqual(
            self.heard.events,
            [("close", "forced close"), *[("disconnect", "forced close")] * 2],
        )
        self.assertEqual(self.world.network.open_links, [])
        self.successResultOf(manager.close())
        sockets[1].connect()
        self.world.settle()
        self.assertTrue(sockets[1].connected)
        self.assertFalse(sockets[0].connected)

    def test_coming_back_at_once(self) -> None:
        """Whoever hears of the end may connect again: whatever the end, and also at once."""
        for end in (
            lambda socket: socket.emit("leave_me"),
            lambda socket: socket.disconnect(),
            lambda socket: socket.manager.close(),
        ):
            socket = self.socket()
            waiting: list = []
            socket.once("disconnect", lambda _, s=socket, w=waiting: w.append(s.connect()))
            end(socket)
            self.world.settle()
            self.assertIs(self.successResultOf(waiting[0]), socket)
            self.assertTrue(socket.active and socket.connected)
            gone = socket.manager.close()
            self.world.settle()
            self.successResultOf(gone)

    def test_silence(self) -> None:
        """Without a ping for interval and timeout, 45 s, the server is dead."""
        socket = self.socket()
        self.heard.by(socket, "disconnect")
        (link,) = self.world.network.open_links
        link.client.paused = True  # nothing arrives any more
        self.world.client_clock.advance(44)
        self.assertEqual(self.heard.events, [])
        self.world.client_clock.advance(1)
        self.assertEqual(self.heard.events, [("disconnect", "ping timeout")])


class BufferTests(SocketTestCase):
    def test_waits_for_the_connection(self) -> None:
        """What is emitted meanwhile is sent after, in order; its call is answered."""
        socket = self.manager().socket("/")
        self.heard.by(socket, "message")
        socket.send(1)
        call = socket.call("echo", "x")
        socket.send(2)
        self.world.settle()
        self.assertEqual(self.successResultOf(call), "x")
        self.world.network.cut()
        socket.send(3)
        self.world.advance(1)
        self.assertEqual(self.heard.events, [("message", 1), ("message", 2), ("message", 3)])

    def test_call_in_the_buffer(self) -> None:
        """It outlives the connection it was not sent on."""
        socket = self.socket()
        self.world.network.down = True
        self.world.network.cut()
        call = socket.call("echo", "x")
        self.world.advance(1)  # one attempt fails
        self.assertNoResult(call)
        self.world.network.down = False
        self.world.advance(2)
        self.assertEqual(self.successResultOf(call), "x")

    def test_time_is_up_in_the_buffer(self) -> None:
        """An event whose call has failed is not sent any more."""
        self.world.network.down = True
        socket = self.manager().socket("/")
        self.heard.by(socket, "message")
        call = socket.call("message", "late", timeout=2)
        socket.send("kept")
        self.world.advance(3)
        self.failureResultOf(call, AckTimeout)
        self.world.network.down = False
        self.world.advance(5)
        self.assertEqual(self.heard.events, [("message", "kept")])

    def test_volatile(self) -> None:
        """It is dropped where it could not leave at once."""
        socket = self.manager().socket("/")
        self.heard.by(socket, "message")
        socket.volatile.send("before")
        self.world.settle()
        socket.volatile.send("connected")
        self.world.settle()
        (link,) = self.world.network.open_links
        link.client.producer.pauseProducing()  # as a transport does whose buffer is full
        socket.volatile.send("full")
        socket.send("kept")
        self.world.settle()
        link.client.producer.resumeProducing()
        self.world.settle()
        self.assertEqual(self.heard.events, [("message", "connected"), ("message", "kept")])

    def test_volatile_call(self) -> None:
        """One that was dropped fails in time."""
        socket = self.manager().socket("/")
        call = socket.volatile.timeout(5).call("echo", 1)
        self.world.advance(5)
        self.failureResultOf(call, AckTimeout)

    def test_volatile_while_posting(self) -> None:
        """On long-polling it is dropped while a POST is under way."""
        socket = self.socket(transports=("polling",))
        self.heard.by(socket, "message")
        socket.send(1)
        self.world.client_clock.advance(0)
        socket.volatile.send(2)
        self.world.settle()
        socket.volatile.send(3)
        self.world.settle()
        self.assertEqual(self.heard.events, [("message", 1), ("message", 3)])

    def test_after_a_long_sleep(self) -> None:
        """What is emitted when the ping is overdue waits for the next connection."""
        socket = self.socket()
        self.heard.by(socket, "message", "disconnect")
        # The machine slept: this call is due before the heartbeat's, which is due too.
        self.world.client_clock.callLater(44, lambda: None)
        self.world.client_clock.rightNow += 46
        socket.send("after")
        call = socket.call("echo", "answered")
        self.world.client_clock.advance(0)
        self.assertEqual(self.heard.take(), [("disconnect", "ping timeout")])
        self.world.advance(1)
        self.assertEqual(self.heard.events, [("message", "after")])
        self.assertEqual(self.successResultOf(call), "answered")

    def test_too_long_in_the_buffer(self) -> None:
        """What the server would close on is dropped, and the rest is sent."""
        socket = self.manager().socket("/")
        self.heard.by(socket, "message")
        socket.send("x" * 1_000_001)
        socket.send("kept")
        self.world.settle()
        self.assertEqual(self.heard.events, [("message", "kept")])


class RetryTests(SynchronousTestCase):
    """The option ``retries``, against a server that answers as it likes."""

    def setUp(self) -> None:
        self.script = Script()
        self.heard = Heard()
        self.socket = self.script.manager.socket("/", retries=2, ack_timeout=3)
        self.script.join()

    def test_one_at_a_time(self) -> None:
        """The second event is sent when the first was acknowledged."""
        self.socket.emit("a", 1)
        self.socket.emit("b", ack=self.heard.listener("b"))
        self.assertEqual(self.script.heard(), ['420["a",1]'])
        self.script.say("430[]")
        self.assertEqual(self.script.heard(), ['421["b"]'])
        self.script.say('431["yes"]')
        self.assertEqual(self.heard.events, [("b", None, "yes")])

    def test_again(self) -> None:
        """After ``ack_timeout``, as a new packet, three times in all."""
        call = self.socket.call("a")
        self.socket.emit("b")
        for ack_id in range(3):
            self.assertEqual(self.script.heard(), [f'42{ack_id}["a"]'])
            self.script.advance(3)
        self.failureResultOf(call, AckTimeout)
        self.assertEqual(self.script.heard(), ['423["b"]'])

    def test_late_answer(self) -> None:
        """The answer to an earlier try is passed over."""
        call = self.socket.call("a")
        self.script.advance(3)
        self.script.say("430[1]")
        self.assertNoResult(call)
        self.script.say("431[2]")
        self.assertEqual(self.successResultOf(call), 2)

    def test_across_a_reconnection(self) -> None:
        """What was not acknowledged is sent on the next connection, in order."""
        self.socket.emit("a")
        self.socket.emit("b")
        self.assertEqual(self.script.heard(), ['420["a"]'])
        self.script.network.cut()
        self.socket.emit("c")
        self.script.advance(1)
        self.script.join()
        self.assertEqual(self.script.heard(), ['421["a"]'])
        self.script.say("431[]")
        self.assertEqual(self.script.heard(), ['422["b"]'])
        self.script.say("432[]")
        self.assertEqual(self.script.heard(), ['423["c"]'])

    def test_volatile(self) -> None:
        """It goes past the queue."""
        self.socket.emit("a")
        self.socket.volatile.emit("now")
        self.assertEqual(self.script.heard(), ['420["a"]', '42["now"]'])

    def test_too_long(self) -> None:
        """What the server does not take is given up, and the next one is sent."""
        call = self.socket.call("a", "x" * 1_000_001)
        self.socket.emit("b")
        self.failureResultOf(call)
        self.assertEqual(self.script.heard()[-1][-5:], '["b"]')


class RecoveryTests(SynchronousTestCase):
    """Connection state recovery, as the official client asks for it."""

    def setUp(self) -> None:
        self.script = Script()
        self.heard = Heard()
        self.socket = self.script.manager.socket("/", auth={"token": "t"})
        self.heard.by(self.socket, "connect", "news")

    def test_recovered(self) -> None:
        """It gives the last offset, and gets the missed events before it is let in."""
        connect = self.script.join('40{"sid":"cid1","pid":"pid1"}')
        self.assertEqual(connect, '40{"token":"t"}')
        self.assertFalse(self.socket.recovered)
        self.script.say('42["news",1,"offset1"]', '42["news",2,"offset2"]')
        self.script.network.cut()
        self.heard.take()
        self.script.advance(1)
        self.script.open()
        self.assertEqual(self.script.heard(), ['40{"pid":"pid1","offset":"offset2","token":"t"}'])
        self.script.say('42["news",3,"offset3"]')
        self.assertEqual(self.heard.events, [])
        self.script.say('40{"sid":"cid1","pid":"pid1"}')
        self.assertTrue(self.socket.recovered)
        self.assertEqual(self.heard.events, [("news", 3, "offset3"), ("connect",)])
        self.script.network.cut()
        self.script.advance(1)
        self.script.open()
        self.assertIn('"offset":"offset3"', self.script.heard()[0])

    def test_not_recovered(self) -> None:
        """A new ``pid`` is a new beginning: the old offset is not sent with it."""
        self.script.join('40{"sid":"cid1","pid":"pid1"}')
        self.script.say('42["news",1,"offset1"]')
        self.script.network.cut()
        self.script.advance(1)
        self.script.join('40{"sid":"cid2","pid":"pid2"}')
        self.assertFalse(self.socket.recovered)
        self.script.network.cut()
        self.script.advance(1)
        self.script.open()
        self.assertEqual(self.script.heard(), ['40{"pid":"pid2","token":"t"}'])

    def test_no_offset(self) -> None:
        """What is no offset is not taken for one: an event with an id, a number."""
        self.script.join('40{"sid":"cid1","pid":"pid1"}')
        self.script.say('42["news",1,"offset1"]', '427["news","text"]', '42["news",2]')
        self.script.network.cut()
        self.script.advance(1)
        self.script.open()
        self.assertIn('"offset":"offset1"', self.script.heard()[0])

    def test_without_recovery(self) -> None:
        """A server that gives no ``pid`` is asked for nothing."""
        self.script.join()
        self.script.say('42["news","text"]')
        self.script.network.cut()
        self.script.advance(1)
        self.script.open()
        self.assertEqual(self.script.heard(), ['40{"token":"t"}'])

    def test_listener_without_room_for_it(self) -> None:
        """The offset is left out for a listener that takes one argument less."""
        self.script.join('40{"sid":"cid1","pid":"pid1"}')
        self.socket.off("news")
        self.socket.on("news", lambda number: self.heard.events.append(("one", number)))
        self.socket.on("news", lambda number, offset: self.heard.events.append((number, offset)))
        self.heard.take()
        self.script.say('42["news",1,"offset1"]')
        self.assertEqual(self.heard.events, [("one", 1), (1, "offset1")])

    def test_lost_before_it_was_let_in(self) -> None:
        """Events of a recovery that broke off come once, with the next."""
        self.script.join('40{"sid":"cid1","pid":"pid1"}')
        self.script.say('42["news",1,"offset1"]')
        for _ in range(2):
            self.script.network.cut()
            self.script.advance(1)
            self.script.open()
            self.script.say('42["news",2,"offset2"]')
        self.heard.take()
        self.script.say('40{"sid":"cid1","pid":"pid1"}')
        self.assertEqual(self.heard.events, [("news", 2, "offset2"), ("connect",)])
