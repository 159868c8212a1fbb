"""
What goes along with a connection from one worker to another.

A parcel is three parts: the lengths of the other two, what the connection says of itself
(JSON), and what was read of it.  The connection comes beside it, as a file descriptor.  No I/O.
"""

from __future__ import annotations

import json
import os
import struct
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress

from mojo.engineio.neighbours import Address, Caller

_LENGTHS = struct.Struct(">II")
#: Most bytes of a parcel.  twisted.web reads 16 KiB of a head, and what is behind it came in one
#: read, or while one request was answered.
MAX_PARCEL = 1_000_000


def pack(caller: Caller, data: bytes) -> bytes:
    """Make a parcel."""
    said = json.dumps([_say(caller.peer), _say(caller.host), caller.secure]).encode("ascii")
    return b"".join((_LENGTHS.pack(len(said), len(data)), said, data))


def unpack(parcel: bytes) -> tuple[Caller, bytes] | None:
    """
    Read a parcel.

    Returns:
        What the connection says of itself, and what was read of it; ``None`` while there is
        more to come.
    Raises:
        ValueError: it is none.
    """
    if len(parcel) < _LENGTHS.size:
        return None
    said, data = _LENGTHS.unpack_from(parcel)
    begin = _LENGTHS.size + said
    missing = begin + data - len(parcel)
    if missing < 0 or begin + data > MAX_PARCEL:
        raise ValueError(f"a parcel of {begin + data} bytes, of which {len(parcel)} came")
    if missing:
        return None
    peer, host, secure = json.loads(parcel[_LENGTHS.size : begin])
    return Caller(_address(*peer), _address(*host), secure), parcel[begin:]


def _say(address: Address) -> list[Any]:
    if isinstance(address, UNIXAddress):
        return ["unix", None if address.name is None else os.fsdecode(address.name), 0]
    return ["6" if isinstance(address, IPv6Address) else "4", address.host, address.port]


def _address(kind: str, host: str | None, port: int) -> Address:
    if kind == "unix":
        return UNIXAddress(host)
    if host is None:
        raise ValueError("an address without a host")
    return IPv6Address("TCP", host, port) if kind == "6" else IPv4Address("TCP", host, port)
