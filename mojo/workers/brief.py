"""What a worker is told before anything else: which project it serves, and how.  Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

#: The numbers under which a worker has the pipes from and to its parent, the file of all workers'
#: loads, and its first port.
FROM_PARENT, TO_PARENT, LOADS, FIRST_PORT = 3, 4, 5, 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """
    A worker's instructions.

    Attributes:
        name: the worker's name; see `mojo.workers.place.Place`.
        folder: where the workers' sockets are.
        project: the project's folder.
        assignments: settings of the command line, as text.
        redis: the URL of a Redis of the command line.
        secret: what the cookies are sealed with, if the project has no secret of its own.
        endpoints: where is listened.
        families: the address families of the ports that are open for that, in order.
        reactor: the module of the reactor.
        most: most bytes of a frame of the pipes.
        sign_seconds: seconds between two signs of life to the parent; ``None`` for none.
    """

    name: str
    folder: str
    project: str
    assignments: Sequence[str] = field(repr=False)
    redis: str | None = field(repr=False)
    secret: str | None = field(repr=False)
    endpoints: Sequence[str]
    families: Sequence[int]
    reactor: str
    most: int
    sign_seconds: float | None

    def to_json(self) -> bytes:
        """Give it as a worker reads it."""
        return json.dumps(asdict(self)).encode("ascii")

    @classmethod
    def from_json(cls, text: bytes) -> Brief:
        """Read it."""
        return cls(**json.loads(text))

    @property
    def sockets(self) -> Path:
        """The folder of the workers' sockets."""
        return Path(self.folder)
