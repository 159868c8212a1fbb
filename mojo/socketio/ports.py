"""
What a connection needs of its surroundings, and they of it.

Where the parameter is a `mojo.socketio.connection.Connection` it is ``Any`` here: that module
imports this one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, MutableMapping, Sequence
from typing import Any, ClassVar, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from mojo.engineio.session import EngineSession
from mojo.guards import Guard
from mojo.socketio import dispatch
from mojo.socketio.adapter import Adapter
from mojo.socketio.dialect import Dialect
from mojo.socketio.message import Message
from mojo.socketio.once import HandledEvents
from mojo.socketio.operator import BroadcastOperator, Place
from mojo.socketio.options import SocketOptions
from mojo.socketio.parser import Parser
from mojo.socketio.request import SocketRequest
from mojo.socketio.stats import SocketStats
from mojo.socketio.turns import Unfinished
from mojo.users import Users

#: Called with a handler before its ``on_open``; may refuse as that may.
Middleware = Callable[[Any], Any]


class SessionSource(Protocol):
    """
    Where the sessions of visitors come from; see `mojo.sessions.live`.

    A connection's is kept as its ``session``.
    """

    def load(self, connection: Any) -> Deferred[MutableMapping[str, Any]]:
        """Load a connection's session, once more if it is loaded."""

    def save(self, connection: Any) -> Deferred[None]:
        """Save what was changed in it."""


class Carrier(Protocol):
    """What carries a connection's packets: its client."""

    session: EngineSession
    user_id: str | None
    dialect: Dialect

    def disconnect(self) -> None:
        """End all its connections, and the session."""

    def joined(self) -> None:
        """Note that a connection of the client is open."""

    def remove(self, connection: Any) -> None:
        """Drop a connection that ended."""

    def pause(self, connection: Any) -> None:
        """Read no more from the client: the connection cannot keep up."""

    def resume(self, connection: Any) -> None:
        """Read again."""


class Home(Protocol):
    """Where a connection is: its namespace."""

    name: str
    app: str
    owner: Any
    clock: IReactorTime
    options: SocketOptions
    adapter: Adapter
    parser: Parser
    params: Mapping[str, str]
    handled: HandledEvents
    guards: tuple[Guard, ...]
    users: Users
    presence: Any
    stats: SocketStats
    unfinished: Unfinished

    @property
    def operator(self) -> BroadcastOperator:
        """Everyone there."""

    @property
    def middleware(self) -> Sequence[Middleware]:
        """What is asked before a handler's ``on_open``."""

    def places(self) -> Collection[Place]:
        """Give itself."""

    @property
    def sessions(self) -> SessionSource | None:
        """Where the sessions of visitors come from."""

    @property
    def new_ack_id(self) -> Callable[[], int]:
        """Makes the id of an acknowledgement; from any thread."""

    def make_handler(self, connection: Any) -> AppObject:
        """Make the app's object for a connection."""

    def opened(self, connection: Any) -> None:
        """Count in a connection that was let in."""

    def logged_out(self, connection: Any, user_id: str) -> None:
        """Note that a connection lost its login."""

    def moved(self, connection: Any, former: str | None, session_id: str) -> None:
        """Note that a connection is of another visitor now."""

    def send_to(self, connection: Any, message: Message) -> None:
        """Send a message to one connection, now or when it comes back."""

    def remove(self, connection: Any, reason: str) -> None:
        """Drop a connection."""


class AppObject(dispatch.AppObject, Protocol):
    """What an app makes of a connection; see `mojo.socketio.handler`."""

    loads_session: ClassVar[bool]

    def load_session(self) -> Deferred[MutableMapping[str, Any]]:
        """Load the visitor's session."""

    def on_open(self, request: SocketRequest) -> Any:
        """Let the client in, or not."""

    def on_close(self, reason: str) -> Any:
        """Learn that the connection is gone."""

    def on_logout(self, reason: str) -> Any:
        """Learn that the login is gone."""
