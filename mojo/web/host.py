"""What the request handlers need of the service they belong to."""

from __future__ import annotations

from typing import Protocol

from mojo.engineio.origins import Origins
from mojo.engineio.proxies import TrustedProxies
from mojo.sessions.cookies import VisitorCookies
from mojo.sessions.keeper import SessionKeeper
from mojo.sessions.stores import Sender
from mojo.settings import Settings
from mojo.web.static import StaticFiles
from mojo.web.templates import Templates


class Host(Protocol):
    """The service, as pages see it."""

    project_name: str
    settings: Settings
    cookies: VisitorCookies
    proxies: TrustedProxies
    origins: Origins
    static_files: StaticFiles
    templates: Templates
    session_keeper: SessionKeeper

    def log_out(
        self,
        session_id: str | None,
        user_id: str | None = None,
        *,
        reason: str = "logout",
        keep: str | None = None,
    ) -> None:
        """Take their logins from a visitor's connections."""

    def move_visitor(self, former: str, session_id: str, sender: Sender) -> None:
        """Give a visitor's connections another session id."""
