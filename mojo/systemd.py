"""
Telling systemd how the process is: that it is ready, alive, or stopping.

systemd gives the path of a datagram socket in ``NOTIFY_SOCKET``, and with a watchdog the
time in which it wants to hear of us in ``WATCHDOG_USEC``; see ``sd_notify(3)`` and
``sd_watchdog_enabled(3)``.  Nothing is sent where there is no such socket, and nothing
breaks where it is gone.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, MutableMapping
from typing import Any

from twisted.application.service import Service
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

_log = Logger()

#: Seconds on top of the drain's that systemd is asked to wait for the end.
_MARGIN = 10.0


class Systemd(Service):
    """
    The part of a service that systemd hears.

    Args:
        reactor: the reactor.
        send: sends systemd a text.
        watchdog: seconds after which systemd starts a silent process anew; 0 for never.
        stop_seconds: how long a stop may take.
    """

    def __init__(
        self, reactor: Any, send: Callable[[str], None], watchdog: float, stop_seconds: float
    ) -> None:
        self._reactor = reactor
        self._send = send
        self._watchdog = watchdog
        self._stop_seconds = stop_seconds
        self._trigger: Any = None
        self._beat = LoopingCall(send, "WATCHDOG=1")
        self._beat.clock = reactor

    def startService(self) -> None:
        """Say that the ports are open."""
        super().startService()
        self._trigger = self._reactor.addSystemEventTrigger("before", "shutdown", self._stopping)
        self._send("READY=1")
        if self._watchdog:
            self._beat.start(self._watchdog / 2)

    def stopService(self) -> None:
        """Say no more."""
        super().stopService()
        if self._beat.running:
            self._beat.stop()
        if self._trigger is not None:
            self._reactor.removeSystemEventTrigger(self._trigger)
            self._trigger = None

    def _stopping(self) -> None:
        # A trigger that was called is gone.
        self._trigger = None
        microseconds = int((self._stop_seconds + _MARGIN) * 1_000_000)
        self._send(f"STOPPING=1\nEXTEND_TIMEOUT_USEC={microseconds}")


def from_environment(
    reactor: Any, stop_seconds: float, environment: MutableMapping[str, str] = os.environ
) -> Systemd | None:
    """
    Make what talks to systemd, if it is listening.

    The variables are taken out of the environment: what this process starts is no business
    of systemd's.

    Args:
        reactor: the reactor.
        stop_seconds: how long a stop may take.
        environment: the process's.
    """
    address = environment.pop("NOTIFY_SOCKET", "")
    microseconds = environment.pop("WATCHDOG_USEC", "")
    watched = environment.pop("WATCHDOG_PID", "") or str(os.getpid())
    if not address.startswith(("/", "@")):
        return None
    if address.startswith("@"):
        address = f"\0{address[1:]}"  # a name that is in no folder

    def send(text: str) -> None:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
                notify.setblocking(False)
                notify.sendto(text.encode("ascii"), address)
        except OSError as exc:
            _log.warn("systemd was not told {text!r}: {error}", text=text, error=str(exc))

    is_watched = microseconds.isdecimal() and watched == str(os.getpid())
    watchdog = int(microseconds) / 1_000_000 if is_watched else 0.0
    return Systemd(reactor, send, watchdog, stop_seconds)
