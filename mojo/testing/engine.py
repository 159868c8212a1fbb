"""
The client's half of an Engine.IO session, over either transport.

A client reads when it is asked what it has received, and not before; there it also answers
pings, fetches what is left, and says goodbye where the server does.
"""

from __future__ import annotations

import base64
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Protocol

from twisted.web.server import Site

from mojo.testing.frames import BINARY, CLOSE, TEXT, WebSocketWire, client_frame
from mojo.testing.http import Response
from mojo.testing.wire import ADDRESS, Wire

_SEPARATOR = "\x1e"
_NORMAL_CLOSURE = b"\x03\xe8"


class Host(Protocol):
    """What is connected to."""

    @property
    def site(self) -> Site:
        """The Site."""

    def turn(self) -> None:
        """End the reactor's turn: what was sent leaves."""


class EngineClient(ABC):
    """
    One Engine.IO session.

    Args:
        host: what is connected to.
        path: the mount's path, with a slash at its end.
        query: more of the query: ``"&token=x"``.
        headers: the headers of each request.
        address: the client's address.
        secure: whether by TLS.

    Attributes:
        opened: whether the server has let the client in.
        ended: whether the session is over.
        refusal: the answer of a server that did not let the client in.
    """

    transport: ClassVar[str]

    def __init__(
        self,
        host: Host,
        path: str,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        *,
        address: str = ADDRESS,
        secure: bool = False,
    ) -> None:
        self.host = host
        self.headers = dict(headers or {})
        self.opened = False
        self.ended = False
        self.refusal: Response | None = None
        self._uri = f"{path}?EIO=4&transport={self.transport}{query}"
        self._address = address
        self._secure = secure
        self._waiting: list[str | bytes] = []

    @abstractmethod
    def send(self, *messages: str | bytes) -> None:
        """Send messages, all in one piece."""

    @abstractmethod
    def close(self) -> None:
        """End the session as clients do that are told to."""

    @abstractmethod
    def vanish(self) -> None:
        """Be gone without a word: the connection below breaks."""

    @abstractmethod
    def _read(self) -> list[str | bytes]:
        """Take the messages that have come."""

    def received(self) -> list[str | bytes]:
        """Take the messages that have come since the last time."""
        self.host.turn()
        messages, self._waiting = self._waiting + self._read(), []
        return messages

    @property
    def closed(self) -> bool:
        """Whether the session is over, now that everything has been read."""
        self._waiting = self.received()
        return self.ended


class WebSocketClient(EngineClient):
    """A session by WebSocket alone."""

    transport = "websocket"

    def __init__(
        self,
        host: Host,
        path: str,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        *,
        address: str = ADDRESS,
        secure: bool = False,
    ) -> None:
        super().__init__(host, path, query, headers, address=address, secure=secure)
        self.socket = WebSocketWire(
            host.site, self._uri, self.headers, address=address, secure=secure
        )
        self._waiting = self._read()

    def send(self, *messages: str | bytes) -> None:
        """Send messages, all in one piece."""
        data = b""
        for message in messages:
            if isinstance(message, str):
                data += client_frame(TEXT, b"4" + message.encode("utf-8", "surrogatepass"))
            else:
                data += client_frame(BINARY, message)
        self.socket.send_raw(data)

    def close(self) -> None:
        """Send a close frame, and read the answer to it."""
        if not self.ended:
            self.ended = True
            self.socket.send_raw(client_frame(CLOSE, _NORMAL_CLOSURE))
            self.host.turn()
            self._read()

    def vanish(self) -> None:
        """Break the connection."""
        self.ended = True
        self.socket.wire.hang_up()

    def _read(self) -> list[str | bytes]:
        messages: list[str | bytes] = []
        self.refusal = self.socket.refusal
        if self.refusal is not None:
            self.ended = True
            self.socket.wire.hang_up()
            return messages
        for frame in self.socket.frames():
            kind = frame.payload[:1]
            if frame.opcode == CLOSE:
                if not self.ended:
                    self.ended = True
                    self.socket.send_raw(client_frame(CLOSE, frame.payload[:2]))
            elif frame.opcode == BINARY:
                messages.append(frame.payload)
            elif kind == b"4":
                messages.append(frame.payload[1:].decode())
            elif kind == b"2":
                self.socket.send("3")
            else:
                assert kind == b"0", frame
                self.opened = True
        if self.socket.closed is not None:
            self.ended = True
        return messages


