"""What an app is: a folder's handler, pages and templates under one name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mojo.errors import ProjectError
from mojo.socketio.handler import MojoSocketHandler


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """
    One app of a project.

    Attributes:
        name: the folder's name: ``"Chat"``; ``""`` for the project's own handler and
            pages.
        handler: what is made for each client that connects, or ``None``.
        urlpatterns: the pages, see `mojo.web.urls`.
        templates: the folder of its templates, or ``None``.
        source: the folder, for messages; ``None`` for an app made in code.
    """

    name: str
    handler: type[MojoSocketHandler] | None = None
    urlpatterns: Sequence[Any] = ()
    templates: Path | None = None
    source: Path | None = None

    @property
    def origin(self) -> str:
        """Where the app comes from, for messages."""
        return f"app {self.name!r}" if self.source is None else str(self.source)

    @property
    def namespace(self) -> str:
        """The app's name on the shared path: ``"/ChatSocket"``."""
        return f"/{self.name}Socket" if self.name else "/"


def by_name(apps: Iterable[App]) -> dict[str, App]:
    """
    Give apps by their names, in their order.

    Raises:
        ProjectError: two have the same.
    """
    named: dict[str, App] = {}
    for app in apps:
        if app.name in named:
            raise ProjectError(f"there are two apps of the name {app.name!r}")
        named[app.name] = app
    return named
