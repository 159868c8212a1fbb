"""
Sessions in the parent: what ``SESSION_STORE = "memory"`` is where there are several workers.

The parent has one `MemoryStore`, and the workers ask it; sessions outlive a worker, as they do
not outlive the parent.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from mojo.errors import SessionMoved, SessionUnavailable
from mojo.sessions.memory_store import MemoryStore
from mojo.sessions.stores import Carrier, Sender, Stored
from mojo.workers.hub import Hub
from mojo.workers.link import ASK_SECONDS, Link


class ParentStore:
    """
    A `SessionStore` of the parent's.

    Args:
        link: leads to it.
        max_size: most bytes of a session.
    """

    pages_only = False

    def __init__(self, link: Link, max_size: int) -> None:
        self.max_size = max_size
        self._link = link

    def __repr__(self) -> str:
        return "<ParentStore>"

    def load(self, session_id: str, carrier: Carrier) -> Deferred[Stored | None]:
        """Give a session; see `SessionStore`."""

        def read(found: list[str] | None) -> Stored | None:
            return None if found is None else Stored(*found)

        return self._ask("load_session", session_id).addCallback(read)

    def save(
        self, session_id: str, stored: Stored, expected: str | None, carrier: Carrier
    ) -> Deferred[bool]:
        """Keep a session; see `SessionStore`."""
        return self._ask("save_session", session_id, [stored.data, stored.version], expected)

    def move(
        self,
        session_id: str,
        other: str,
        stored: Stored | None,
        expected: str | None,
        carrier: Carrier,
    ) -> Deferred[bool]:
        """Keep a session under another id; see `SessionStore`."""
        kept = None if stored is None else [stored.data, stored.version]
        return self._ask("move_session", session_id, other, kept, expected)

    def close(self) -> None:
        """Keep everything: it is the parent's."""

    def _ask(self, what: str, *args: Any) -> Deferred[Any]:
        def failed(failure: Failure) -> None:
            if not failure.check(SessionMoved):
                raise SessionUnavailable("the parent does not answer") from failure.value
            failure.raiseException()

        asked = self._link.ask(what, *args)
        return asked.addTimeout(ASK_SECONDS, self._link.clock).addErrback(failed)


class _Worker:
    """Who brings a session to the parent: it has its cookies, and they are not needed here."""

    answers = False
    sender = Sender("", ())
    cookies: dict[str, tuple[str, ...]] = {}  # noqa: RUF012

    def set_session_cookie(self, name: str, token: str, max_age: float) -> None:
        """Set none."""


def serve_sessions(hub: Hub, store: MemoryStore) -> None:
    """Answer the workers' questions for sessions."""
    worker = _Worker()

    def load(session_id: str) -> list[str] | None:
        found = store.load(session_id, worker)
        return None if found is None else [found.data, found.version]

    def save(session_id: str, kept: list[str], expected: str | None) -> bool:
        return store.save(session_id, Stored(*kept), expected, worker)

    def move(session_id: str, other: str, kept: list[str] | None, expected: str | None) -> bool:
        stored = None if kept is None else Stored(*kept)
        return store.move(session_id, other, stored, expected, worker)

    hub.answers.update(load_session=load, save_session=save, move_session=move)
