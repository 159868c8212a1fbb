"""
`connect`: one socket on a connection of its own, for scripts and tests and most services.

    async with connect("http://127.0.0.1:8000/ChatSocket") as socket:
        print(await socket.call("say", "hello"))
"""

from __future__ import annotations

from types import TracebackType
from typing import Any

from twisted.internet.defer import Deferred

from mojo.client.manager import Manager
from mojo.client.socket import Auth, Socket


class Connecting(Deferred[Socket]):
    """
    A socket that is being connected: a Deferred of it, and an async context manager.

    Cancelled, it disconnects.  As a context manager it disconnects at the end, and
    waits until the connection is gone.
    """

    def __init__(self, manager: Manager, socket: Socket, *, retry: bool) -> None:
        super().__init__(self._give_up)
        self._manager = manager
        self._socket = socket
        self._over = False
        if not retry:
            # The manager would try again: not where nobody asked for that.
            socket.once("connect_error", self._fail)
        socket.connect().addCallbacks(self._connected, lambda f: self._fail(f.value))

    async def __aenter__(self) -> Socket:
        return await self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._socket.disconnect()
        await self._manager.close()

    def _connected(self, socket: Socket) -> None:
        self._over = True
        socket.off("connect_error", self._fail)
        self.callback(socket)

    def _fail(self, error: BaseException | None) -> None:
        if not self._over:
            self._over = True
            self._manager.close()
            assert error is not None
            self.errback(error)

    def _give_up(self, _: Deferred[Socket]) -> None:
        self._over = True
        self._manager.close()


def connect(
    url: str,
    *,
    auth: Auth = None,
    retries: int = 0,
    ack_timeout: float | None = None,
    retry: bool = False,
    **options: Any,
) -> Connecting:
    """
    Connect to a server, on a connection of its own.

    Args:
        url: the server's, ``http``, ``https``, ``ws`` or ``wss``; its path is the
            namespace.
        auth: see `Manager.socket`.
        retries: see `Manager.socket`.
        ack_timeout: see `Manager.socket`.
        retry: whether to go on if the first attempt fails, as ``reconnection`` goes on
            later.
        options: as for `Manager`.
    Returns:
        A Deferred of the `Socket`, to be awaited, or used as ``async with``.  It fails with
        `ConnectError` when the server cannot be reached, or refuses us.
    Raises:
        ValueError: the URL or an option cannot be used.
    """
    manager = Manager(url, auto_connect=False, **options)
    socket = manager.socket(auth=auth, retries=retries, ack_timeout=ack_timeout)
    return Connecting(manager, socket, retry=retry)
