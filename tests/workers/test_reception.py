"""`mojo.workers.reception`: what may come to a worker's socket, and that no file stays open."""

from __future__ import annotations

import os
import socket
import stat
from array import array

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.task import Clock
from twisted.logger import LogLevel, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from mojo.engineio.deadlines import Deadlines
from mojo.engineio.neighbours import Caller
from mojo.workers import reception
from mojo.workers.parcel import MAX_PARCEL, pack, unpack
from mojo.workers.reception import is_our_user
from tests.workers.world import WorkersTestCase, open_files, request

CALLER = Caller(IPv4Address("TCP", "192.0.2.7", 1234), IPv4Address("TCP", "192.0.2.1", 80), False)


class ParcelTests(SynchronousTestCase):
    def test_form(self) -> None:
        said = b'[["4", "192.0.2.7", 1234], ["4", "192.0.2.1", 80], false]'
        expected = b"\0\0\0\x39\0\0\0\5" + said + b"GET /"
        self.assertEqual(len(said), 0x39)
        self.assertEqual(pack(CALLER, b"GET /"), expected)
        self.assertEqual(unpack(expected), (CALLER, b"GET /"))

    def test_addresses(self) -> None:
        for caller in (
            CALLER,
            Caller(IPv6Address("TCP", "::1", 1), IPv6Address("TCP", "::1", 2), True),
            Caller(UNIXAddress(None), UNIXAddress("/run/mojo \xe9"), False),
        ):
            self.assertEqual(unpack(pack(caller, b"")), (caller, b""))

    def test_not_yet(self) -> None:
        """The beginning of one is none, wherever it ends."""
        parcel = pack(CALLER, b"GET /")
        for length in range(len(parcel)):
            self.assertIsNone(unpack(parcel[:length]), length)

    def test_no_parcel(self) -> None:
        parcel = pack(CALLER, b"GET /")
        for wrong in (
            parcel + b"x",
            b"GET / HTTP/1.1\r\n\r\n",
            b"\0\0\0\2\0\0\0\0[]",
            b"\0\0\0\4\0\0\0\0null",
            b"\0\0\0\2\0\0\0\0{x",
            pack(CALLER, b"x" * MAX_PARCEL)[:100],
            parcel.replace(b'"192.0.2.7"', b"null       "),
        ):
            with self.assertRaises((ValueError, TypeError), msg=wrong):
                unpack(wrong)


