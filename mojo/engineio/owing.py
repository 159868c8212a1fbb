"""
What a turn's broadcasts owe to the same many sessions, until the turn ends.

To put a packet into each of a thousand outboxes and to take it out again is 8 % of what a broadcast
costs, and a third where 16 are under way: these objects are cold in the processor's cache, both
times.  Here one list has the sessions, and another what all of them are owed.  When the turn ends,
each that nothing else waits for is given it at once, in one `send`.

What must not break: to whoever looks it is as if each had been sent it when it was owed.  So a
session is settled with before it is sent anything else, closes, or says what waits; and what cannot
be given at once goes into its outbox, within its limits.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Generic, Protocol, TypeVar

from twisted.logger import Logger

from mojo.engineio.packet import Packet, size_of

_log = Logger()

# Bytes that are owed at most: a WebSocket takes as many as a whole, or not at all.
_MOST = 65_535

Message = Sequence[Packet]


class Creditor(Hashable, Protocol):
    """What is owed something: a session."""

    def send_now(self, packets: list[Packet]) -> bool:
        """Send it packets past its outbox, if that is empty; say whether they were sent."""

    def put_owed(self, messages: Iterable[Message]) -> bool:
        """Put messages into its outbox, and say whether it must be relieved."""

    def relieve(self, newest: int) -> None:
        """Look at what waits, which is a good deal; the last message has so many packets."""


Session = TypeVar("Session", bound=Creditor)


class Owing(Generic[Session]):
    """
    Messages, each of them for all of some sessions.

    Attributes:
        messages: the packets of each, in order; changed here and by nobody else.
    """

    __slots__ = ("_members", "_packets", "_sessions", "_settled", "_size", "messages")

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self.messages: list[Message] = []
        self._packets: list[Packet] = []
        self._size = 0
        self._sessions: list[Session] = []
        # How many of the messages those have that were settled with, and who is owed any:
        # made when one is to be settled with.
        self._settled: dict[Session, int] = {}
        self._members: frozenset[Session] | None = None

    def add(self, sessions: list[Session], packets: Message) -> None:
        """
        Owe a message to some sessions; what others than these are owed, those get first.

        Args:
            sessions: who; the list must not be changed afterwards.
            packets: the message's.
        """
        size = sum(map(size_of, packets))
        # Sessions are equal if they are the same: this looks at nothing but addresses.
        if self.messages and (sessions != self._sessions or self._size + size > _MOST):
            self._put_all()
        self._sessions = sessions
        self.messages.append(packets)
        self._packets += packets
        self._size += size
        if size > _MOST:
            self._put_all()

    def settle(self, session: Session) -> None:
        """Let a session have what it is owed, before anything else happens to it."""
        messages, done = self.messages, self._settled.get(session, 0)
        if done < len(messages):
            self._settled[session] = len(messages)
            if self._members is None:
                self._members = frozenset(self._sessions)
            if session in self._members and session.put_owed(messages[done:]):
                session.relieve(len(messages[-1]))

    def pay(self) -> None:
        """Send everybody what is owed."""
        sessions, messages, settled = self._sessions, self.messages, self._settled
        packets = self._packets
        self._forget()
        high: list[Session] = []
        for session in sessions:
            try:
                done = settled.get(session, 0) if settled else 0
                if not done and session.send_now(packets):
                    continue
                if done < len(messages) and session.put_owed(messages[done:]):
                    high.append(session)
            except BaseException:
                # Whatever it is: the others are owed it too.
                _log.failure("a session could not be sent what it was owed")
        _relieve(high, messages)

    def _put_all(self) -> None:
        """Put what is owed into the outboxes, where it is joined with what only some get."""
        sessions, messages, settled = self._sessions, self.messages, self._settled
        self._forget()
        high = [
            session
            for session in sessions
            if session.put_owed(messages[settled.get(session, 0) :] if settled else messages)
        ]
        _relieve(high, messages)


def _relieve(sessions: list[Session], messages: list[Message]) -> None:
    # When all have it: one that answers a GET with it may get the next request at once, whose
    # handler may send to any of them, or end it.
    for session in sessions:
        try:
            session.relieve(len(messages[-1]))
        except BaseException:
            _log.failure("a session could not be sent what it was owed")
