"""The client's half of RFC 6455, written apart from the server's."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from tests.wire import Wire, http_request

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
#: The answer to KEY, from RFC 6455 section 1.3.
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

UPGRADE_HEADERS = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": KEY,
}


def client_frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    mask: bytes | None = b"\x01\x02\x03\x04",
) -> bytes:
    """Build one frame as a client sends it."""
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    bit = 0x80 if mask else 0
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", first, bit | size)
    elif size < 65536:
        head = struct.pack("!BBH", first, bit | 126, size)
    else:
        head = struct.pack("!BBQ", first, bit | 127, size)
    if mask is None:
        return head + payload
    masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
    return head + mask + masked


@dataclass
class Frame:
    """One frame as a client reads it."""

    opcode: int
    payload: bytes

    @property
    def code(self) -> int:
        return struct.unpack("!H", self.payload[:2])[0]


def parse_frames(data: bytes) -> list[Frame]:
    """Read the server's frames: final, unmasked, no reserved bits."""
    frames = []
    position = 0
    while position < len(data):
        head = data[position : position + 10]
        assert head[0] & 0xF0 == 0x80, head
        assert not head[1] & 0x80, head
        size, start = head[1], position + 2
        if size == 126:
            size, start = struct.unpack("!H", head[2:4])[0], position + 4
        elif size == 127:
            size, start = struct.unpack("!Q", head[2:10])[0], position + 10
        position = start + size
        assert len(data) >= position, head
        frames.append(Frame(head[0] & 0x0F, data[start:position]))
    return frames


class WebSocketWire:
    """
    A WebSocket to a Site, in memory.

    Args:
        site: the Site.
        uri: path and query.
        headers: more request headers, or others in place of the usual ones.
        rest: bytes sent in one piece with the request.
    """

    def __init__(self, site, uri, headers=None, *, rest=b"", **wire_options) -> None:
        self.wire = Wire(site, **wire_options)
        request = http_request("GET", uri, headers={**UPGRADE_HEADERS, **(headers or {})})
        self.wire.send(request + rest)
        raw = self.wire.read()
        self.head, _, self._unread = raw.partition(b"\r\n\r\n")
        self.status = int(self.head.split(b" ")[1]) if self.head else None

    @property
    def closed(self) -> str | None:
        return self.wire.closed

    def send(self, data: str | bytes) -> None:
        """Send one message in one frame."""
        if isinstance(data, str):
            self.send_raw(client_frame(TEXT, data.encode("utf-8")))
        else:
            self.send_raw(client_frame(BINARY, data))

    def send_raw(self, data: bytes) -> None:
        self.wire.send(data)

    def frames(self) -> list[Frame]:
        """Take the frames that have come since the last time."""
        data, self._unread = self._unread + self.wire.read(), b""
        return parse_frames(data)

    def messages(self) -> list[str | bytes]:
        """Take the messages that have come; there may be no control frame among them."""
        messages: list[str | bytes] = []
        for frame in self.frames():
            assert frame.opcode in (TEXT, BINARY), frame
            is_text = frame.opcode == TEXT
            messages.append(frame.payload.decode("utf-8") if is_text else frame.payload)
        return messages
