"""Why a connection to a namespace ended, in the words of the reference implementation."""

from __future__ import annotations

from enum import StrEnum

from mojo.engineio.ports import CloseReason


class DisconnectReason(StrEnum):
    """
    The reasons that are Socket.IO's own.

    A connection that goes with its Engine.IO session has that session's reason: see
    `mojo.engineio.ports.CloseReason`.
    """

    CLIENT_NAMESPACE = "client namespace disconnect"
    SERVER_NAMESPACE = "server namespace disconnect"


#: The reasons after which a client may come back: it was not sent away, and did not go.
RECOVERABLE = frozenset(
    (
        CloseReason.TRANSPORT_CLOSE,
        CloseReason.TRANSPORT_ERROR,
        CloseReason.PING_TIMEOUT,
        CloseReason.FORCED_CLOSE,
        CloseReason.FORCED_SERVER_CLOSE,
        CloseReason.SERVER_SHUTTING_DOWN,
    )
)
