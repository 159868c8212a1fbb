"""
Where sessions are kept: what a store is, and the one that the settings name.

A store keeps text under a session's id, with a version.  It compares the version with the
one that the writer has seen, and refuses to save over what the writer does not know: what
is then to be done is not its business (see `mojo.sessions.keeper`).
"""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar, runtime_checkable

from twisted.internet.defer import Deferred

from mojo.engineio.handshake import Cookies, Handshake

#: Seconds for which a store remembers that an id was given up.
MOVED_SECONDS = 86400.0

Result = TypeVar("Result")
#: Stores may be plain, give Deferreds, or be coroutines.
Later: TypeAlias = Deferred[Result] | Coroutine[Any, Any, Result] | Result


@dataclass(frozen=True, slots=True)
class Stored:
    """
    A session as it is kept.

    Attributes:
        data: its JSON.
        version: another one each time that it is saved.
    """

    data: str = field(repr=False)
    version: str


class Sender(NamedTuple):
    """
    Where a request comes from, as far as that can be told.

    Attributes:
        address: the IP address, past trusted proxies.
        agent: the ``User-Agent`` headers.
    """

    address: str
    agent: tuple[str, ...]


def sender_of(handshake: Handshake) -> Sender:
    """Tell where a connection comes from."""
    return Sender(handshake.address, handshake.headers.get("user-agent", ()))


class Carrier(Protocol):
    """
    What brought a session's cookie: the request of a page, or a connection.

    Attributes:
        answers: whether there is a response, which can set cookies.
    """

    answers: bool

    @property
    def sender(self) -> Sender:
        """Where it comes from."""

    @property
    def cookies(self) -> Cookies:
        """The cookies that it came with, and those that it was given since."""

    def set_session_cookie(self, name: str, token: str, max_age: float) -> None:
        """Give the browser a cookie, with the response."""


@runtime_checkable
class SessionStore(Protocol):
    """
    A store.

    All methods raise `SessionUnavailable` when the store does not answer: it is then
    not known to have done anything.

    Attributes:
        max_size: most bytes of a session's JSON.
        pages_only: whether sessions come and go with the cookies of pages, so that
            connections can only read them.
    """

    max_size: int
    pages_only: bool

    def load(self, session_id: str, carrier: Carrier) -> Later[Stored | None]:
        """
        Give a session, and keep it for another while; ``None``, if there is none.

        Raises:
            SessionMoved: its id was given up by `move` less than `MOVED_SECONDS` ago.
        """

    def save(
        self, session_id: str, stored: Stored, expected: str | None, carrier: Carrier
    ) -> Later[bool]:
        """
        Keep a session.

        Args:
            session_id: its id.
            stored: what is kept.
            expected: the version that it replaces; ``None`` for none.
            carrier: what brought the session.
        Returns:
            Whether that was so; else nothing was done.
        Raises:
            SessionMoved: see `load`.
        """

    def move(
        self,
        session_id: str,
        other: str,
        stored: Stored | None,
        expected: str | None,
        carrier: Carrier,
    ) -> Later[bool]:
        """
        Keep a session under another id, and give up its own, in one step.

        Args:
            session_id: the id that it had; nothing can be saved under it any more.
            other: the new id.
            stored: what is kept; ``None`` if there is nothing to keep.
            expected: see `save`.
            carrier: what brought the session.
        Returns:
            See `save`.
        Raises:
            SessionMoved: see `load`.
        """

    def close(self) -> Later[None]:
        """Let go of what it holds; it may be used again afterwards."""


@runtime_checkable
class Troubled(Protocol):
    """A store that knows how it is; not every one does."""

    def trouble(self) -> str | None:
        """Say in a word why it does not answer, or ``None``, without looking; see `Health`."""
