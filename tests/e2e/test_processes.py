"""What the other tests here start their processes with."""

from __future__ import annotations

import socket

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.trial.unittest import TestCase

from tests.e2e.processes import start
from tests.ports import free_port


class ProcessTests(TestCase):
    timeout = 120

    async def test_signals_to_one_that_has_just_ended(self) -> None:
        """It is not signalled any more, and is waited for until its last word is read."""
        # What it leaves behind has its output open, until its input is closed.
        process = start("/bin/sh", "-c", "exec 3<&0; (cat <&3; echo over) & exit 3")
        exited: Deferred[None] = Deferred()
        process.processExited = lambda reason: exited.callback(None)
        await exited
        stopped = Deferred.fromCoroutine(process.stop())
        self.assertFalse(process.ended.called)
        process.transport.closeStdin()
        self.assertEqual(await stopped, 3)
        self.assertEqual(process.output, "over\n")
        self.assertEqual(await process.stop(), 3)


class PortTests(TestCase):
    def test_free(self) -> None:
        """Nobody is given it but who asks for it by its number, and means to listen there."""
        port = free_port(self.addCleanup)
        with socket.socket() as other, self.assertRaises(OSError):
            other.bind(("127.0.0.1", port))
        listening = reactor.listenTCP(port, Factory(), interface="127.0.0.1")
        self.addCleanup(listening.stopListening)
