"""
What a service says to whoever watches over it: that it lives, and whether it is ready.

*Live* means that the reactor turns, for else there would be no answer; whoever gets none
may start the process anew.  *Ready* means that new clients are welcome: a proxy that is
told otherwise sends them elsewhere, and leaves those who are here alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import Request

_log = Logger()


class Health:
    """Whether a service is ready, in the opinion of each of its parts."""

    def __init__(self) -> None:
        self._parts: dict[str, Callable[[], str | None]] = {}
        self._spared: set[str] = set()

    def add(self, part: str, trouble: Callable[[], str | None], *, is_needed: bool = True) -> None:
        """
        Let a part have a say.

        Args:
            part: its name.
            trouble: says in a word why no new clients should come, and ``None`` if they
                may.  It is asked for each request, so it must know and not look; what it
                says can be read by anybody.
            is_needed: whether new clients should not come without it; else its trouble is
                told, and the service is ready all the same.
        """
        self._parts[part] = trouble
        (self._spared.discard if is_needed else self._spared.add)(part)

    @property
    def troubles(self) -> dict[str, str]:
        """What keeps the service from being ready, by part."""
        return self._ask_all(self._parts.keys() - self._spared)

    @property
    def notes(self) -> dict[str, str]:
        """What else is not as it should be, by part."""
        return self._ask_all(self._spared)

    def _ask_all(self, parts: Collection[str]) -> dict[str, str]:
        found = {part: self._ask(part, self._parts[part]) for part in self._parts if part in parts}
        return {part: trouble for part, trouble in found.items() if trouble is not None}

    def _ask(self, part: str, trouble: Callable[[], str | None]) -> str | None:
        try:
            return trouble()
        except Exception:
            _log.failure("the health of {part} is not known", part=part)
            return "unknown"


class Probe(Resource):
    """
    A URL for those who watch.

    Args:
        word: what is asked, ``"live"`` or ``"ready"``.
        troubles: gives what is wrong.
        notes: gives what is not as it should be, though it can be done without.
    """

    def __init__(
        self,
        word: str,
        troubles: Callable[[], Mapping[str, str]],
        notes: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        super().__init__()
        self._word = word
        self._troubles = troubles
        self._notes = notes

    def getChild(self, name: bytes, request: Request) -> Resource:
        """Be there with a slash at the end, too."""
        found: Resource = self if name == b"" else super().getChild(name, request)
        return found

    def render_GET(self, request: Request) -> bytes:
        """Say it."""
        troubles = self._troubles()
        if troubles:
            request.setResponseCode(503)
        request.setHeader(b"content-type", b"application/json")
        request.setHeader(b"cache-control", b"no-store")
        answer: dict[str, Any] = {self._word: not troubles}
        if troubles:
            answer["why"] = dict(troubles)
        if notes := self._notes():
            answer["notes"] = dict(notes)
        return json.dumps(answer).encode("utf-8") + b"\n"


class Place(NamedTuple):
    """
    Where a `Probe` is.

    Attributes:
        path: without a slash at the end.
        setting: the name of the setting that asks for it.
        probe: the resource.
    """

    path: str
    setting: str
    probe: Probe


def make_probes(health: Health, health_path: str | None, ready_path: str | None) -> list[Place]:
    """
    Make the URLs that the settings ask for.

    Args:
        health: what there is to say.
        health_path: where it is said that the service lives; ``None`` for nowhere.
        ready_path: where it is said whether it is ready, likewise.
    """
    wanted = (
        (health_path, "HEALTH_PATH", Probe("live", dict)),
        (ready_path, "READY_PATH", Probe("ready", lambda: health.troubles, lambda: health.notes)),
    )
    return [
        Place(path.rstrip("/"), setting, probe)
        for path, setting, probe in wanted
        if path is not None
    ]
