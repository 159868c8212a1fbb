"""
Logins that others have given out: what Mojo asks of a reader of them, and what all have.

A reader opens what another program signed and gives a `Credential`, or ``None`` for
whatever is not good, without saying why.  None of them can make what it reads.  They are
pure: the time is an argument.  A signature is checked before anything that it covers is
parsed, and compared in constant time; nothing is ever unpickled.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from mojo.credential import Credential, id_of
from mojo.errors import SettingsError

#: Characters of the longest cookie that is looked at.
MAX_COOKIE = 4096
# Bytes of the longest thing that is made of a compressed one.
_MAX_UNPACKED = 65_536
# Seconds by which the clocks of two machines may differ.
_SKEW = 60

Cookies = Mapping[str, tuple[str, ...]]


@runtime_checkable
class CookieReader(Protocol):
    """Finds a login among the cookies of a request."""

    def from_cookies(self, cookies: Cookies, now: float) -> Credential | None:
        """
        Give the login that the cookies say.

        Args:
            cookies: values by name; one that comes twice has two, one of which may have
                been planted.
            now: seconds since the epoch.
        """


@runtime_checkable
class TokenReader(Protocol):
    """Finds a login in the ``auth`` with which a client joins a namespace."""

    def from_auth(self, auth: Mapping[str, Any], now: float) -> Credential | None:
        """
        Give the login that a client's ``auth`` says.

        Args:
            auth: as the client sent it, whatever it is.
            now: seconds since the epoch.
        """


class SignedCookie:
    """
    The reader of one cookie, which a subclass can open.

    Args:
        cookie: its name.
        secrets: those with which it may be signed.
        max_age: seconds from the signing for which it is good.

    Raises:
        SettingsError: there is no secret, or an age that is none.
    """

    def __init__(self, cookie: str, secrets: Sequence[str], max_age: float) -> None:
        self._cookie = cookie
        self._max_age = max_age
        who = type(self).__name__
        if not secrets or not all(isinstance(secret, str) and secret for secret in secrets):
            raise SettingsError([f"{who} takes a secret, which is text and not empty"])
        if isinstance(max_age, bool) or not isinstance(max_age, int | float) or max_age <= 0:
            raise SettingsError([f"{who} takes a number of seconds as max_age"])

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of cookie {self._cookie!r}>"

    def from_cookies(self, cookies: Cookies, now: float) -> Credential | None:
        """Give the login; see `CookieReader`.  Two that differ are none."""
        found: dict[str, Credential] = {}
        for token in dict.fromkeys(cookies.get(self._cookie, ())):
            if len(token) <= MAX_COOKIE and token.isascii():
                opened = self.open(token)
                if opened is not None:
                    user_id, signed = opened
                    if user_id and -_SKEW <= now - signed <= self._max_age:
                        found[user_id] = Credential(
                            user_id=user_id,
                            id=id_of(token),
                            since=float(signed),
                            expires=signed + self._max_age,
                        )
        return found.popitem()[1] if len(found) == 1 else None

    def open(self, token: str) -> tuple[str, int] | None:
        """
        Open a cookie, whatever its age.

        Returns:
            The user's id and the time of the signing; ``None`` if it is not good, or in
            another spelling than the one it was given out in.
        """
        raise NotImplementedError


def all_secrets(reader: object, secret: str, fallbacks: Sequence[str]) -> tuple[str, ...]:
    """
    Give a reader's secrets, the newest first.

    Raises:
        SettingsError: the fallbacks are one text: each letter of it would be a secret.
    """
    if isinstance(fallbacks, str) or not isinstance(fallbacks, Sequence):
        raise SettingsError([f"{type(reader).__name__} takes a list of secrets as fallbacks"])
    return (secret, *fallbacks)


def user_in(values: Any, key: str) -> str | None:
    """Give the user's id of a dict that was signed: text or a whole number, as text."""
    value = values.get(key) if isinstance(values, dict) else None
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value) or None


def decode_base64(text: str) -> bytes | None:
    """Decode URL-safe Base64 without padding."""
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return None


def encode_base64(data: bytes) -> str:
    """Encode as URL-safe Base64 without padding."""
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def read_json(payload: str) -> Any:
    """
    Read JSON in URL-safe Base64, compressed if a dot stands before it.

    Returns:
        ``None`` if it is something else, or more than any cookie of a login holds.
    """
    data = decode_base64(payload.removeprefix("."))
    if data is None:
        return None
    try:
        if payload.startswith("."):
            unpacker = zlib.decompressobj()
            data = unpacker.decompress(data, _MAX_UNPACKED)
            if not unpacker.eof:
                return None
        return json.loads(data)
    except (zlib.error, ValueError, RecursionError):
        return None
