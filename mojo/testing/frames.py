"""
The client's half of WebSocket (RFC 6455), written apart from the server's.

It sends whatever it is told to, right or wrong, and reads strictly.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from twisted.web.server import Site

from mojo.testing.http import Response, http_request, parse_response
from mojo.testing.wire import ADDRESS, Wire

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
        """The status code of a close frame."""
        return int.from_bytes(self.payload[:2], "big")


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
        address: the client's address.
        secure: whether by TLS.

    Attributes:
        wire: the connection below.
        head: the head of the answer to the opening request, ``b""`` while there is none.
        status: its status: 101, if all is well; ``None`` while there is no answer.
    """

    def __init__(
        self,
        site: Site,
        uri: str,
        headers: Mapping[str, str] | None = None,
        *,
        rest: bytes = b"",
        address: str = ADDRESS,
        secure: bool = False,
    ) -> None:
        self.wire = Wire(site, address, secure)
        self.head = b""
        self.status: int | None = None
        self._unread = b""
        request = http_request("GET", uri, headers={**UPGRADE_HEADERS, **(headers or {})})
        self.wire.send(request + rest)
        self._take_head()

    def _take_head(self) -> None:
        self._unread += self.wire.read()
        if self.status is None and b"\r\n\r\n" in self._unread:
            self.head, _, self._unread = self._unread.partition(b"\r\n\r\n")
            self.status = int(self.head.split(b" ")[1])

    @property
    def refusal(self) -> Response | None:
        """The answer to an opening request that was refused."""
        self._take_head()
        if self.status in (None, 101):
            return None
        return parse_response(self.head + b"\r\n\r\n" + self._unread)

    @property
    def closed(self) -> str | None:
        """How the connection ended, or ``None``; see `WireTransport`."""
        return self.wire.closed

    def send(self, data: str | bytes) -> None:
        """Send one message in one frame."""
        if isinstance(data, str):
            self.send_raw(client_frame(TEXT, data.encode("utf-8")))
        else:
            self.send_raw(client_frame(BINARY, data))

    def send_raw(self, data: bytes) -> None:
        """Send frames, or what is none."""
        self.wire.send(data)

    def frames(self) -> list[Frame]:
        """Take the frames that have come since the last time."""
        self._take_head()
        if self.status is None:
            return []
        data, self._unread = self._unread, b""
        return parse_frames(data)

    def messages(self) -> list[str | bytes]:
        """Take the messages that have come; there may be no control frame among them."""
        messages: list[str | bytes] = []
        for frame in self.frames():
            assert frame.opcode in (TEXT, BINARY), frame
            is_text = frame.opcode == TEXT
            messages.append(frame.payload.decode("utf-8") if is_text else frame.payload)
        return messages
