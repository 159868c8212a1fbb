"""
What a worker knows of itself and of the others.  Pure.

The id of each Engine.IO session begins with the name of the worker whose it is, so every worker
can tell from a request's ``sid`` where it belongs; and each has a UNIX socket of its name in a
folder that only the parent and its workers may enter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from mojo.settings import Settings

# Its number, and how many of that number there have been.
_NAME = re.compile(r"(\d{1,5}\.\d{1,9})-", re.ASCII)


def slot_of(name: str) -> int:
    """Give the number that a worker shares with those before and after it; see `Supervisor`."""
    return int(name.partition(".")[0])


@dataclass(frozen=True, slots=True)
class Place:
    """
    A worker's place among the workers of one parent.

    Attributes:
        name: its own, such as ``"0.1"``; no other one has it or had it.
        folder: where the sockets are by which workers hand connections to each other; the
            parent makes it, for its user alone, and removes it at the end.
        prefix: what the ids of sessions begin with before the worker's name: the project's
            ``SOCKET_IO["sid_prefix"]``.
    """

    name: str
    folder: Path
    prefix: str = ""

    @property
    def sid_prefix(self) -> str:
        """How the ids of this worker's sessions begin."""
        return f"{self.prefix}{self.name}-"

    @property
    def socket(self) -> Path:
        """The UNIX socket at which this worker takes what is handed to it."""
        return self.socket_of(self.name)

    def socket_of(self, name: str) -> Path:
        """Give that of a worker, which may be gone."""
        return self.folder / name

    def owner_of(self, sid: str) -> str | None:
        """
        Tell which worker's a session is.

        Args:
            sid: its id, as a client has sent it.
        Returns:
            The name of a worker, which may be this one, or gone; ``None`` if no worker has
            made such an id.
        """
        found = _NAME.match(sid, len(self.prefix)) if sid.startswith(self.prefix) else None
        return None if found is None else found[1]

    def newest_of(self, names: Iterable[str]) -> str | None:
        """
        Tell which other worker was started last; that one is not about to leave.

        Args:
            names: those of files in the folder.
        """
        others = [name for name in names if name != self.name and _NAME.fullmatch(f"{name}-")]
        return max(others, key=lambda name: int(name.partition(".")[2]), default=None)

    def settle(self, settings: Settings) -> Settings:
        """Give the settings with which a worker makes sessions that can be told to be its."""
        socket_io = replace(settings.socket_io, sid_prefix=self.sid_prefix)
        return replace(settings, socket_io=socket_io)
