"""
One namespace: the connections to an app, and who carries its broadcasts.

A namespace has one name, under which it is reached on the shared path; on its app's own
path the same namespace is the root.  See `mojo.socketio.server`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Protocol

from twisted.internet.interfaces import IReactorTime

from mojo.socketio.adapter import Adapter, LocalAdapter
from mojo.socketio.connection import AppObject, Carrier, Connection
from mojo.socketio.operator import BroadcastOperator
from mojo.socketio.options import SocketOptions
from mojo.socketio.parser import Parser
from mojo.socketio.request import SocketRequest
from mojo.socketio.rooms import Room


class Observer(Protocol):
    """Who wants to know who is here."""

    def connection_opened(self, connection: Connection) -> None:
        """A connection was let in."""

    def connection_logged_out(self, connection: Connection, user_id: str) -> None:
        """A connection lost its login."""

    def connection_closed(self, connection: Connection) -> None:
        """A connection that was let in is gone."""


class Host(Protocol):
    """What a namespace needs of its server."""

    clock: IReactorTime
    options: SocketOptions
    parser: Parser
    observer: Observer
    owner: Any
    new_id: Callable[[], str]


def session_room(session_id: str) -> Room:
    """The room of a visitor's connections."""
    return ("session", session_id)


def user_room(user_id: str) -> Room:
    """The room of a login's connections."""
    return ("user", user_id)


class Namespace:
    """
    One namespace of a server.

    Args:
        host: the server.
        name: such as ``"/ChatSocket"``.
        handler_class: makes the app's object for each connection.
        app: the name of the app that it belongs to; ``""`` for the project's own.

    Attributes:
        adapter: keeps the rooms and carries the broadcasts.
        operator: everyone here.
        parser: makes what is sent.
    """

    def __init__(
        self, host: Host, name: str, handler_class: Callable[[Connection], AppObject], app: str
    ) -> None:
        self.name = name
        self.app = app
        self.clock = host.clock
        self.options = host.options
        self.parser = host.parser
        self.owner = host.owner
        self.adapter: Adapter = LocalAdapter()
        self.operator = BroadcastOperator(self)
        self.make_handler = handler_class
        self._host = host
        self._connections: dict[str, Connection] = {}

    def __repr__(self) -> str:
        return f"<Namespace {self.name} of {len(self._connections)}>"

    @property
    def connections(self) -> Mapping[str, Connection]:
        """The open connections by their ids."""
        return MappingProxyType(self._connections)

    def connect(self, client: Carrier, wire_name: str, auth: dict[str, Any]) -> Connection:
        """Make a connection; its ``open`` must follow at once."""
        request = SocketRequest(client.session.handshake, auth, client.user_id)
        connection = Connection(self, client, wire_name, self._host.new_id(), request)
        # Before the app is asked, so that what it sends to everyone in on_open reaches
        # the newcomer too; nothing leaves before the client was told it is connected.
        self.adapter.add(connection)
        self.adapter.join(connection, connection.id)
        if connection.session_id is not None:
            self.adapter.join(connection, session_room(connection.session_id))
        if connection.user_id is not None:
            self.adapter.join(connection, user_room(connection.user_id))
        return connection

    def opened(self, connection: Connection) -> None:
        """Count in a connection that was let in."""
        self._connections[connection.id] = connection
        self._host.observer.connection_opened(connection)

    def logged_out(self, connection: Connection, user_id: str) -> None:
        """Note that a connection lost its login."""
        self.adapter.leave(connection, user_room(user_id))
        if connection.id in self._connections:
            self._host.observer.connection_logged_out(connection, user_id)

    def remove(self, connection: Connection) -> None:
        """Drop a connection, whether it was let in or not."""
        self.adapter.remove(connection)
        if self._connections.pop(connection.id, None) is not None:
            self._host.observer.connection_closed(connection)
