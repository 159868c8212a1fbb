"""
The cookies of other frameworks: Tornado's signed values, Flask's and Django's sessions.

Each is read as its framework writes it, with its secret, and never written.

See: ``tornado.web.create_signed_value``, version 2; ``itsdangerous.URLSafeTimedSerializer``
and ``flask.sessions``; ``django.core.signing`` and
``django.contrib.sessions.backends.signed_cookies``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence

from mojo.auth.readers import (
    SignedCookie,
    all_secrets,
    decode_base64,
    encode_base64,
    read_json,
    user_in,
)
from mojo.errors import SettingsError

_DAY = 86400.0


class TornadoCookie(SignedCookie):
    """
    A signed value of Tornado's, version 2, that is the user's id.

    That is what ``set_signed_cookie`` makes, and what ``set_secure_cookie`` made.

    Args:
        secret: Tornado's ``cookie_secret``: text, or a dict of texts by their versions.
        cookie: the cookie's name; by default the one that the first Mojo set.
        max_age: seconds for which it is good; Tornado's own ``max_age_days`` is 31.

    Raises:
        SettingsError: see `SignedCookie`; or a version is no whole number.
    """

    def __init__(
        self, secret: str | Mapping[int, str], cookie: str = "logged_in", max_age: float = 31 * _DAY
    ) -> None:
        self._secrets = dict(secret) if isinstance(secret, Mapping) else {0: secret}
        super().__init__(cookie, tuple(self._secrets.values()), max_age)
        if not all(type(version) is int for version in self._secrets):
            raise SettingsError(["TornadoCookie takes whole numbers as versions of secrets"])

    def open(self, token: str) -> tuple[str, int] | None:
        """Open a cookie; see `SignedCookie.open`."""
        signed, mark, signature = token.rpartition("|")
        signed += mark
        fields = _tornado_fields(signed)
        if fields is None:
            return None
        version, time, name, value = fields
        secret = self._secrets.get(int(version)) if _is_number(version) else None
        if secret is None or name != self._cookie or not _is_number(time):
            return None
        expected = hmac.new(secret.encode(), signed.encode("ascii"), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, signature):
            return None
        try:
            user_id = base64.b64decode(value, validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return user_id, int(time)


def _tornado_fields(text: str) -> list[str] | None:
    """Split ``2|1:0|10:1700000000|4:name|4:MTIz|`` by the lengths that stand there."""
    if not text.startswith("2|"):
        return None
    fields = []
    rest = text[2:]
    for _ in range(4):
        length, colon, rest = rest.partition(":")
        if not colon or not _is_number(length):
            return None
        end = int(length)
        if rest[end : end + 1] != "|":
            return None
        fields.append(rest[:end])
        rest = rest[end + 1 :]
    return None if rest else fields


def _is_number(text: str) -> bool:
    # No sign, no underscore, no digits of other scripts; and none that Python minds to read.
    return text.isascii() and text.isdigit() and len(text) <= 12


class ItsDangerousCookie(SignedCookie):
    """
    What ``itsdangerous.URLSafeTimedSerializer`` signs: a dict with the user's id.

    Args:
        secret: the serializer's ``secret_key``.
        cookie: the cookie's name.
        user: the dict's key of the user's id.
        salt: the serializer's.
        digest: its digest: ``"sha1"``, ``"sha256"``, ``"sha512"``.
        derivation: how it makes a key of the secret: ``"django-concat"`` or ``"hmac"``.
        fallbacks: earlier secrets.
        max_age: seconds for which it is good.

    Raises:
        SettingsError: see `SignedCookie`; or the digest or derivation is another.
    """

    def __init__(
        self,
        secret: str,
        cookie: str,
        user: str,
        *,
        salt: str = "itsdangerous",
        digest: str = "sha1",
        derivation: str = "django-concat",
        fallbacks: Sequence[str] = (),
        max_age: float = 31 * _DAY,
    ) -> None:
        secrets = all_secrets(self, secret, fallbacks)
        super().__init__(cookie, secrets, max_age)
        if digest not in ("sha1", "sha256", "sha512"):
            raise SettingsError([f"{type(self).__name__} knows no digest {digest!r}"])
        if derivation not in ("django-concat", "hmac"):
            raise SettingsError([f"{type(self).__name__} knows no derivation {derivation!r}"])
        self._user = user
        self._digest = digest
        self._keys = [_derive(s.encode(), salt.encode(), digest, derivation) for s in secrets]

    def open(self, token: str) -> tuple[str, int] | None:
        """Open a cookie; see `SignedCookie.open`."""
        signed, _, signature = token.rpartition(".")
        payload, _, time = signed.rpartition(".")
        if not payload or not _is_signed(self._keys, self._digest, signed, signature):
            return None
        stamp = decode_base64(time)
        user_id = user_in(read_json(payload), self._user)
        if not stamp or len(stamp) > 8 or user_id is None:
            return None
        return user_id, int.from_bytes(stamp, "big")


def _derive(secret: bytes, salt: bytes, digest: str, derivation: str) -> bytes:
    if derivation == "hmac":
        return hmac.new(secret, salt, digest).digest()
    return hashlib.new(digest, salt + b"signer" + secret).digest()


class FlaskSession(ItsDangerousCookie):
    """
    The session cookie of a Flask application.

    Args:
        secret: its ``SECRET_KEY``.
        user: the session's key of the user's id; by default the one that Flask-Login sets.
        cookie: its ``SESSION_COOKIE_NAME``.
        fallbacks: its ``SECRET_KEY_FALLBACKS``.
        max_age: seconds; its ``PERMANENT_SESSION_LIFETIME``.

    Raises:
        SettingsError: see `SignedCookie`.
    """

    def __init__(
        self,
        secret: str,
        user: str = "_user_id",
        cookie: str = "session",
        *,
        fallbacks: Sequence[str] = (),
        max_age: float = 31 * _DAY,
    ) -> None:
        super().__init__(
            secret,
            cookie,
            user,
            salt="cookie-session",
            derivation="hmac",
            fallbacks=fallbacks,
            max_age=max_age,
        )


_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BASE62_NUMBER = re.compile(r"[0-9A-Za-z]{1,10}")


class DjangoSession(SignedCookie):
    """
    The session cookie of a Django project with ``SESSION_ENGINE`` ``signed_cookies``.

    The session must be JSON, as it is unless the project says otherwise.  Whether the user's
    password has changed since the login only Django can tell.

    Args:
        secret: its ``SECRET_KEY``.
        cookie: its ``SESSION_COOKIE_NAME``.
        fallbacks: its ``SECRET_KEY_FALLBACKS``.
        max_age: seconds; its ``SESSION_COOKIE_AGE``.
        user: the session's key of the user's id.

    Raises:
        SettingsError: see `SignedCookie`.
    """

    def __init__(
        self,
        secret: str,
        cookie: str = "sessionid",
        *,
        fallbacks: Sequence[str] = (),
        max_age: float = 14 * _DAY,
        user: str = "_auth_user_id",
    ) -> None:
        secrets = all_secrets(self, secret, fallbacks)
        super().__init__(cookie, secrets, max_age)
        self._user = user
        salt = b"django.contrib.sessions.backends.signed_cookiessigner"
        self._keys = [hashlib.sha256(salt + s.encode()).digest() for s in secrets]

    def open(self, token: str) -> tuple[str, int] | None:
        """Open a cookie; see `SignedCookie.open`."""
        signed, _, signature = token.rpartition(":")
        payload, _, time = signed.rpartition(":")
        if not payload or not _is_signed(self._keys, "sha256", signed, signature):
            return None
        user_id = user_in(read_json(payload), self._user)
        if user_id is None or not _BASE62_NUMBER.fullmatch(time):
            return None
        stamp = 0
        for digit in time:
            stamp = stamp * 62 + _BASE62.index(digit)
        return user_id, stamp


def _is_signed(keys: Sequence[bytes], digest: str, signed: str, signature: str) -> bool:
    """Compare a signature, in the one spelling that it has, with that of each key."""
    data = signed.encode("ascii")
    good = False
    for key in keys:
        expected = encode_base64(hmac.new(key, data, digest).digest())
        good |= hmac.compare_digest(expected, signature)
    return good
