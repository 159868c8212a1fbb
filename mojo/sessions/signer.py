"""
Sealing values into cookies: encrypted, authenticated, dated, and bound to their name.

Each cookie has a key of its own, derived from the project's secret by HKDF with the
cookie's name: a value that was sealed as one cookie cannot be opened as another.  A token
is, in URL-safe base64, one byte of version, the time of sealing in eight, a nonce of twelve,
and what AES-256-GCM made of the value; version and time are authenticated with it.

A token that is not good, for whatever reason, opens as ``None``: why it is not good is
nobody's business.  Nothing here reads a clock or throws dice; both come in as arguments.

See: RFC 5869 (HKDF), NIST SP 800-38D (GCM; section 8.3: 2**32 random nonces for one key).
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

#: Bytes of the longest token that is looked at: browsers keep no longer cookies.
MAX_TOKEN = 4096

#: Characters and distinct characters that a secret must have.
MIN_SECRET = 32
_MIN_DISTINCT = 10
#: What the secrets of examples and templates say of themselves.
_PLACEHOLDERS = ("change", "insecure", "example", "your-secret", "your_secret", "yoursecret")

_SALT = b"mojo.sessions.signer.v2"

_VERSION = b"\x02"
# Where version and time end, and where the nonce does.
_DATED = 9
_NONCE = 12
_SEALED = _DATED + _NONCE
#: Seconds that a token may be dated ahead: clocks differ.
_MAX_AHEAD = 60


class Opened(NamedTuple):
    """
    What a good token held.

    Attributes:
        value: the text that was sealed.
        sealed: when, in whole seconds since the epoch.
        current: whether with the secret of now, and not with an earlier one.
    """

    value: str
    sealed: int
    current: bool

    def __repr__(self) -> str:
        return f"<Opened, sealed at {self.sealed}>"


@runtime_checkable
class CookieSigner(Protocol):
    """
    What seals cookies and opens them: `Signer`, or one of your own as ``COOKIE_SIGNER``.

    What one name was given must not open under another, nor what was changed in any way,
    and nobody without the key can make one.  Earlier keys open, the newest seals.
    """

    def seal(self, name: str, value: str, *, now: float) -> str:
        """Seal a value under a cookie's name; see `Signer.seal`."""

    def open(self, name: str, token: str, *, now: float, max_age: float) -> Opened | None:
        """Open a token; ``None`` for whatever is not good; see `Signer.open`."""


class Signer:
    """
    Seals and opens values.

    Args:
        secret: what the keys are derived from.
        fallbacks: earlier secrets, with which tokens are still opened but no longer
            sealed.
        token_bytes: gives so many random bytes, of which none may come twice
            (`secrets.token_bytes`).

    Raises:
        TypeError: ``fallbacks`` is one text, of which each letter would be a secret.
    """

    def __init__(
        self,
        secret: str,
        fallbacks: Sequence[str] = (),
        *,
        token_bytes: Callable[[int], bytes],
    ) -> None:
        if isinstance(fallbacks, str):
            raise TypeError("fallbacks are a list of secrets, not a str")
        self._secrets = (secret, *fallbacks)
        self._token_bytes = token_bytes
        self._boxes: dict[str, list[AESGCM]] = {}

    def __repr__(self) -> str:
        return f"<Signer with {len(self._secrets)} secrets>"

    def seal(self, name: str, value: str, *, now: float) -> str:
        """
        Seal a value under a cookie's name.

        Args:
            name: the cookie's name.
            value: any text.
            now: seconds since the epoch.
        Returns:
            A token of letters, digits, ``-``, ``_`` and ``=``.
        Raises:
            ValueError: the token would be longer than a browser keeps a cookie.
        """
        dated = _VERSION + int(now).to_bytes(8, "big")
        nonce = self._token_bytes(_NONCE)
        box = self._boxes_of(name)[0]
        token = urlsafe_b64encode(dated + nonce + box.encrypt(nonce, value.encode("utf-8"), dated))
        if len(token) > MAX_TOKEN:
            raise ValueError(f"a value of {len(value)} characters is too long for cookie {name!r}")
        return token.decode("ascii")

    def open(self, name: str, token: str, *, now: float, max_age: float) -> Opened | None:
        """
        Open a token that was sealed under a cookie's name.

        Args:
            name: the cookie's name.
            token: what the peer sent.
            now: seconds since the epoch.
            max_age: seconds for which a token is good.
        Returns:
            ``None`` for a token that is forged, cut, of another cookie, of another
            secret, too old, or dated more than a minute ahead.
        """
        if len(token) > MAX_TOKEN or not token.isascii():
            return None
        raw = token.encode("ascii")
        try:
            data = urlsafe_b64decode(raw)
        except binascii.Error:
            return None
        # Base64 is read generously: one token must not have many spellings.
        if urlsafe_b64encode(data) != raw or len(data) < _SEALED or data[:1] != _VERSION:
            return None
        dated, nonce, sealed = data[:_DATED], data[_DATED:_SEALED], data[_SEALED:]
        when = int.from_bytes(dated[1:], "big")
        if not -_MAX_AHEAD <= int(now) - when <= max_age:
            return None
        for number, box in enumerate(self._boxes_of(name)):
            try:
                value = box.decrypt(nonce, sealed, dated).decode("utf-8")
            except (InvalidTag, UnicodeDecodeError):
                continue
            return Opened(value, when, number == 0)
        return None

    def _boxes_of(self, name: str) -> list[AESGCM]:
        """Give what opens a cookie of that name, the newest secret's first."""
        boxes = self._boxes.get(name)
        if boxes is None:
            boxes = [AESGCM(_derive(secret, name)) for secret in self._secrets]
            self._boxes[name] = boxes
        return boxes


def _derive(secret: str, name: str) -> bytes:
    hkdf = HKDF(algorithm=SHA256(), length=32, salt=_SALT, info=name.encode("utf-8"))
    return hkdf.derive(secret.encode("utf-8"))


def weakness_of(secret: str) -> str | None:
    """Say what is wrong with a secret, or ``None`` if nothing is."""
    if len(secret) < MIN_SECRET:
        return f"has {len(secret)} characters, at least {MIN_SECRET} are needed"
    if len(set(secret)) < _MIN_DISTINCT:
        return f"has {len(set(secret))} different characters, at least {_MIN_DISTINCT} are needed"
    placeholder = next((word for word in _PLACEHOLDERS if word in secret.lower()), None)
    return None if placeholder is None else f"says {placeholder!r}: it is an example's"
