"""
The first packets of a session: its id and what the client must know of the options.

See: Engine.IO protocol v4, "Handshake".
"""

from __future__ import annotations

import json

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
    upgrades = [
        name
        for name in options.transports
        if name == "websocket" and transport == "polling" and options.allow_upgrades
    ]
    facts = {
        "sid": eid,
        "upgrades": upgrades,
        "pingInterval": round(options.ping_interval * 1000),
        "pingTimeout": round(options.ping_timeout * 1000),
        "maxPayload": options.max_payload,
    }
    opened = Packet(PacketType.OPEN, json.dumps(facts, separators=(",", ":")))
    if options.initial_packet is None:
        return (opened,)
    return opened, message(options.initial_packet)
