"""`mojo.systemd`: what systemd is told, through a real socket."""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from mojo.systemd import Systemd, from_environment


class Reactor(MemoryReactorClock):
    """A reactor whose triggers can be pulled."""

    def removeSystemEventTrigger(self, trigger) -> None:
        phase, event, entry = trigger
        self.triggers[phase][event].remove(entry)

    def addSystemEventTrigger(self, phase, event, function, *args, **kwargs):
        super().addSystemEventTrigger(phase, event, function, *args, **kwargs)
        return phase, event, (function, args, kwargs)

    def shut_down(self) -> None:
        for function, args, kwargs in self.triggers["before"].pop("shutdown", []):
            function(*args, **kwargs)


class SystemdTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="mojo")
        self.addCleanup(folder.cleanup)
        self.path = str(Path(folder.name) / "notify")
        self.reactor = Reactor()
        self.systemd = self.listen(self.path)

    def listen(self, path: str) -> socket.socket:
        """Do as systemd does."""
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(listening.close)
        listening.bind(path)
        listening.setblocking(False)
        return listening

    def heard(self, listening: socket.socket | None = None) -> list[str]:
        texts = []
        while True:
            try:
                texts.append((listening or self.systemd).recv(1000).decode("ascii"))
            except BlockingIOError:
                return texts

    def start(self, **environment: str) -> Systemd:
        self.environment = {"NOTIFY_SOCKET": self.path, "OTHER": "1", **environment}
        service = from_environment(self.reactor, 8.0, self.environment)
        assert service is not None
        service.startService()
        return service

    def test_ready_and_stopping(self) -> None:
        """The end may take eight seconds, and systemd waits for eighteen."""
        service = self.start()
        self.assertEqual(self.heard(), ["READY=1"])
        self.reactor.shut_down()
        self.assertEqual(self.heard(), ["STOPPING=1\nEXTEND_TIMEOUT_USEC=18000000"])
        service.stopService()
        self.assertEqual(self.heard(), [])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_watchdog(self) -> None:
        """Twice in the time that systemd gives, until the very end."""
        service = self.start(WATCHDOG_USEC="20000000", WATCHDOG_PID=str(os.getpid()))
        self.assertEqual(self.heard(), ["READY=1", "WATCHDOG=1"])
        self.reactor.advance(9.9)
        self.assertEqual(self.heard(), [])
        self.reactor.advance(0.1)
        self.assertEqual(self.heard(), ["WATCHDOG=1"])
        self.reactor.shut_down()
        self.heard()
        self.reactor.advance(10)
        self.assertEqual(self.heard(), ["WATCHDOG=1"])
        service.stopService()
        self.reactor.advance(10)
        self.assertEqual(self.heard(), [])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_watchdog_of_another_process(self) -> None:
        self.start(WATCHDOG_USEC="20000000", WATCHDOG_PID="1")
        self.assertEqual(self.heard(), ["READY=1"])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_no_number(self) -> None:
        for value in ("", "x", "-1", "0"):
            self.start(WATCHDOG_USEC=value)
            self.assertEqual(self.heard(), ["READY=1"])

    def test_environment(self) -> None:
        """What the process starts is not to speak for it."""
        self.start(WATCHDOG_USEC="20000000", WATCHDOG_PID=str(os.getpid())).stopService()
        self.assertEqual(self.environment, {"OTHER": "1"})

    def test_abstract_name(self) -> None:
        """A name that begins with ``@`` is in no folder."""
        name = f"mojo-{os.getpid()}-{id(self)}"
        systemd = self.listen(f"\0{name}")
        self.start(NOTIFY_SOCKET=f"@{name}")
        self.assertEqual(self.heard(systemd), ["READY=1"])

    def test_without_systemd(self) -> None:
        for environment in ({}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1"}):
            self.assertIsNone(from_environment(self.reactor, 8.0, environment))

    def test_systemd_that_is_gone(self) -> None:
        """It is logged, and nothing breaks."""
        os.unlink(self.path)
        self.start().stopService()

    def test_systemd_that_does_not_listen(self) -> None:
        """A full queue blocks nobody."""
        service = self.start(WATCHDOG_USEC="2000000")
        for _ in range(2000):
            self.reactor.advance(1)
        self.assertLess(len(self.heard()), 2000)
        service.stopService()

    def test_start_again(self) -> None:
        service = self.start()
        service.stopService()
        service.startService()
        self.assertEqual(self.heard(), ["READY=1", "READY=1"])
        self.assertEqual(len(self.reactor.triggers["before"]["shutdown"]), 1)
