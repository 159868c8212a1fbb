"""An emitter for programs without a reactor: each word that sends waits for Redis to have it."""

from __future__ import annotations

from types import TracebackType

from mojo.cluster.url import read_url
from mojo.emitter.formats import Command, format_of
from mojo.emitter.operator import EmitterOperator
from mojo.errors import RedisUnavailable
from mojo.redis.blocking import BlockingConnection
from mojo.redis.resp import RespError
from mojo.socketio.encoders import Encoder


class Emitter(EmitterOperator[int | None]):
    """
    Sends to the clients of a cluster; see `EmitterOperator`.

    It connects when it is first used, and again when it must; threads and forked processes may
    share it.  It is a context manager, which closes it.

    Args:
        url: as the servers' ``REDIS``.
        encoder: makes something that can be sent of what cannot, as theirs does.
        timeout: seconds to wait for Redis, at most.
    Raises:
        SettingsError: it is no URL of a Redis.
    """

    def __init__(self, url: str, *, encoder: Encoder | None = None, timeout: float = 5.0) -> None:
        address, prefix, adapter, _ = read_url(url, "the emitter's URL")
        self._connection = BlockingConnection(address, timeout)
        super().__init__(self._send, format_of(adapter, prefix, encoder))

    def __enter__(self) -> Emitter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the connection go; it is made again if the emitter is used again."""
        self._connection.close()

    def _send(self, command: Command) -> int | None:
        reply = self._connection.ask(*command)
        if isinstance(reply, RespError):
            raise RedisUnavailable(f"{self._connection.address}: {reply}")
        return reply if isinstance(reply, int) else None
