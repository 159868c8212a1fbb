"""
A connection to Redis for programs without a reactor: a question, and its answer.

It is made when it is needed.  One that Redis has closed while it was idle is noticed before it is
used; what was sent when a connection broke is not sent again, since it may have been done.
"""

from __future__ import annotations

import os
import selectors
import socket
import ssl
from threading import Lock
from typing import Any

from mojo.errors import RedisUnavailable
from mojo.redis.address import RedisAddress
from mojo.redis.resp import BrokenRespError, RespError, RespReader, command

_MAX_REPLY = 1_000_000


class BlockingConnection:
    """
    A connection; for any thread, one question at a time.

    Args:
        address: where the Redis is.
        timeout: seconds for each step of a connection, and for an answer.
    """

    def __init__(self, address: RedisAddress, timeout: float) -> None:
        self.address = address
        self._timeout = timeout
        self._lock = Lock()
        self._socket: socket.socket | None = None
        self._reader = RespReader(_MAX_REPLY)
        self._process = 0

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
                if not self._is_good():
                    self._close()
                    self._connect()
                return self._exchange(*parts)
            except (OSError, BrokenRespError) as exc:
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

    def _is_good(self) -> bool:
        # A forked process must not read what its parent is answered.
        if self._socket is None or self._process != os.getpid():
            return False
        # Nothing may come unasked but the end.
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            return not selector.select(0)

    def _connect(self) -> None:
        address = self.address
        if address.scheme == "unix":
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._socket = connection
            connection.settimeout(self._timeout)
            connection.connect(address.path)
        else:
            plain = socket.create_connection((address.host, address.port), self._timeout)
            self._socket = plain
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if address.scheme == "rediss":
                context = ssl.create_default_context()
                self._socket = context.wrap_socket(plain, server_hostname=address.host)
        self._reader = RespReader(_MAX_REPLY)
        self._process = os.getpid()
        if address.password is not None:
            names = () if address.username is None else (address.username,)
            reply = self._exchange("AUTH", *names, address.password)
            if isinstance(reply, RespError):
                raise RedisUnavailable(f"{address}: {reply}")

    def _exchange(self, *parts: str | bytes) -> Any:
        connection = self._socket
        assert connection is not None
        connection.sendall(command(*parts))
        while True:
            data = connection.recv(65_536)
            if not data:
                raise ConnectionResetError("the connection was closed")
            replies = self._reader.feed(data)
            if replies:
                return replies[0]

    def _close(self) -> None:
        connection, self._socket = self._socket, None
        if connection is not None:
            connection.close()
