"""
The service's half about visitors: who is here, and what happens to their logins.

What is here may be called from any thread, and in a cluster it is done at all servers: see
`mojo.visitor_acts`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mojo.credential import Credential
from mojo.sessions.cookies import VisitorCookies, session_key
from mojo.sessions.registry import Login, Registry, Visitor
from mojo.sessions.stores import Sender
from mojo.socketio.threads import run_in_reactor
from mojo.users import user_key
from mojo.visitor_acts import REVOKED, VisitorActs, write_credential, write_sender

if TYPE_CHECKING:
    from mojo.cluster.orders import Orders


class Visitors:
    """Methods of `MojoService` about visitors."""

    reactor: Any
    cookies: VisitorCookies
    _acts: VisitorActs
    _orders: Orders | None
    _registry: Registry

    @property
    def current_sessions(self) -> Mapping[str, Visitor]:
        """The visitors who are here, by session id; read-only, safe to iterate."""
        return self._registry.visitors

    @property
    def logged_in_sessions(self) -> Mapping[str, Login]:
        """The logins that are here, by user id; read-only, safe to iterate."""
        return self._registry.logins

    def session(self, session_id: str) -> Visitor:
        """Give a visitor to send to, here or not."""
        return self._registry.session(session_key(session_id))

    def user(self, user_id: str | int) -> Login:
        """Give a login to send to, here or not."""
        return self._registry.user(user_id)

    @property
    def online_users(self) -> frozenset[str]:
        """The ids of the users who are online; see `Login.online`."""
        return self._registry.online.ids

    def log_out(
        self,
        session_id: str | None,
        user_id: str | int | None = None,
        *,
        reason: str = "logout",
        keep: str | int | None = None,
    ) -> None:
        """
        Take their logins from the connections of one visitor; see also `revoke`.

        Args:
            session_id: the visitor; ``None`` for none.
            user_id: a login, for connections that came with it and without a
                ``session_id`` cookie; ``None`` for none.
            reason: what the handlers' ``on_logout`` is told.
            keep: a login that stays.
        """
        session = None if session_id is None else session_key(session_id)
        key = None if user_id is None else user_key(user_id)
        kept = None if keep is None else user_key(keep)
        self._do("log_out", session, key, reason, kept)

    def revoke(
        self,
        *,
        user_id: str | int | None = None,
        session_id: str | None = None,
        reason: str = REVOKED,
    ) -> None:
        """
        Make worthless what a user or a session has of cookies and tokens, and end it at once.

        Whoever comes with one of them is anonymous from now on; who logs in anew is not
        concerned.  Live connections lose the login and their ``on_logout`` is called; those
        of a session are closed as well, since the session is no good either.

        Args:
            user_id: a user, in every browser and on every device.
            session_id: a visitor's session, with the logins that were made in it.
            reason: what the handlers' ``on_logout`` is told.
        Raises:
            TypeError: neither is given, or one that cannot be an id.
            ValueError: an id is empty.
        """
        if user_id is None and session_id is None:
            raise TypeError("revoke() takes a user_id or a session_id")
        key = None if user_id is None else user_key(user_id)
        session = None if session_id is None else session_key(session_id)
        # The moment is told: where this arrives later the user may have logged in anew by then.
        at = self.cookies.revocations.beginning(key or "")
        self._do("revoke", key, session, reason, at)

    def user_changed(self, user_id: str | int) -> None:
        """
        Let the user's connections load the user anew, after a change of roles for example.

        Where a class is guarded by ``@require`` or ``@login_required``, whoever may not be
        there any more is disconnected at once.
        """
        self._do("user_changed", user_key(user_id))

    # -- for pages, of the visitor who asks for them ------------------------------

    def end_login(self, credential: Credential, reason: str) -> None:
        """Make one login worthless, in every copy of its cookie, and end it at once."""
        self._do("end_login", write_credential(credential), reason)

    def adopt_login(self, session_id: str, credential: Credential) -> None:
        """Let a visitor's connections, which have that user's login, live by a newer one."""
        self._do("adopt_login", session_id, write_credential(credential))

    def renew_login(self, credential: Credential) -> None:
        """Let connections live on with a login whose cookie was sealed anew."""
        self._do("renew_login", write_credential(credential))

    def move_visitor(self, former: str, session_id: str, sender: Sender) -> None:
        """
        Give a visitor another session id, with the connections.

        Args:
            former: the id that the visitor had.
            session_id: the new one.
            sender: where the request came from that changed it.  A connection from
                elsewhere may be of somebody who planted the former id: it is closed, and
                comes back with the cookie that it has.
        """
        self._do("move", former, session_id, write_sender(sender))

    # -- within -----------------------------------------------------------------

    def _do(self, act: str, *args: Any) -> None:
        """Do something here, and have the other servers of the cluster do it."""
        run_in_reactor(self.reactor, self._do_now, act, args)

    def _do_now(self, act: str, args: Sequence[Any]) -> None:
        marks = self._acts.perform(act, args)
        if self._orders is not None:
            self._orders.tell(act, args, marks)
