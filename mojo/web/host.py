"""What the request handlers need of the service they belong to."""

from __future__ import annotations

from typing import Any, Protocol

from mojo.auth.tries import LoginTries
from mojo.credential import Credential
from mojo.engineio.origins import Origins
from mojo.engineio.proxies import TrustedProxies
from mojo.sessions.cookies import VisitorCookies
from mojo.sessions.keeper import SessionKeeper
from mojo.sessions.stores import Sender
from mojo.settings import Settings
from mojo.users import Users
from mojo.web.static import StaticFiles
from mojo.web.templates import Templates


class Host(Protocol):
    """The service, as pages see it."""

    reactor: Any
    project_name: str
    settings: Settings
    cookies: VisitorCookies
    proxies: TrustedProxies
    origins: Origins
    static_files: StaticFiles
    templates: Templates
    session_keeper: SessionKeeper
    users: Users
    login_tries: LoginTries

    def log_out(
        self,
        session_id: str | None,
        user_id: str | None = None,
        *,
        reason: str = "logout",
        keep: str | None = None,
    ) -> None:
        """Take their logins from a visitor's connections."""

    def revoke(
        self,
        *,
        user_id: str | int | None = None,
        session_id: str | None = None,
        reason: str = "revoked",
    ) -> None:
        """Make a user's or a session's cookies worthless, and end its connections."""

    def end_login(self, credential: Credential, reason: str) -> None:
        """Make one login worthless, and end it at once."""

    def adopt_login(self, session_id: str, credential: Credential) -> None:
        """Let a visitor's connections live by a newer login of the same user."""

    def renew_login(self, credential: Credential) -> None:
        """Let connections live on with a login whose cookie was sealed anew."""

    def move_visitor(self, former: str, session_id: str, sender: Sender) -> None:
        """Give a visitor's connections another session id."""
