"""
A Socket.IO client that a test holds in its hand.

It speaks through the server's own parser and the real transports; what it is told, and in
which order, is what a browser's ``socket.io-client`` would be.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from mojo.socketio.handler import MojoSocketHandler
from mojo.socketio.message import Message
from mojo.socketio.packet import Packet, PacketType
from mojo.socketio.parser import Parser
from mojo.testing.answer import Answer
from mojo.testing.engine import EngineClient
from mojo.testing.noticed import Noticed

# A client takes what its server sends.
_MAX_ATTACHMENTS = 1_000_000


class Refusal(NamedTuple):
    """
    Why a client was not let in: what its ``connect_error`` would get.

    Attributes:
        message: the message; for a connection that was refused before Socket.IO was
            spoken on it, the HTTP status and what was said with it.
        data: what came with it.
    """

    message: str
    data: Any = None


class Server(Protocol):
    """What a client needs of what it is connected to."""

    noticed: Noticed

    @property
    def parser(self) -> Parser:
        """Makes and reads packets."""

    def handler_of(self, connection_id: str) -> MojoSocketHandler | None:
        """Give the handler of a connection, if it is here."""


class Link:
    """
    One connection, and the clients that share it: one for each namespace.

    Args:
        server: what is connected to.
        engine: the Engine.IO session.
    """

    def __init__(self, server: Server, engine: EngineClient) -> None:
        self.server = server
        self.engine = engine
        self.clients: dict[str, TestClient] = {}
        self._decoder = server.parser.decoder(_MAX_ATTACHMENTS)
        self._joining: list[tuple[str, Mapping[str, Any] | None]] = []

    def join(self, client: TestClient, auth: Mapping[str, Any] | None) -> None:
        """Ask for a namespace, as soon as the session is open."""
        assert client.namespace not in self.clients, f"{client.namespace} has been joined already"
        self.clients[client.namespace] = client
        self._joining.append((client.namespace, auth))
        self.read()

    def send(self, message: Message, namespace: str) -> None:
        """Send a message."""
        self.engine.send(*message.pieces(namespace))

    def read(self) -> None:
        """Take what has come, and give it to the clients."""
        self._take(self.engine.received())
        while self.engine.opened and not self.engine.ended and self._joining:
            namespace, auth = self._joining.pop(0)
            if auth is None:
                message = self.server.parser.message(PacketType.CONNECT)
            else:
                message = self.server.parser.connect(auth)
            self.send(message, namespace)
            self._take(self.engine.received())
        if self.engine.refusal is not None:
            refusal = _read_refusal(self.engine.refusal.status, self.engine.refusal.text)
            for client in self._leave():
                client._refused = refusal
        elif self.engine.ended:
            for client in self._leave():
                client._closed = "transport close"

    def drop(self, client: TestClient) -> None:
        """Let go of a client, and with the last one of the connection, as clients do."""
        self.clients.pop(client.namespace, None)
        if not self.clients:
            self.engine.close()

    def _take(self, messages: Sequence[str | bytes]) -> None:
        for message in messages:
            packet = self._decoder.feed(message)
            if packet is not None and packet.namespace in self.clients:
                self.clients[packet.namespace]._take(packet)

    def _leave(self) -> Sequence[TestClient]:
        clients = tuple(self.clients.values())
        self.clients.clear()
        return clients


class TestClient:
    """
    A client in one namespace; `TestServer.connect` makes them.

    Args:
        link: the connection.
        namespace: the namespace's name on the wire.
        auth: what the handler gets as ``request.auth``.

    Attributes:
        namespace: the namespace's name on the wire.
    """

    # It is no test, whatever pytest makes of its name.
    __test__ = False

    def __init__(self, link: Link, namespace: str, auth: Mapping[str, Any] | None) -> None:
        self.namespace = namespace
        self._link = link
        self._id: str | None = None
        self._handler: MojoSocketHandler | None = None
        self._refused: Refusal | None = None
        self._closed: str | None = None
        self._events: list[tuple[str, list[Any]]] = []
        self._questions: list[tuple[str, int]] = []
        self._answers: dict[int, Any] = {}
        self._asked = 0
        link.join(self, auth)

    def __repr__(self) -> str:
        if self._closed is not None:
            state = f"closed: {self._closed}"
        elif self._refused is not None:
            state = f"refused: {self._refused.message}"
        else:
            state = "connecting" if self._id is None else "connected"
        return f"<TestClient in {self.namespace}, {state}>"

    # -- how it stands ------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether it was let in and is still here."""
        self._link.read()
        return self._id is not None and self._closed is None

    @property
    def refused(self) -> Refusal | None:
        """Why it was not let in; ``None`` if it was, or if that is not decided."""
        self._link.read()
        return self._refused

    @property
    def closed(self) -> str | None:
        """
        Why it is no longer connected, in the words of ``socket.io-client``.

        That is ``"io server disconnect"`` (the handler's ``close``), ``"io client
        disconnect"`` (`disconnect`) or ``"transport close"`` (the connection itself ended).
        What the app was told is the reason in its ``on_close``.
        """
        self._link.read()
        return self._closed

    @property
    def id(self) -> str:
        """The id of the connection, which the handler has too."""
        self._must_be_connected()
        assert self._id is not None
        return self._id

    @property
    def handler(self) -> MojoSocketHandler:
        """The server's object for this client, also after it has gone."""
        if self._handler is None:
            self._must_be_connected()
            raise AssertionError(f"{self!r} was gone before its handler could be found")
        return self._handler

    # -- sending ------------------------------------------------------------

    def emit(self, name: str, *args: Any) -> None:
        """Send an event that asks for no answer."""
        self._must_be_connected()
        self._link.send(self._parser.event(name, args), self.namespace)

    def send(self, *args: Any) -> None:
        """Send what the handler's ``on_message`` gets."""
        self.emit("message", *args)

    def ask(self, name: str, *args: Any) -> Answer[Any]:
        """
        Send an event that asks for an answer, which may come later.

        Returns:
            The acknowledgement: its `Answer.value` is the one argument, a tuple if it has
            several, ``None`` if it has none.
        """
        self._must_be_connected()
        ack_id, self._asked = self._asked, self._asked + 1
        mark = self._link.server.noticed.here

        def look() -> list[Any]:
            self._link.read()
            return [self._answers.pop(ack_id)] if ack_id in self._answers else []

        self._link.send(self._parser.event(name, args, ack_id), self.namespace)
        return Answer(look, f"event {name!r}", lambda: self._link.server.noticed.since(mark))

    def call(self, name: str, *args: Any) -> Any:
        """
        Send an event and give the answer, which must be there at once.

        Returns:
            See `ask`.
        Raises:
            AssertionError: it is not; the message and the cause say what the log says.
        """
        return self.ask(name, *args).value

    def ack(self, *args: Any, event: str | None = None) -> None:
        """
        Answer a question: an event with which the server asked for an acknowledgement.

        Args:
            args: the acknowledgement's arguments.
            event: which question, by its name; by default the one that has waited longest.
        Raises:
            AssertionError: there is none that waits.
        """
        self._must_be_connected()
        for index, (name, ack_id) in enumerate(self._questions):
            if event in (None, name):
                del self._questions[index]
                self._link.send(self._parser.ack(ack_id, args), self.namespace)
                return
        asked = [name for name, _ in self._questions]
        raise AssertionError(f"the server does not wait for an answer to {event!r}: {asked}")

    # -- receiving ----------------------------------------------------------

    def received(self, *names: str) -> list[tuple[str, list[Any]]]:
        """
        Take the events that have come since the last time, in order.

        Args:
            names: only events of these names; the others stay for a later call.
        Returns:
            The name and the arguments of each: ``[("said", ["ada", "hello"])]``.
        """
        self._link.read()
        taken = [event for event in self._events if not names or event[0] in names]
        self._events = [event for event in self._events if names and event[0] not in names]
        return taken

    # -- coming and going ---------------------------------------------------

    def connect(self, namespace: str, auth: Mapping[str, Any] | None = None) -> TestClient:
        """Join one more namespace over the same connection, as ``io("/NewsSocket")`` would."""
        return TestClient(self._link, namespace, auth)

    def disconnect(self) -> None:
        """Leave, as ``socket.disconnect()`` does."""
        self._must_be_connected()
        self._link.send(self._parser.disconnect(), self.namespace)
        self._closed = "io client disconnect"
        self._link.drop(self)

    def vanish(self) -> None:
        """Be gone without a word, with every client of the connection."""
        self._must_be_connected()
        self._link.engine.vanish()
        self._link.read()

    # -- from the link ------------------------------------------------------

    @property
    def _parser(self) -> Parser:
        return self._link.server.parser

    def _must_be_connected(self) -> None:
        if not self.connected:
            raise AssertionError(f"not connected: {self!r}")

    def _take(self, packet: Packet) -> None:
        data = packet.data
        match packet.type:
            case PacketType.CONNECT:
                self._id = data["sid"]
                self._handler = self._link.server.handler_of(data["sid"])
            case PacketType.CONNECT_ERROR:
                self._refused = Refusal(data["message"], data.get("data"))
                self._link.drop(self)
            case PacketType.DISCONNECT:
                self._closed = "io server disconnect"
                self._link.drop(self)
            case PacketType.ACK:
                assert packet.ack_id is not None
                self._answers[packet.ack_id] = (
                    data[0] if len(data) == 1 else tuple(data) if data else None
                )
            case _:
                self._events.append((data[0], data[1:]))
                if packet.ack_id is not None:
                    self._questions.append((data[0], packet.ack_id))


def _read_refusal(status: int, text: str) -> Refusal:
    try:
        body = json.loads(text)
    except ValueError:
        return Refusal(f"{status} {text}")
    return Refusal(f"{status} {body.get('message', '')}".strip(), body)
