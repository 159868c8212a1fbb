"""What a server says when it opens an Engine.IO connection."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from mojo.errors import PacketError

# A week: no server waits longer, and the reactor could not.
_LONGEST = 7 * 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Opening:
    """
    The open packet of a server.

    Attributes:
        eid: the connection's id; whoever knows it can speak for us.
        upgrades: the transports that we may move to.
        ping_interval: seconds between two pings.
        ping_timeout: seconds that the server waits for an answer to one.
        max_payload: most bytes of a message that the server takes; ``None`` if it did
            not say.
    """

    eid: str
    upgrades: tuple[str, ...]
    ping_interval: float
    ping_timeout: float
    max_payload: int | None


def read_opening(data: str | bytes) -> Opening:
    """
    Read the data of an open packet.

    Raises:
        PacketError: it is not what the protocol says (Engine.IO protocol v4, "Handshake").
    """
    try:
        facts = json.loads(data)
    except (ValueError, RecursionError):
        raise PacketError("the open packet is not JSON") from None
    if not isinstance(facts, dict):
        raise PacketError("the open packet is no object")
    eid, upgrades, limit = facts.get("sid"), facts.get("upgrades"), facts.get("maxPayload")
    if not isinstance(eid, str) or not eid:
        raise PacketError("the open packet has no sid")
    if not isinstance(upgrades, list):
        raise PacketError("the open packet has no upgrades")
    if limit is not None and (type(limit) is not int or limit <= 0):
        raise PacketError("the open packet's maxPayload is no size")
    return Opening(
        eid,
        tuple(name for name in upgrades if isinstance(name, str)),
        _seconds(facts, "pingInterval"),
        _seconds(facts, "pingTimeout"),
        limit,
    )


def _seconds(facts: dict[str, Any], name: str) -> float:
    value = facts.get(name)
    # type(), since True is an int.
    if type(value) not in (int, float) or not 0 < value <= _LONGEST:  # type: ignore[operator]
        raise PacketError(f"the open packet's {name} is no time")
    return value / 1000  # type: ignore[operator]
