"""
WebSocket compression, ``permessage-deflate`` (RFC 7692): offers, and the frames we send.

What a client offers is checked here and built anew, as the rest of the opening handshake is;
Autobahn answers it and unpacks what comes, within ``max_payload``.  We pack what leaves.

By default neither side keeps its dictionary from one message to the next.  That costs some
compression, and saves some 300 kB of memory per connection; and a message that goes to
many clients is then packed once, for all of them.  Pure: no I/O.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mojo.engineio.packet import Packet
from mojo.engineio.transports.frames import encode_frame, framer_of
from mojo.engineio.versions import VERSION_4, Version

NAME = "permessage-deflate"

_COMPRESSED = 0x40  # RSV1, RFC 7692 section 6
_TAIL = b"\x00\x00\xff\xff"

_MAX_OFFERS = 8
_BITS = re.compile(r"8|9|1[0-5]")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeflateOptions:
    """
    How WebSocket messages are compressed; the names are the extension's.

    Attributes:
        threshold: least bytes of a message that is compressed.
        server_no_context_takeover: whether we begin each message with an empty
            dictionary; a client may ask for it too.
        client_no_context_takeover: whether the client must.
        server_max_window_bits: the size of our dictionary, 9 to 15 (32 kB).
        client_max_window_bits: of the client's, if it can be told.
        mem_level: memory for packing a message, 1 to 9.
    """

    threshold: int = 1024
    server_no_context_takeover: bool = True
    client_no_context_takeover: bool = True
    server_max_window_bits: int = 15
    client_max_window_bits: int = 15
    mem_level: int = 8


def read_options(value: bool | Mapping[str, Any]) -> DeflateOptions | None:
    """Read the option ``per_message_deflate``: off, on, or on with these."""
    if isinstance(value, Mapping):
        return DeflateOptions(**value)
    return DeflateOptions() if value else None


def read_offers(headers: Iterable[str]) -> str:
    """
    Give the offers of this extension that may be accepted, built anew.

    Args:
        headers: the values of ``Sec-WebSocket-Extensions``.
    Returns:
        One such value; ``""`` if there is none.
    """
    offers = (_read_offer(text) for header in headers for text in header.split(","))
    good = [offer for offer in offers if offer is not None]
    return ", ".join(good[:_MAX_OFFERS])


def _read_offer(text: str) -> str | None:
    """Check one offer; the server must decline what it does not know (RFC 7692 section 7)."""
    name, *parameters = (part.strip() for part in text.split(";"))
    if name.lower() != NAME:
        return None
    built = [NAME]
    seen: set[str] = set()
    for parameter in parameters:
        key, equals, value = (part.strip() for part in parameter.partition("="))
        key = key.lower()
        value = value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
        if key in seen:
            return None
        seen.add(key)
        if key in ("server_no_context_takeover", "client_no_context_takeover") and not equals:
            built.append(key)
        elif key == "server_max_window_bits" and _BITS.fullmatch(value) and value != "8":
            # zlib has no dictionary of 8 bits.
            built.append(f"{key}={value}")
        elif key == "client_max_window_bits" and (not equals or _BITS.fullmatch(value)):
            # A number here is only what the client would use anyway.
            built.append(key)
        else:
            return None
    return "; ".join(built)


class Deflater:
    """
    Makes the frames of one client that takes them compressed.

    Args:
        version: the session's version of the protocol.
        options: the server's.
        window_bits: the size of our dictionary, which the client may have asked to be smaller.
        no_context_takeover: whether it begins empty with each message.
    """

    def __init__(
        self,
        version: Version,
        options: DeflateOptions,
        window_bits: int,
        *,
        no_context_takeover: bool,
    ) -> None:
        self._version = version
        self._plain: Callable[[Packet], bytes] = framer_of(version)
        self._threshold = options.threshold
        self._window_bits = window_bits
        self._mem_level = options.mem_level
        self._shares = no_context_takeover and version is VERSION_4
        self._compressor = None if no_context_takeover else self._new_compressor()

    def frame_of(self, packet: Packet) -> bytes:
        """Give the frame that carries a packet, compressed if that is allowed and worth it."""
        if not packet.compress:
            return self._plain(packet)
        form = packet.deflated_form
        # A client unpacks what was packed with a smaller dictionary than its own.
        if form is not None and self._shares and form[0] <= self._window_bits:
            return form[1]
        first_byte, payload = self._version.encode_message(packet)
        if len(payload) < self._threshold:
            return self._plain(packet)
        frame = encode_frame(first_byte | _COMPRESSED, self._pack(payload))
        if self._shares:
            packet.deflated_form = self._window_bits, frame
        return frame

    def _pack(self, payload: bytes) -> bytes:
        compressor = self._compressor or self._new_compressor()
        packed = compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH)
        return packed.removesuffix(_TAIL)

    def _new_compressor(self) -> zlib._Compress:
        return zlib.compressobj(wbits=-self._window_bits, memLevel=self._mem_level)
