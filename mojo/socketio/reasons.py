"""Why a connection to a namespace ended, in the words of the reference implementation."""

from __future__ import annotations

from enum import StrEnum


class DisconnectReason(StrEnum):
    """
    The reasons that are Socket.IO's own.

    A connection that goes with its Engine.IO session has that session's reason: see
    `mojo.engineio.ports.CloseReason`.
    """

    CLIENT_NAMESPACE = "client namespace disconnect"
    SERVER_NAMESPACE = "server namespace disconnect"
