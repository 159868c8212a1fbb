"""
``CURRENT_SESSIONS`` and ``LOGGED_IN_SESSIONS``: the registry under the seed's names.

The two names are importable wherever a handler or a page is written, before there is a
service; what they show is the service that runs.  Where several run in one process, it is
the one whose project the calling code is part of, and if that cannot be told, asking is an
error rather than a guess.
"""

from __future__ import annotations

import os
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
#: The folders of projects of this process, whether their services run or not.
_projects: set[str] = set()

# Code that belongs to nobody, wherever it is installed: an environment may be in the folder
# of one of the projects.
_LIBRARIES = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


def declare(owner: Owner) -> None:
    """Note that a service exists: code of its project sees it, or nothing."""
    if owner.project_prefix:
        _projects.add(owner.project_prefix)


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

    That is the one whose project holds the innermost of the calling code, if any of it
    is part of a project; else the one that runs.

    Raises:
        AmbiguousServiceError: several run, and that does not tell which is meant.
    """
    running = _running
    if len(running) > 1 or (running and not _projects <= {running[0].project_prefix}):
        project = _calling_project()
        if project is not None:
            running = [owner for owner in _running if owner.project_prefix == project]
    if len(running) <= 1:
        return running[0] if running else None
    names = ", ".join(owner.project_name for owner in running)
    raise AmbiguousServiceError(
        f"{len(running)} services run in this process ({names}) and the calling code does not "
        "tell which is meant: use service.current_sessions of that one"
    )


def _calling_project() -> str | None:
    frame = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if not any(library in file for library in _LIBRARIES):
            holders = [project for project in _projects if file.startswith(project)]
            if holders:
                return max(holders, key=len)
        frame = frame.f_back  # type: ignore[assignment]
    return None


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

    def __contains__(self, key: object) -> bool:
        return key in self._view()

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
