"""Why a socket is no longer connected, in the words of the official client."""

from __future__ import annotations

from enum import StrEnum


class SocketReason(StrEnum):
    """
    The reasons that are a socket's own.

    A socket that goes with its Engine.IO connection has that connection's reason: see
    `mojo.engineio.ports.CloseReason`.
    """

    SERVER_DISCONNECT = "io server disconnect"
    CLIENT_DISCONNECT = "io client disconnect"
