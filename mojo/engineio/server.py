"""
The sessions of one Engine.IO endpoint, and what they share.

An `EngineServer` knows no HTTP: `mojo.engineio.resource` reads requests and calls it.
It is usable alone, without Socket.IO; see ``examples/engineio_echo.py``.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from types import MappingProxyType

from twisted.internet.interfaces import IReactorTime

from mojo.engineio.deadlines import Deadlines
from mojo.engineio.flushing import FlushQueue
from mojo.engineio.handshake import (
    Handshake,
    Identify,
    identify_nobody,
)
from mojo.engineio.heartbeat import ClientHeartbeat, Heartbeat
from mojo.engineio.options import EngineOptions
from mojo.engineio.origins import Origins
from mojo.engineio.ports import CloseReason, Receiver, Transport
from mojo.engineio.proxies import TrustedProxies
from mojo.engineio.session import EngineSession
from mojo.engineio.stats import EngineStats
from mojo.errors import EngineError, EngineErrorCode


def new_id() -> str:
    """Make an unguessable id: 120 random bits, 20 characters, safe in a URL."""
    return secrets.token_urlsafe(15)


class EngineServer:
    """
    One Engine.IO endpoint.

    Args:
        receiver: called with each new session; gives the object whose
            ``message_received(data)`` and ``session_closed(reason)`` are then called.
        clock: tells the time and wakes us; the reactor, or a test's ``Clock``.
        options: see `EngineOptions`.
        identify: tells from a request's cookies who the visitor is.
        new_id: makes the ids of sessions.
        stats: where to count; several servers may share one.
        flushes: what ends the turns of its sessions, if it is not its own: those that are sent
            the same messages must share one.
    """

    def __init__(
        self,
        receiver: Callable[[EngineSession], Receiver],
        clock: IReactorTime,
        options: EngineOptions | None = None,
        *,
        identify: Identify = identify_nobody,
        new_id: Callable[[], str] = new_id,
        stats: EngineStats | None = None,
        flushes: FlushQueue[EngineSession] | None = None,
    ) -> None:
        self.clock = clock
        self.options = options or EngineOptions()
        self.stats = stats or EngineStats()
        self.origins = Origins(self.options.allowed_origins)
        self.proxies = TrustedProxies(self.options.trusted_proxies)
        self.identify = identify
        self.heartbeat: Heartbeat[EngineSession] = Heartbeat(
            clock,
            self.options.ping_interval,
            self.options.ping_timeout,
            EngineSession.ping,
            _heartbeat_lost,
        )
        self.client_heartbeat: ClientHeartbeat[EngineSession] = ClientHeartbeat(
            clock, self.options.ping_interval, self.options.ping_timeout, _heartbeat_lost
        )
        self.flushes: FlushQueue[EngineSession] = flushes or FlushQueue(clock)
        self._receiver = receiver
        self._new_id = new_id
        self._sessions: dict[str, EngineSession] = {}
        self._lingering: Deadlines[EngineSession] = Deadlines(
            clock, self.options.close_timeout, _linger_expired
        )
        # Clients of version 3 may begin to listen only when the opening handshake has come:
        # what they are told first must not come in one piece with it.
        self._greetings: Deadlines[EngineSession] = Deadlines(clock, 0.01, EngineSession.flush)
        self._stopped = False

    @property
    def sessions(self) -> Mapping[str, EngineSession]:
        """The sessions by their ids, which are secrets of their clients."""
        return MappingProxyType(self._sessions)

    def find(self, eid: str) -> EngineSession:
        """
        Give the session with an id.

        Raises:
            EngineError: there is none.
        """
        session = self._sessions.get(eid)
        if session is None:
            raise _shutting_down() if self._stopped else EngineError(EngineErrorCode.UNKNOWN_SID)
        return session

    def new_session(self, handshake: Handshake, eid: str | None = None) -> EngineSession:
        """
        Make a session; `start` must follow at once.

        Args:
            handshake: the facts of the request that opens it.
            eid: its id; made here, if it is ``None``.
        Raises:
            EngineError: the server is stopping, or another session has that id.
        """
        if self._stopped:
            raise _shutting_down()
        if eid in self._sessions:
            # To replace the other would hand its client's requests to this one.
            raise EngineError(EngineErrorCode.BAD_REQUEST, detail="the new id is another session's")
        if eid is None:
            eid = self.options.sid_prefix + self._new_id()
        session = EngineSession(self, eid, handshake)
        self._sessions[session.eid] = session
        return session

    def start(self, session: EngineSession, transport: Transport) -> None:
        """Open a session on its first transport."""
        session.open(transport, self._receiver)
        if session.handshake.protocol == 3 and transport.name == "websocket":
            self._greetings.start(session)
        else:
            session.flush()

    def refuse_new(self) -> None:
        """Take no new sessions until `reopen`; those that are there go on."""
        self._stopped = True

    def stop(self) -> None:
        """
        Close every session, telling each client that the server is shutting down.

        A client may still fetch what it is owed until `abort`; new ones are refused
        until `reopen`.
        """
        self.refuse_new()
        for session in list(self._sessions.values()):
            session.close(CloseReason.SERVER_SHUTTING_DOWN)

    def abort(self) -> None:
        """End what is left after `stop`, and every timer."""
        self._lingering.expire_all()
        self._greetings.clear()
        self.heartbeat.clear()
        self.client_heartbeat.clear()

    def reopen(self) -> None:
        """Take new sessions again."""
        self._stopped = False

    # -- SessionHost --------------------------------------------------------

    def linger(self, session: EngineSession) -> None:
        """Give a closing session ``close_timeout`` seconds to end."""
        self._lingering.start(session)

    def forget(self, session: EngineSession) -> None:
        """Drop a closed session."""
        self._lingering.stop(session)
        self._greetings.stop(session)
        self._sessions.pop(session.eid, None)


def _shutting_down() -> EngineError:
    # A proxy may take the status for a hint to ask another node.
    return EngineError(EngineErrorCode.BAD_REQUEST, message="Server shutting down", status=503)


def _heartbeat_lost(session: EngineSession) -> None:
    session.lose(CloseReason.PING_TIMEOUT)


def _linger_expired(session: EngineSession) -> None:
    session.lose(CloseReason.FORCED_CLOSE)
