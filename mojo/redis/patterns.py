"""Redis's patterns, by which channels are subscribed to.  Pure."""

from __future__ import annotations


def literal(name: bytes) -> bytes:
    """Give the pattern that matches a name and nothing else."""
    for special in (b"\\", b"*", b"?", b"["):
        name = name.replace(special, b"\\" + special)
    return name