class PollingClient(EngineClient):
    """
    A session by long-polling alone.

    Attributes:
        upload: the POST that was sent last, if the server has not answered it yet.
        post_status: the status of the last answer to one; ``None`` while it is not there.
    """

    transport = "polling"

    def __init__(
        self,
        host: Host,
        path: str,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        *,
        address: str = ADDRESS,
        secure: bool = False,
    ) -> None:
        super().__init__(host, path, query, headers, address=address, secure=secure)
        self.upload: Wire | None = None
        self.post_status: int | None = None
        self._outgoing: list[str] = []
        self._arrived: list[str | bytes] = []
        self._poll: Wire | None = None
        self._poll_once()

    @property
    def uri(self) -> str:
        """What is asked for, again and again."""
        return self._uri

    def send(self, *messages: str | bytes) -> None:
        """Send messages, all in one piece, when what was sent before has been taken."""
        for message in messages:
            if isinstance(message, str):
                self._outgoing.append("4" + message)
            else:
                self._outgoing.append("b" + base64.b64encode(message).decode("ascii"))
        self._push()

    def close(self) -> None:
        """Send a close packet."""
        if not self.ended:
            self._outgoing.append("1")
            self._push()
            self.host.turn()
            self._read()
            self.ended = True

    def vanish(self) -> None:
        """Break the connections that a request waits on."""
        self._waiting = self.received()
        self.ended = True
        for wire in (self._poll, self.upload):
            if wire is not None:
                wire.hang_up()

    def _ask(self, method: str, body: bytes | None = None) -> Wire:
        wire = Wire(self.host.site, self._address, self._secure)
        wire.ask(method, self._uri, headers=self.headers, body=body)
        return wire

    def _push(self) -> None:
        """Send what waits, unless an upload is still under way."""
        self._finish_upload()
        if self._outgoing and self.upload is None:
            body = _SEPARATOR.join(self._outgoing).encode("utf-8", "surrogatepass")
            self._outgoing = []
            self.post_status = None
            self.upload = self._ask("POST", body)
            self._finish_upload()

    def _finish_upload(self) -> None:
        response = self.upload.answer() if self.upload is not None else None
        if self.upload is not None and response is not None:
            self.post_status = response.status
            self.upload.hang_up()
            self.upload = None

    def _read(self) -> list[str | bytes]:
        while not self.ended:
            self._push()
            if not self._poll_once():
                break
        messages, self._arrived = self._arrived, []
        return messages

    def _poll_once(self) -> bool:
        """Have a GET wait; tell whether it was answered."""
        if self._poll is None:
            self._poll = self._ask("GET")
        response = self._poll.answer()
        if response is None:
            self.ended = self._poll.closed is not None
            return False
        self._poll.hang_up()
        self._poll = None
        if response.status == 200:
            self._take_payload(response.text)
        else:
            self.refusal = None if self.opened else response
            self.ended = True
        return True

    def _take_payload(self, payload: str) -> None:
        for packet in payload.split(_SEPARATOR):
            kind = packet[:1]
            if kind == "4":
                self._arrived.append(packet[1:])
            elif kind == "b":
                self._arrived.append(base64.b64decode(packet[1:]))
            elif kind == "2":
                self._outgoing.append("3")
            elif kind == "1":
                self.ended = True
            elif kind == "0":
                self.opened = True
                self._uri += f"&sid={json.loads(packet[1:])['sid']}"


#: The kinds of client by the transport's name.
CLIENTS: Mapping[str, type[EngineClient]] = {
    "websocket": WebSocketClient,
    "polling": PollingClient,
}
