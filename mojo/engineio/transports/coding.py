"""Compressed response bodies (RFC 9110 section 12.5.3).  Pure: no I/O."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterable

# Level 1: the reactor waits while it runs, and text that repeats itself shrinks
# nearly as well as at the default level in a third of the time.
_LEVEL = 1


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, _LEVEL, mtime=0)


def _deflate(body: bytes) -> bytes:
    # What HTTP calls deflate is zlib's format (RFC 9110 section 8.4.1.2).
    return zlib.compress(body, _LEVEL)


#: The codings that are offered, the best first.
CODINGS: dict[str, Callable[[bytes], bytes]] = {"gzip": _gzip, "deflate": _deflate}


def choose_coding(accepted: str, offered: Iterable[str] = tuple(CODINGS)) -> str | None:
    """
    Choose a coding that a client takes.

    Args:
        accepted: its ``Accept-Encoding`` header.
        offered: what it may be given, the best first.
    Returns:
        One of those, the first of those that the client likes best, or ``None``.
    """
    weights: dict[str, float] = {}
    for item in accepted.lower().split(","):
        coding, _, parameter = item.partition(";")
        try:
            weights[coding.strip()] = float(parameter.partition("=")[2] or 1)
        except ValueError:
            weights[coding.strip()] = 0.0
    others = weights.get("*", 0.0)
    best = max(offered, key=lambda coding: weights.get(coding, others))
    return best if weights.get(best, others) > 0 else None
