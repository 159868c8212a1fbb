"""
A connection to Redis for programs without a reactor: a question, and its answer.

It is made when it is needed.  One that Redis has closed while it was idle is noticed before it is
used; what was sent when a connection broke is not sent again, since it may have been done.  Every
few seconds in which it is used it is asked whether it still leads to the master.
"""

from __future__ import annotations

import os
import selectors
import socket
import ssl
from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import Any

from mojo.errors import RedisUnavailable
from mojo.redis.address import RedisAddress
from mojo.redis.answers import WHO, question, read_answer, trouble_of
from mojo.redis.resp import BrokenRespError, RespError, RespReader, command

#: Seconds for which it is believed that the server is the one that is wanted.
CHECK_SECONDS = 5.0
_MAX_REPLY = 1_000_000
_BROKEN = (OSError, BrokenRespError)


class BlockingConnection:
    """
    A connection; for any thread, one question at a time.

    Args:
        address: where the Redis is.
        timeout: seconds for each step of a connection, and for an answer.
        now: gives seconds.
    """

    def __init__(
        self, address: RedisAddress, timeout: float, now: Callable[[], float] = monotonic
    ) -> None:
        self.address = address
        self._timeout = timeout
        self._now = now
        self._lock = Lock()
        self._wire: _Wire | None = None
        self._process = 0
        self._checked_at = 0.0

    def __repr__(self) -> str:
        return f"<BlockingConnection to {self.address}>"

    def ask(self, *parts: str | bytes) -> Any:
        """
        Send a command; give its answer, which may be a `RespError`.

        Raises:
            RedisUnavailable: there is no connection, or no answer.
        """
        with self._lock:
            try:
                return self._good_wire().exchange(*parts)
            except _BROKEN as exc:
                self._close()
                raise RedisUnavailable(f"{self.address}: {exc or type(exc).__name__}") from exc
            except BaseException:
                # Half a question may have been sent, as when a signal's handler raised.
                self._close()
                raise

    def close(self) -> None:
        """Let the connection go."""
        with self._lock:
            self._close()

    def _good_wire(self) -> _Wire:
        # A forked process must not read what its parent is answered.
        wire = self._wire if self._process == os.getpid() else None
        if wire is not None and not wire.has_ended() and self._is_right(wire):
            return wire
        self._close()
        self._wire = wire = _Wire(self._find(), self._timeout)
        self._process = os.getpid()
        if (trouble := trouble_of(wire.exchange(*WHO))) is not None:
            raise RedisUnavailable(f"{self.address}: {trouble}")
        self._checked_at = self._now()
        return wire

    def _is_right(self, wire: _Wire) -> bool:
        if self._now() - self._checked_at < CHECK_SECONDS:
            return True
        self._checked_at = self._now()
        try:
            if trouble_of(wire.exchange(*WHO)) is not None:
                return False
        except _BROKEN:
            return False
        try:
            return str(self._find()) == str(wire.address)
        except RedisUnavailable:
            # No sentinel helps: the one that there is will do.
            return True

    def _find(self) -> RedisAddress:
        if not self.address.sentinels:
            return self.address
        why: Exception | None = None
        for sentinel in self.address.sentinels:
            wire = None
            try:
                wire = _Wire(sentinel, self._timeout)
                return read_answer(self.address, wire.exchange(*question(self.address.master)))
            except (*_BROKEN, RedisUnavailable) as exc:
                why = exc
            finally:
                if wire is not None:
                    wire.close()
        raise RedisUnavailable(f"{self.address}: no sentinel helps: {why}")

    def _close(self) -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()


class _Wire:
    """
    A socket, logged in.

    Args:
        address: where to.
        timeout: seconds for each step.
    Raises:
        RedisUnavailable: the login was refused.
    """

    def __init__(self, address: RedisAddress, timeout: float) -> None:
        self.address = address
        self._reader = RespReader(_MAX_REPLY)
        self._socket = _connect(address, timeout)
        try:
            self._log_in()
        except BaseException:
            self.close()
            raise

    def has_ended(self) -> bool:
        """Tell whether something came unasked: it can only be the end."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            return bool(selector.select(0))

    def exchange(self, *parts: str | bytes) -> Any:
        """Send a command and wait for its answer."""
        self._socket.sendall(command(*parts))
        while True:
            data = self._socket.recv(65_536)
            if not data:
                raise ConnectionResetError("the connection was closed")
            replies = self._reader.feed(data)
            if replies:
                return replies[0]

    def close(self) -> None:
        """Let it go."""
        self._socket.close()

    def _log_in(self) -> None:
        address = self.address
        if address.password is not None:
            names = () if address.username is None else (address.username,)
            reply = self.exchange("AUTH", *names, address.password)
            if isinstance(reply, RespError):
                raise RedisUnavailable(f"{address}: {reply}")


def _connect(address: RedisAddress, timeout: float) -> socket.socket:
    if address.scheme == "unix":
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(timeout)
            connection.connect(address.path)
        except BaseException:
            connection.close()
            raise
        return connection
    plain = socket.create_connection((address.host, address.port), timeout)
    try:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if address.scheme == "rediss":
            context = ssl.create_default_context()
            return context.wrap_socket(plain, server_hostname=address.host)
    except BaseException:
        plain.close()
        raise
    return plain
