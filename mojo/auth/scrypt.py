"""
The hashes of passwords: what is kept in place of one, and says itself how it was made.

The text form is the usual one of scrypt, which passlib writes too::

    $scrypt$ln=15,r=8,p=3$<salt>$<key>

with the base 2 logarithm of the cost, and Base64 without padding.  Pure: the salt is an
argument.  It takes some tenths of a second and 32 MB on purpose, so that whoever has stolen the
hashes cannot try many; see `mojo.auth.passwords` for how it keeps out of the way.

See: RFC 7914 (scrypt); OWASP's "Password Storage Cheat Sheet" for the parameters.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import unicodedata
from dataclasses import dataclass

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

SALT_BYTES = 16
_KEY_BYTES = 32
#: Bytes of the longest password: what is longer takes time to read, and is no safer.
MAX_BYTES = 1024

_FORM = re.compile(
    r"\$scrypt\$ln=(\d{1,2}),r=(\d{1,3}),p=(\d{1,3})\$([A-Za-z0-9+/]{1,88})\$([A-Za-z0-9+/]{22,88})"
)
# Bytes of memory and blocks of work beyond which a hash is none of ours: reading one from a
# damaged table must not stop the server.
_MAX_MEMORY = 256 * 2**20
_MAX_WORK = 2**24


@dataclass(frozen=True, slots=True)
class Parameters:
    """
    What a hash costs to make.

    Attributes:
        ln: the base 2 logarithm of scrypt's cost N.
        r: its block size; the memory is ``128 * r * 2**ln`` bytes.
        p: how many times over.
    """

    ln: int = 15
    r: int = 8
    p: int = 3

    @property
    def is_sane(self) -> bool:
        """Whether scrypt can be asked to do it at all."""
        if self.ln < 1 or self.r < 1 or self.p < 1:
            return False
        work: int = self.r << self.ln
        return work * 128 <= _MAX_MEMORY and work * self.p <= _MAX_WORK


#: One of the settings that OWASP gives as equal.
CURRENT = Parameters()


@dataclass(frozen=True, slots=True)
class Hash:
    """A hash, taken apart."""

    parameters: Parameters
    salt: bytes
    key: bytes

    def __repr__(self) -> str:
        return f"<Hash with {self.parameters}>"


def derive(password: str, salt: bytes, parameters: Parameters = CURRENT) -> str:
    """
    Make the hash of a password.

    Args:
        password: at most `MAX_BYTES` bytes of UTF-8.
        salt: random bytes, never used before.
        parameters: what it may cost.
    """
    key = _key_of(password, salt, parameters, _KEY_BYTES)
    cost = f"ln={parameters.ln},r={parameters.r},p={parameters.p}"
    return f"$scrypt${cost}${_encode(salt)}${_encode(key)}"


def matches(password: str, made: Hash) -> bool:
    """Tell whether a hash is of a password, in a time that does not depend on how much of it."""
    key = _key_of(password, made.salt, made.parameters, len(made.key))
    return hmac.compare_digest(key, made.key)


def parse(text: str) -> Hash | None:
    """Take a hash apart; ``None``, if it is none of this kind, or absurdly dear."""
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    ln, r, p, salt, key = found.groups()
    parameters = Parameters(int(ln), int(r), int(p))
    if not parameters.is_sane:
        return None
    try:
        return Hash(parameters, _decode(salt), _decode(key))
    except binascii.Error:
        return None


def is_too_long(password: str) -> bool:
    """Tell whether a password is longer than any that has a hash."""
    # One whose characters alone are too many is not even encoded.
    return len(password) > MAX_BYTES or len(_bytes_of(password)) > MAX_BYTES


def _key_of(password: str, salt: bytes, parameters: Parameters, length: int) -> bytes:
    kdf = Scrypt(salt=salt, length=length, n=1 << parameters.ln, r=parameters.r, p=parameters.p)
    return kdf.derive(_bytes_of(password))


def _bytes_of(password: str) -> bytes:
    # The same letters, typed on another keyboard, may come as other code points (NIST SP
    # 800-63B section 3.1.1.2).
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii").rstrip("=")


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
