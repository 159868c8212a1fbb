"""What a login rests on: a cookie or a token that was found good."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from math import inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """
    A cookie or a token that was found good.

    Attributes:
        user_id: who it says somebody is.
        id: tells one login from another; it stays when a cookie is sealed anew.
        since: when the user logged in, in seconds since the epoch.
        expires: when it is good no longer, unless it is renewed.
        session_id: the visitor's session when the login was made, if that is known.
    """

    user_id: str
    id: str = ""
    since: float = 0.0
    expires: float = inf
    session_id: str | None = None

    def __repr__(self) -> str:
        return f"<Credential of {self.user_id!r}>"


def id_of(token: str) -> str:
    """Make the id of a login whose cookie or token has none."""
    return blake2b(token.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