class SocketTests(SynchronousTestCase):
    def test_our_user(self) -> None:
        """The kernel says whose process is at the other end."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            self.assertTrue(is_our_user(ours))
            self.patch(os, "geteuid", lambda: os.getuid() + 1)
            self.assertFalse(is_our_user(ours))


class ReceptionTests(WorkersTestCase):
    """Attributes: ``client`` and ``server`` are two ends of what is handed over."""

    async def setUp(self) -> None:
        await super().setUp()
        self.events: list = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)
        self.files = open_files()
        listener = socket.create_server(("127.0.0.1", 0))
        self.client = socket.create_connection(listener.getsockname())
        self.server = listener.accept()[0]
        listener.close()
        self.door = socket.socket(socket.AF_UNIX)
        self.door.connect(str(self.right.place.socket))
        self.client.setblocking(False)
        self.door.setblocking(False)
        for sock in (self.client, self.server, self.door):
            self.addCleanup(sock.close)

    def send(self, data: bytes, *given: socket.socket) -> None:
        numbers = array("i", [sock.fileno() for sock in given])
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, numbers)] if given else []
        self.assertEqual(self.door.sendmsg([data], rights), len(data))

    async def heard(self, sock: socket.socket) -> bytes:
        """Wait for what comes, or for the end."""
        while True:
            try:
                return sock.recv(65_536)
            except BlockingIOError:
                await self.turn()
            except ConnectionResetError:
                return b""

    async def refused(self, problem: str) -> None:
        """All that came is closed, and the operator told once."""
        self.server.close()
        self.assertEqual(await self.heard(self.door), b"")
        self.assertEqual(await self.heard(self.client), b"")
        self.door.close()
        self.client.close()
        self.assertEqual(open_files(), self.files)
        self.assertEqual(self.right.site.channels, set())
        self.assertIn(problem, "\n".join(self.warnings))

    @property
    def warnings(self) -> list[str]:
        return [formatEvent(event) for event in self.events if event["log_level"] is LogLevel.warn]

    async def test_taken(self) -> None:
        """A parcel in two pieces is one."""
        parcel = pack(CALLER, request("GET", "/nothing"))
        self.send(parcel[:20], self.server)
        await self.turn()
        self.send(parcel[20:])
        self.server.close()
        self.assertTrue((await self.heard(self.client)).startswith(b"HTTP/1.1 404 "))
        self.assertEqual(await self.heard(self.door), b"")
        (channel,) = self.right.site.channels
        self.assertEqual(channel.getPeer(), CALLER.peer)
        descriptor = channel.transport.fileno()
        self.assertFalse(os.get_inheritable(descriptor))
        self.assertFalse(os.get_blocking(descriptor))

    async def test_another_user(self) -> None:
        """Nobody's connections are taken but those of our own user's processes."""
        self.patch(reception, "is_our_user", lambda sock: False)
        self.send(pack(CALLER, request("GET", "/nothing")), self.server)
        await self.refused("another user")

    async def test_nonsense(self) -> None:
        self.send(b"GET / HTTP/1.1\r\n\r\n", self.server)
        await self.refused("no parcel")

    async def test_without_a_connection(self) -> None:
        """That is what comes when there are as many open files as there may be."""
        self.send(pack(CALLER, request("GET", "/nothing")))
        await self.refused("0 connections")

    async def test_two_connections(self) -> None:
        self.send(pack(CALLER, request("GET", "/nothing")), self.server, self.server)
        await self.refused("2 connections")

    async def test_broken_off(self) -> None:
        """Of a sender that has died in the middle nothing is left."""
        self.send(pack(CALLER, request("GET", "/nothing"))[:30], self.server)
        self.door.close()
        self.server.close()
        self.assertEqual(await self.heard(self.client), b"")
        self.client.close()
        self.assertEqual(open_files(), self.files)

    async def test_too_late(self) -> None:
        """Nor of one that hangs, when its time is up."""
        clock = Clock()
        waiting = self.right.handover._reception.waiting
        self.right.handover._reception.waiting = Deadlines(clock, 5.0, waiting._expired)
        self.send(pack(CALLER, b"")[:30], self.server)
        while not len(self.right.handover._reception.waiting):
            await self.turn()
        # It must be read, too: what was written before another request was answered was.
        other = await self.connect(self.right)
        await other.ask("GET", "/nothing")
        await self.leave(other)
        while self.right.site.channels:
            await self.turn()
        clock.advance(5)
        await self.refused("30 bytes in 5 seconds")

    async def test_client_gone(self) -> None:
        """The connection of a client that has left meanwhile is closed."""
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.client.close()
        self.send(pack(CALLER, request("GET", "/nothing")), self.server)
        self.server.close()
        self.assertEqual(await self.heard(self.door), b"")
        self.door.close()
        await self.turn()
        self.assertEqual(open_files(), self.files)
        self.assertEqual(self.right.site.channels, set())

    async def test_no_socket(self) -> None:
        """A file that is no connection is closed."""
        with open(os.devnull) as file:
            self.send(pack(CALLER, request("GET", "/nothing")), file)
        await self.refused("on non-socket")

    async def test_mode(self) -> None:
        """Only the parent's user gets at the socket, and it goes with the worker."""
        path = self.right.place.socket
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        await self.right.handover.close()
        self.assertFalse(path.exists())
        await self.right.handover.close()
        self.right.handover.open()
        self.right.handover.open()
        self.assertTrue(path.exists())
