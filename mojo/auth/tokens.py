"""
Bearer tokens: a JWT with which a client joins a namespace, ``io(..., {auth: {token}})``.

Algorithms are those of the settings and no others, whatever a token says of itself; every
token has an end.  Signatures are PyJWT's business, times are ours: the clock is an
argument here.

See: RFC 7519 (JWT), RFC 8725 (JWT best current practices).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jwt

from mojo.auth.readers import user_in
from mojo.credential import Credential, id_of
from mojo.errors import SettingsError

#: Characters of the longest token that is looked at.
MAX_TOKEN = 8192

# With the least bytes of a secret: no fewer than the hash gives (RFC 7518 section 3.2).
_SYMMETRIC = {"HS256": 32, "HS384": 48, "HS512": 64}
_ASYMMETRIC = frozenset(
    ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
)


class BearerToken:
    """
    A JWT in a client's ``auth``.

    Args:
        key: the secret of ``HS256`` and its like, as long as their hash at least, or a public key
            in PEM; or several of them, while one takes the place of another.
        algorithms: those that a token may be signed with: symmetric or asymmetric ones.
        field: where in ``auth`` the token is.
        user: the claim that holds the user's id.
        audience: who the token must be meant for.
        issuer: who must have made it.
        max_age: seconds from its ``iat``, which it must then have, for which it is good at
            most, whatever its ``exp``.
        leeway: seconds by which clocks may differ.

    Raises:
        SettingsError: keys and algorithms do not go together, or another argument is none.
    """

    def __init__(
        self,
        key: str | Sequence[str],
        algorithms: Sequence[str] = ("HS256",),
        *,
        field: str = "token",
        user: str = "sub",
        audience: str | None = None,
        issuer: str | None = None,
        max_age: float | None = None,
        leeway: float = 0.0,
    ) -> None:
        for what, value in (("keys", key), ("algorithms", algorithms)):
            if not isinstance(value, Sequence) or (what == "algorithms" and isinstance(value, str)):
                found = type(value).__name__
                raise SettingsError([f"BearerToken takes {what} as a list, not {found}"])
        self._keys = (key,) if isinstance(key, str) else tuple(key)
        self._algorithms = list(algorithms)
        self._field = field
        self._user = user
        self._audience = audience
        self._issuer = issuer
        self._max_age = max_age
        self._leeway = leeway
        problem = self._problem()
        if problem is not None:
            raise SettingsError([f"BearerToken {problem}"])

    def __repr__(self) -> str:
        return f"<BearerToken in auth[{self._field!r}], {', '.join(self._algorithms)}>"

    def _problem(self) -> str | None:
        """Say what is wrong with keys and algorithms; nothing of a key is in it."""
        ages = [("leeway", self._leeway)]
        if self._max_age is not None:
            ages.append(("max_age", self._max_age))
        for name, seconds in ages:
            if not _is_time(seconds) or seconds < 0:
                return f"takes a number of seconds as {name}"
        if not isinstance(self._field, str) or not isinstance(self._user, str):
            return "takes names as field and user"
        algorithms = frozenset(self._algorithms)
        if not self._keys or not algorithms:
            return "takes a key and an algorithm"
        # With both a public key, which everybody has, could be taken for a secret.
        if not (algorithms <= _SYMMETRIC.keys() or algorithms <= _ASYMMETRIC):
            return f"takes symmetric or asymmetric algorithms, not {', '.join(self._algorithms)}"
        for key in self._keys:
            if not isinstance(key, str):
                return f"takes a key that is text, not {type(key).__name__}"
            for algorithm in self._algorithms:
                least = _SYMMETRIC.get(algorithm, 0)
                if len(key.encode()) < least:
                    return f"takes a secret of {least} bytes or more for {algorithm}"
                try:
                    jwt.get_algorithm_by_name(algorithm).prepare_key(key)
                except Exception:
                    # What the library says of a key may quote it.
                    return f"has a key that is none of {algorithm}"
        return None

    def from_auth(self, auth: Mapping[str, Any], now: float) -> Credential | None:
        """Give the login of a client's token; see `TokenReader`."""
        token = auth.get(self._field)
        if not isinstance(token, str) or len(token) > MAX_TOKEN or not token.isascii():
            return None
        claims = self._claims_of(token)
        user_id = user_in(claims, self._user)
        if claims is None or user_id is None:
            return None
        times = [claims.get(name) for name in ("exp", "nbf", "iat")]
        if not all(_is_time(time) for time in times if time is not None):
            return None
        expires, begins, issued = times
        if expires is None or now >= expires + self._leeway:
            return None
        if any(time is not None and now < time - self._leeway for time in (begins, issued)):
            return None
        if self._max_age is not None:
            if issued is None or now >= issued + self._max_age:
                return None
            expires = min(expires, issued + self._max_age)
        return Credential(
            user_id=user_id,
            # What is signed: the signature itself can be spelled in several ways.
            id=id_of(token.rpartition(".")[0]),
            # One that does not say when it was made counts as older than any revocation.
            since=0.0 if issued is None else float(issued),
            expires=float(expires) + self._leeway,
        )

    def _claims_of(self, token: str) -> dict[str, Any] | None:
        for key in self._keys:
            try:
                claims: dict[str, Any] = jwt.decode(
                    token,
                    key,
                    algorithms=self._algorithms,
                    audience=self._audience,
                    issuer=self._issuer,
                    options={
                        "verify_exp": False,
                        "verify_nbf": False,
                        "verify_iat": False,
                        "verify_sub": False,
                        "require": ["exp"],
                    },
                )
            except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
                continue
            return claims
        return None


def _is_time(value: Any) -> bool:
    # Nothing that is so large, or not a number at all, that sums with it would fail.
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and -(2**53) < value < 2**53
    )
