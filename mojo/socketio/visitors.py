"""
The clients of a server by who they are: what happens to a visitor happens to all of them.

A client without any connection counts too: what it connects to later, on the same Engine.IO
session, it connects to as whoever it is by then.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

from mojo.credential import Credential
from mojo.engineio.handshake import Handshake
from mojo.engineio.ports import CloseReason
from mojo.socketio.client import Client
from mojo.socketio.logins import LiveLogins
from mojo.socketio.namespace import Namespace, Observer, session_room, user_room
from mojo.socketio.places import Identity
from mojo.socketio.presence import PresenceBoard
from mojo.socketio.rooms import Room


class Host(Protocol):
    """The server."""

    observer: Observer
    presence: PresenceBoard

    def places(self) -> Collection[Namespace]:
        """Give all namespaces there are now."""


class VisitorClients:
    """
    The clients with a visitor's cookie, or with a login's alone.

    Args:
        host: the server whose clients they are.
        logins: what their logins rest on.
    """

    def __init__(self, host: Host, logins: LiveLogins) -> None:
        self._host = host
        self._logins = logins
        # By their visitor, or by the login of the handshake if they have none.
        self._clients: dict[Room, dict[Client, None]] = {}

    def __len__(self) -> int:
        return len(self._clients)

    def arrived(self, client: Client) -> None:
        """Take in a client; an anonymous one is in nobody's way."""
        home = _home(client)
        if home is not None:
            self._clients.setdefault(home, {})[client] = None

    def gone(self, client: Client) -> None:
        """Forget a client."""
        home = _home(client)
        clients = None if home is None else self._clients.get(home)
        if home is not None and clients is not None:
            clients.pop(client, None)
            if not clients:
                del self._clients[home]

    def log_out(
        self, session_id: str | None, user_id: str | None, reason: str, keep: str | None
    ) -> None:
        """Take their logins from the clients of one visitor; see `SocketServer.log_out`."""
        homes = []
        if session_id is not None:
            homes.append(session_room(session_id))
        if user_id is not None:
            homes.append(user_room(user_id))
        self._forget(
            lambda who: (
                who.user_id not in (None, keep)
                and (
                    session_room(who.session_id) if who.session_id else user_room(str(who.user_id))
                )
                in homes
            ),
            session_id,
            user_id,
        )
        for client in [client for home in homes for client in self._clients.get(home, ())]:
            if client.user_id not in (None, keep):
                client.log_out(reason)

    def adopt(self, session_id: str, credential: Credential) -> None:
        """Let a visitor's clients with a user's login live by another; see `SocketServer`."""
        for client in self._clients.get(session_room(session_id), ()):
            if client.user_id == credential.user_id:
                self._logins.hold(client, credential)

    def user_changed(self, user_id: str) -> None:
        """Let handlers load a user anew; see `SocketServer.user_changed`."""
        for holder in self._logins.holders(user_id):
            for connection in holder.connections if isinstance(holder, Client) else (holder,):
                handler = getattr(connection, "handler", None)
                if handler is not None:
                    handler.user_changed()

    def end_user(self, user_id: str, reason: str) -> None:
        """Take all logins of a user; see `SocketServer.end_user`."""
        self._forget(lambda who: who.user_id == user_id, None, user_id)
        self._logins.end(reason, lambda _: True, user_id)

    def end_session(self, session_id: str, reason: str) -> None:
        """Take a visitor's logins and end the clients; see `SocketServer.end_session`."""
        self._forget(lambda who: who.session_id == session_id, session_id, None)
        self._logins.end(reason, lambda credential: credential.session_id == session_id)
        for client in list(self._clients.get(session_room(session_id), ())):
            if client.user_id is not None:
                client.log_out(reason)
            client.disconnect()

    def move(self, former: str, session_id: str, is_theirs: Callable[[Handshake], bool]) -> None:
        """Give a visitor another id; see `SocketServer.move_visitor`."""
        for client in list(self._clients.get(session_room(former), ())):
            if is_theirs(client.session.handshake):
                self.gone(client)
                client.move(session_id)
                self.arrived(client)
            else:
                client.session.close(CloseReason.FORCED_SERVER_CLOSE)
        # After them: the places of those that had to go are the visitor's too.
        for namespace in self._host.places():
            namespace.visitor_moved(former, session_id)
        self._host.presence.visitor_moved(former)

    def _forget(
        self, of: Callable[[Identity], bool], session_id: str | None, user_id: str | None
    ) -> None:
        """Wait no longer for those of a session or a user who have logged out."""
        for namespace in self._host.places():
            namespace.forget_login(of, session_id, user_id)
        self._host.presence.forget_identities(of)
        self._host.observer.identities_forgotten(of)


def _home(client: Client) -> Room | None:
    handshake = client.session.handshake
    if handshake.session_id is not None:
        return session_room(handshake.session_id)
    return None if handshake.user_id is None else user_room(handshake.user_id)
