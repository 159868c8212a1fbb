"""
Who is here: the visitors and logins that have a connection to this process.

Rooms answer who gets a message; the registry answers who is here.  A visitor is one
``session_id`` with every tab and every app; a login is one user with every session.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Generic, Protocol, TypeVar, cast

from mojo.sessions.online import OnlineUsers
from mojo.socketio.adapter import Target
from mojo.socketio.connection import Connection
from mojo.socketio.handler import MojoSocketHandler
from mojo.socketio.namespace import session_room, user_room
from mojo.socketio.operator import Audience, BroadcastOperator
from mojo.socketio.places import Identity
from mojo.socketio.presence import PresenceBoard
from mojo.socketio.rooms import Room
from mojo.socketio.stats import SocketStats
from mojo.users import user_key


class Presence(BroadcastOperator):
    """
    Some connections of one kind of room, in whatever apps they are.

    It is an operator, whose further words choose among these connections:
    ``service.user("ada").to("lobby")`` are those of Ada's that are in the lobby.

    Args:
        registry: knows the connections.
        room: the room that all of them are in.
    """

    def __init__(self, registry: Registry, room: Room) -> None:
        super().__init__(registry.audience, Target(within=room))
        self._registry = registry
        self._room = room

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Presence) and (self._registry, self._room) == (
            other._registry,
            other._room,
        )

    def __hash__(self) -> int:
        return hash(self._room)

    @property
    def connections(self) -> tuple[MojoSocketHandler, ...]:
        """The handlers of this process that are connected: every tab, every app."""
        return tuple(cast(MojoSocketHandler, connection.handler) for connection in self._here())

    @property
    def apps(self) -> frozenset[str]:
        """The names of the apps that they are connected to."""
        return frozenset(connection.namespace.app for connection in self._here())

    def close(self) -> None:
        """End every connection; the clients are told and do not come back by themselves."""
        self.disconnect_sockets()

    def _here(self) -> Collection[Connection]:
        """Give the open connections."""
        raise NotImplementedError


class Visitor(Presence):
    """
    One visitor: a ``session_id`` with all its connections.

    Attributes:
        session_id: the id in the visitor's cookie.
    """

    def __init__(self, registry: Registry, session_id: str) -> None:
        super().__init__(registry, session_room(session_id))
        self.session_id = session_id

    def __repr__(self) -> str:
        return f"<Visitor with {len(self._here())} connections>"

    @property
    def user_ids(self) -> frozenset[str]:
        """The logins of the connections; more than one if the login changed."""
        return frozenset(c.user_id for c in self._here() if c.user_id is not None)

    def _here(self) -> Collection[Connection]:
        return self._registry.connections_of_session(self.session_id)


class Login(Presence):
    """
    One user: all connections that are logged in as this one.

    Attributes:
        user_id: the id in the users' cookies.
    """

    def __init__(self, registry: Registry, user_id: str) -> None:
        super().__init__(registry, user_room(user_id))
        self.user_id = user_id

    def __repr__(self) -> str:
        return f"<Login {self.user_id!r} with {len(self._here())} connections>"

    @property
    def session_ids(self) -> frozenset[str]:
        """The visitors among them: one for each browser."""
        return frozenset(c.session_id for c in self._here() if c.session_id is not None)

    @property
    def sessions(self) -> tuple[Visitor, ...]:
        """The visitors among them, with all their connections."""
        return tuple(self._registry.session(session_id) for session_id in self.session_ids)

    @property
    def online(self) -> bool:
        """
        Whether the user is here, with any connection, or may be back in a moment.

        It is what ``ON_USER_ONLINE`` and ``ON_USER_OFFLINE`` are told, see :doc:`presence`; in
        ``LOGGED_IN_SESSIONS`` are those who have a connection right now.
        """
        return self.user_id in self._registry.online

    @property
    def last_seen(self) -> float | None:
        """
        When the user was connected last, in seconds since the epoch: now, if it is so now.

        It is ``None`` for who was never here since the service began, and for who was so
        long ago that it is forgotten, see ``MAX_LAST_SEEN``.
        """
        return self._registry.online.last_seen(self.user_id)

    def _here(self) -> Collection[Connection]:
        return self._registry.connections_of_user(self.user_id)


#: The connections of each who is here, of whom nobody has none.
Here = dict[str, dict[Connection, None]]


class Server(Audience, Protocol):
    """The namespaces of a server, and its presence lists."""

    presence: PresenceBoard
    stats: SocketStats


class Registry:
    """
    The connections of this process by visitor and by login.

    It is the `Observer` of a `SocketServer`.

    Args:
        audience: all the namespaces of the server.

    Attributes:
        online: the users who are online.
    """

    def __init__(self, audience: Server) -> None:
        self.audience = audience
        # The connections of each.  A `Visitor` is made when somebody asks for one: few are, and
        # for each new connection it was 2 % of what that costs.
        self._visitors: Here = {}
        self._logins: Here = {}
        self.online = OnlineUsers(audience.presence, self._logins.__contains__, audience.stats)
        self.visitors: Mapping[str, Visitor] = PresenceView(
            self._visitors, _session_key, self.session
        )
        self.logins: Mapping[str, Login] = PresenceView(self._logins, user_key, self.user)

    def session(self, session_id: str) -> Visitor:
        """Give a visitor, who need not be here: nobody hears what is sent then."""
        return Visitor(self, session_id)

    def user(self, user_id: str | int) -> Login:
        """Give a login, which need not be here."""
        return Login(self, user_key(user_id))

    def connections_of_session(self, session_id: str) -> Collection[Connection]:
        """Give the open connections of a visitor."""
        return tuple(self._visitors.get(session_id, ()))

    def connections_of_user(self, user_id: str) -> Collection[Connection]:
        """Give the open connections of a login."""
        return tuple(self._logins.get(user_id, ()))

    # -- Observer -----------------------------------------------------------

    def connection_opened(self, connection: Connection) -> None:
        """Count a connection in; an anonymous one is in neither mapping."""
        self._enter_session(connection)
        if connection.user_id is not None:
            user_id = connection.user_id
            self._logins.setdefault(user_id, {})[connection] = None
            self.online.came(user_id, Identity(connection.session_id, user_id))

    def connection_logged_out(self, connection: Connection, user_id: str) -> None:
        """Count a connection out of its login."""
        self._leave_login(connection, user_id, may_return=False)

    def connection_moved(self, connection: Connection, former: str) -> None:
        """Count a connection out of one visitor and into another."""
        _leave(self._visitors, former, connection)
        self._enter_session(connection)

    def connection_closed(self, connection: Connection, *, may_return: bool) -> None:
        """Count a connection out."""
        session_id, user_id = connection.session_id, connection.user_id
        if session_id is not None:
            _leave(self._visitors, session_id, connection)
        if user_id is not None:
            self._leave_login(connection, user_id, may_return=may_return)

    def identities_forgotten(self, of: Callable[[Identity], bool]) -> None:
        """Wait no longer for visitors who have logged out."""
        self.online.forget_identities(of)

    def _enter_session(self, connection: Connection) -> None:
        if connection.session_id is not None:
            self._visitors.setdefault(connection.session_id, {})[connection] = None

    def _leave_login(self, connection: Connection, user_id: str, *, may_return: bool) -> None:
        _leave(self._logins, user_id, connection)
        identity = Identity(connection.session_id, user_id)
        self.online.went(user_id, identity, may_return=may_return)


def _leave(here: Here, key: str, connection: Connection) -> None:
    """Take a connection from those of a visitor or a login."""
    connections = here.get(key)
    if connections is not None:
        connections.pop(connection, None)
        if not connections:
            del here[key]


Kind = TypeVar("Kind", bound=Presence)


class PresenceView(Mapping[str, Kind], Generic[Kind]):
    """
    A read-only mapping over those who are here now.

    Iterating goes over those who were here when it began: they may come and go
    meanwhile, in this thread or another.

    Args:
        present: the dict behind it.
        key: makes a key of what is looked up.
        make: makes what is found, of its key.
    """

    def __init__(
        self, present: Here, key: Callable[[Any], str | None], make: Callable[[str], Kind]
    ) -> None:
        self._present = present
        self._key = key
        self._make = make

    def __repr__(self) -> str:
        return f"<{len(self)} present>"

    def __getitem__(self, key: Any) -> Kind:
        found = self._find(key)
        if found is None:
            raise KeyError(key)
        return self._make(found)

    def __contains__(self, key: object) -> bool:
        return self._find(key) is not None

    def _find(self, key: Any) -> str | None:
        """Give the key of who is meant, if that one is here."""
        try:
            found = self._key(key)
        except (TypeError, ValueError):
            return None
        return found if found in self._present else None

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._present))

    def __len__(self) -> int:
        return len(self._present)

    def values(self) -> Collection[Kind]:  # type: ignore[override]
        """Give those who are here now."""
        return tuple(map(self._make, tuple(self._present)))

    def items(self) -> Collection[tuple[str, Kind]]:  # type: ignore[override]
        """Give those who are here now, with their ids."""
        return tuple((key, self._make(key)) for key in tuple(self._present))


def _session_key(session_id: Any) -> str | None:
    return session_id if isinstance(session_id, str) else None
