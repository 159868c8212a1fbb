"""
Tokens against cross-site request forgery, as double submission.

A visitor has a secret in a sealed cookie; a form repeats it in a field.  Another site
can make the visitor's browser send the cookie, but cannot read it to write the field.
In a page the secret is masked anew each time, so that a compressed page does not give it
away letter by letter (BREACH).  Pure: chance comes in as an argument.
"""

from __future__ import annotations

import base64
import binascii
import hmac

#: Bytes of a secret and of a mask.
SECRET_BYTES = 18


def mask(secret: bytes, noise: bytes) -> str:
    """
    Make the token for a page.

    Args:
        secret: the visitor's, ``SECRET_BYTES`` long.
        noise: as many random bytes.
    """
    masked = bytes(a ^ b for a, b in zip(secret, noise, strict=True))
    return base64.urlsafe_b64encode(noise + masked).decode("ascii")


def matches(secret: bytes, token: str) -> bool:
    """Tell whether a token was made from a secret."""
    try:
        raw = base64.urlsafe_b64decode(token.encode("ascii"))
    except (binascii.Error, ValueError):
        return False
    if len(raw) != 2 * SECRET_BYTES:
        return False
    noise, masked = raw[:SECRET_BYTES], raw[SECRET_BYTES:]
    return hmac.compare_digest(bytes(a ^ b for a, b in zip(noise, masked, strict=True)), secret)
