"""
``CURRENT_SESSIONS`` and ``LOGGED_IN_SESSIONS``: the registry under the seed's names.

The two names are importable wherever a handler or a page is written, before there is a
service; what they show is the service that runs.  Where several run in one process, it is
the one whose project the calling code is part of, and if that cannot be told, asking is an
error rather than a guess.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Protocol, TypeVar

from mojo.errors import AmbiguousServiceError
from mojo.sessions.registry import Login, Presence, Visitor


class Owner(Protocol):
    """A service that runs."""

    project_name: str
    #: The folder of its project, with a separator at the end, or ``""``.
    project_prefix: str

    @property
    def current_sessions(self) -> Mapping[str, Visitor]:
        """The visitors who are here."""

    @property
    def logged_in_sessions(self) -> Mapping[str, Login]:
        """The logins that are here."""


_running: list[Owner] = []


def bind(owner: Owner) -> None:
    """Note that a service runs."""
    if owner not in _running:
        _running.append(owner)


def unbind(owner: Owner) -> None:
    """Note that a service has stopped."""
    if owner in _running:
        _running.remove(owner)


def current_owner() -> Owner | None:
    """
    Give the service that the calling code belongs to.

    Raises:
        AmbiguousServiceError: several run, and none of their projects holds any of the
            code that is being called from.
    """
    if len(_running) <= 1:
        return _running[0] if _running else None
    frame = sys._getframe(1)
    while frame is not None:
        for owner in _running:
            prefix = owner.project_prefix
            if prefix and frame.f_code.co_filename.startswith(prefix):
                return owner
        frame = frame.f_back  # type: ignore[assignment]
    names = ", ".join(owner.project_name for owner in _running)
    raise AmbiguousServiceError(
        f"{len(_running)} services run in this process ({names}) and the calling code is part of "
        "none of their projects: use service.current_sessions of the one that is meant"
    )


Kind = TypeVar("Kind", bound=Presence)
_NOTHING: Mapping[str, Any] = {}


class _Current(Mapping[str, Kind]):
    """One of the two names; empty while no service runs."""

    def __init__(self, name: str, attribute: str) -> None:
        self._name = name
        self._attribute = attribute

    def _view(self) -> Mapping[str, Kind]:
        owner = current_owner()
        if owner is None:
            return _NOTHING
        view: Mapping[str, Kind] = getattr(owner, self._attribute)
        return view

    def __repr__(self) -> str:
        return f"<{self._name} of {len(_running)} services>"

    def __getitem__(self, key: Any) -> Kind:
        return self._view()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._view())

    def __len__(self) -> int:
        return len(self._view())

    def values(self) -> Collection[Kind]:  # type: ignore[override]
        """Give those who are here now."""
        return self._view().values()

    def items(self) -> Collection[tuple[str, Kind]]:  # type: ignore[override]
        """Give those who are here now, with their ids."""
        return self._view().items()


#: Visitors by session id: each is one visitor with every tab and every app.
CURRENT_SESSIONS: Mapping[str, Visitor] = _Current("CURRENT_SESSIONS", "current_sessions")

#: Logins by user id: each is one user with every session.
LOGGED_IN_SESSIONS: Mapping[str, Login] = _Current("LOGGED_IN_SESSIONS", "logged_in_sessions")
