"""
The first packets of a session: its id and what the client must know of the options.

See: Engine.IO protocol v4, "Handshake".
"""

from __future__ import annotations

import json
from functools import lru_cache

from mojo.engineio.options import EngineOptions
from mojo.engineio.packet import Packet, PacketType, message


def open_packets(eid: str, transport: str, options: EngineOptions) -> tuple[Packet, ...]:
    """
    Make the open packet, and the message that may follow it.

    Args:
        eid: the session's id.
        transport: the name of the one that carries it.
        options: the server's; their seconds are milliseconds here.
    """
    can_upgrade = (
        transport == "polling" and options.allow_upgrades and "websocket" in options.transports
    )
    terms = _terms(can_upgrade, options.ping_interval, options.ping_timeout, options.max_payload)
    opened = Packet(PacketType.OPEN, f'{{"sid":{json.dumps(eid)},{terms}')
    if options.initial_packet is None:
        return (opened,)
    return opened, message(options.initial_packet)


@lru_cache(maxsize=64)
def _terms(can_upgrade: bool, ping_interval: float, ping_timeout: float, max_payload: int) -> str:
    # The same for all clients of a server: 7 µs of the encoder for each.
    terms = {
        "upgrades": ["websocket"] if can_upgrade else [],
        "pingInterval": round(ping_interval * 1000),
        "pingTimeout": round(ping_timeout * 1000),
        "maxPayload": max_payload,
    }
    return json.dumps(terms, separators=(",", ":")).removeprefix("{")
