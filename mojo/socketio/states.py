"""Where a connection is in its life."""

from __future__ import annotations

from enum import Enum


class ConnectionState(Enum):
    """See `mojo.socketio.connection`."""

    OPENING = "opening"
    OPEN = "open"
    CLOSED = "closed"


#: To look an enum's member up for each message takes as long as two calls.
OPEN = ConnectionState.OPEN
