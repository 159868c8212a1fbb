"""Ports for servers that must be told one before they are there."""

from __future__ import annotations

import socket
from collections.abc import Callable


def free_port(at_end: Callable[[Callable[[], object]], object]) -> int:
    """
    Give a port of 127.0.0.1 that nobody else is given meanwhile.

    Others ask the kernel for any port all the time, also by each connection that they make.  It
    gives none that is bound, and lets a server listen on one that is bound and listens nowhere,
    if both say that they use it again; all servers do.

    Args:
        at_end: is given what gives the port back, as `addCleanup` takes it.
    """
    reserved = socket.socket()
    at_end(reserved.close)
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind(("127.0.0.1", 0))
    port: int = reserved.getsockname()[1]
    return port
