"""
What a parser is: the format in which a server's packets are on the wire.

A server has one, for all its namespaces, and so have its clients: the option is called
``parser`` on both sides.  `mojo.socketio.json_parser` has the protocol's own format.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from mojo.engineio.packet import Packet as EnginePacket
from mojo.errors import UnsendableError
from mojo.socketio.encoders import Encoder
from mojo.socketio.message import Message
from mojo.socketio.packet import RESERVED_EVENTS, Packet, PacketType


class PacketDecoder(Protocol):
    """
    Reads the packets of one client, of which one may come in several messages.

    Attributes:
        pending: a packet of which more is to come.
    """

    pending: Packet | None

    def feed(self, data: str | bytes) -> Packet | None:
        """
        Take one Engine.IO message; give the packet that it completes, if it does.

        The packet must be one that `mojo.socketio.packet.check` lets pass.

        Raises:
            PacketError: it is no packet, or not what had to come next.  Nothing else
                may be raised, whatever the peer sent.
        """


@runtime_checkable
class Parser(Protocol):
    """
    A format of packets.  Subclass it, and write `message` and `decoder`.

    It is shared by all clients of a server and may be called from any thread.

    Attributes:
        encoder: what it asks for something that can be sent in place of what cannot, if it
            has one: in a cluster, what is sent to the other servers is encoded with it as well.
    """

    encoder: Encoder | None = None

    def read_event(self, text: str) -> tuple[str, list[Any], int | None] | None:
        """
        Read a plain event, if it can be done quickly; the decoder reads whatever this does not.

        Args:
            text: an Engine.IO message, while the decoder has nothing pending.
        Returns:
            The namespace, the event's name and its arguments in one list, and the id of the
            acknowledgement: what `mojo.socketio.packet.check` lets pass; else ``None``.
        """
        return None

    def message(
        self,
        packet_type: PacketType,
        payload: Any = None,
        ack_id: int | None = None,
        *,
        event: tuple[str, tuple[Any, ...]] | None = None,
        volatile: bool = False,
        compress: bool = True,
    ) -> Message:
        """
        Make a packet of any type but the binary ones, which are a parser's own affair.

        Args:
            packet_type: its type.
            payload: what it carries; ``None`` for nothing.
            ack_id: what an acknowledgement must repeat, or repeats.
            event: see `Message`.
            volatile: see `Message`.
            compress: see `Message`.
        Raises:
            UnsendableError: the payload cannot be put on the wire.
        """
        raise NotImplementedError

    def decoder(self, max_attachments: int) -> PacketDecoder:
        """
        Make what reads one client's packets.

        Args:
            max_attachments: most binary attachments of a packet, where the format
                has attachments.
        """
        raise NotImplementedError

    def event(
        self,
        name: str,
        args: Sequence[Any],
        ack_id: int | None = None,
        *,
        volatile: bool = False,
        compress: bool = True,
    ) -> Message:
        """
        Make an EVENT.

        Raises:
            UnsendableError: the name is reserved or no text, or an argument cannot be
                put on the wire.
        """
        if not isinstance(name, str):
            raise UnsendableError(f"an event's name is a str, not {type(name).__name__}")
        if name in RESERVED_EVENTS:
            raise UnsendableError(f"event {name!r} is reserved: clients close on it")
        return self.message(
            PacketType.EVENT,
            [name, *args],
            ack_id,
            event=(name, tuple(args)),
            volatile=volatile,
            compress=compress,
        )

    def ack(self, ack_id: int, args: Sequence[Any]) -> Message:
        """
        Make an ACK.

        Raises:
            UnsendableError: an argument cannot be put on the wire.
        """
        return self.message(PacketType.ACK, list(args), ack_id)

    def ack_packets(
        self, ack_id: int, args: Sequence[Any], namespace: str
    ) -> Sequence[EnginePacket]:
        """
        Make the Engine.IO packets of an ACK, which is for one client alone.

        Args:
            ack_id: what it repeats.
            args: the arguments.
            namespace: its name on the wire.
        Raises:
            UnsendableError: an argument cannot be put on the wire.
        """
        return self.ack(ack_id, args).packets(namespace)

    def connect(self, data: Mapping[str, Any]) -> Message:
        """
        Make a CONNECT.

        Args:
            data: from the server what the client is told, its ``sid``; from a client its
                ``auth``.
        Raises:
            UnsendableError: ``data`` cannot be put on the wire.
        """
        return self.message(PacketType.CONNECT, dict(data))

    def connect_error(self, text: str, data: Any = None) -> Message:
        """
        Make a CONNECT_ERROR.

        Raises:
            UnsendableError: ``data`` cannot be put on the wire, or holds bytes where the
                format has none in this packet.
        """
        error = {"message": text} if data is None else {"message": text, "data": data}
        return self.message(PacketType.CONNECT_ERROR, error)

    def disconnect(self) -> Message:
        """Make a DISCONNECT."""
        return self.message(PacketType.DISCONNECT)


def describe(packet_type: PacketType, event: tuple[str, tuple[Any, ...]] | None) -> str:
    """Name an outgoing packet for the message of an `UnsendableError`."""
    if event is not None:
        return f"event {event[0]!r}"
    names = {
        PacketType.CONNECT: "connect packet",
        PacketType.ACK: "acknowledgement",
        PacketType.CONNECT_ERROR: "connection error",
    }
    return names.get(packet_type, packet_type.name)
