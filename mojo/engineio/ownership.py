"""Whose a session is: a request for it must come from the visitor who opened it."""

from __future__ import annotations

from mojo.engineio.handshake import Facts, Handshake, Identify, read_cookies
from mojo.errors import EngineError, EngineErrorCode


def check_owner(handshake: Handshake, facts: Facts, identify: Identify) -> None:
    """
    Refuse a request for a visitor's session that comes from somebody else.

    The id in the URL is a secret, but URLs end up in logs: whoever found one
    there must not be able to read a visitor's messages.  A browser sends its
    cookies with every request; there are clients (python-socketio's) that send
    them with the first alone, and those must come from the same address.  The
    session itself is left alone.

    Args:
        handshake: of the session.
        facts: of the request.
        identify: tells from a request's cookies who the visitor is.
    Raises:
        EngineError: it comes from somebody else.
    """
    owner = handshake.session_id or handshake.user_id
    if owner is None:
        return
    cookies = facts.headers.get("cookie", ())
    if cookies == handshake.headers.get("cookie", ()):
        return
    identity = identify(read_cookies(cookies))
    # A visitor without a session is known by the login alone.
    asking = identity.user_id if handshake.session_id is None else identity.session_id
    if asking is None and facts.address == handshake.address:
        return
    if asking != owner:
        raise EngineError(
            EngineErrorCode.FORBIDDEN, detail="the session belongs to another visitor"
        )
