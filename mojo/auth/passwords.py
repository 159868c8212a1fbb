"""
Passwords, hashed in threads: `hash_password`, `check_password`, `needs_rehash`.

A hash takes some tenths of a second of one processor, which the reactor has better use for.  Few
are made at once: a crowd that logs in waits in line, and neither takes all of the reactor's
threads nor all of the memory.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TypeVar

from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.threads import deferToThread

from mojo.auth import scrypt
from mojo.errors import TooManyWaiting

#: Fewest characters of a password that is hashed (NIST SP 800-63B).
MIN_LENGTH = 8
#: Most hashes that are made at once, at 32 MB each.
AT_ONCE = 4
#: Most that wait for that: some ten seconds' worth.
MAX_WAITING = 200

_turns = DeferredSemaphore(AT_ONCE)

# The hash of no password: what is not there is checked against it, for the same time.
_NOBODY = scrypt.Hash(scrypt.CURRENT, b"\x00" * scrypt.SALT_BYTES, b"\x00" * 32)

Result = TypeVar("Result")


def hash_password(password: str) -> Deferred[str]:
    """
    Hash a password, to be kept in its place.

    Args:
        password: any text of `MIN_LENGTH` characters or more.
    Returns:
        A Deferred of the text to keep: about 100 characters of ASCII.
    Raises:
        TypeError: the password is no text.
        ValueError: it is too short, or absurdly long.
        TooManyWaiting: see `check_room`.
    """
    _check_text("a password", password)
    if len(password) < MIN_LENGTH:
        raise ValueError(f"a password has {MIN_LENGTH} characters or more")
    if scrypt.is_too_long(password):
        raise ValueError(f"a password has at most {scrypt.MAX_BYTES} bytes")
    salt = secrets.token_bytes(scrypt.SALT_BYTES)
    return _in_turn(lambda: scrypt.derive(password, salt))


def check_password(password: str, hashed: str | None) -> Deferred[bool]:
    """
    Tell whether a password is the one that was hashed.

    It takes as long for an account that does not exist: call it for one of these too.

    Args:
        password: what somebody typed.
        hashed: what `hash_password` gave, or ``None`` if there is no such account.
    Returns:
        A Deferred, to be awaited in a coroutine.
    Raises:
        TypeError: one of them is no text.
        ValueError: ``hashed`` is no hash; it is not in the message.
        TooManyWaiting: see `check_room`.
    """
    _check_text("a password", password)
    if hashed is not None:
        _check_text("a password's hash", hashed)
    made = _NOBODY if hashed is None else scrypt.parse(hashed)
    if made is None:
        raise ValueError("what is kept for a password is no hash of hash_password")
    if scrypt.is_too_long(password):
        made, password = _NOBODY, ""

    def check() -> bool:
        return scrypt.matches(password, made) and made is not _NOBODY

    return _in_turn(check)


def needs_rehash(hashed: str) -> bool:
    """
    Tell whether a hash is cheaper than those that are made now.

    Args:
        hashed: of a password that has just been checked: hash it anew, and keep that.
    Raises:
        TypeError: it is no text.
    """
    _check_text("a password's hash", hashed)
    made = scrypt.parse(hashed)
    return made is None or made.parameters != scrypt.CURRENT


def check_room() -> None:
    """
    Check that one more password can be hashed in a while.

    Raises:
        TooManyWaiting: it cannot.  Who comes from a thousand addresses, and is so within the
            limit on tries, would else make everybody else wait for hours.
    """
    if len(_turns.waiting) >= MAX_WAITING:
        raise TooManyWaiting


def _check_text(what: str, value: object) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{what} is a str, not {type(value).__name__}")


def _in_turn(work: Callable[[], Result]) -> Deferred[Result]:
    check_room()
    return _turns.run(deferToThread, work)
