"""
The workers' log, which is the parent's: each event is a line of JSON on the worker's output.

So an event of several lines stays one, and has its level.  Whatever else a process writes, as
Python does when it dies, is logged line by line.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from threading import Lock

from twisted.logger import (
    ILogObserver,
    LogEvent,
    Logger,
    LogLevel,
    eventAsText,
    globalLogPublisher,
)
from zope.interface import implementer

#: Most characters of an event, and bytes of a line.
MAX_TEXT, MAX_LINE = 30_000, 200_000


@implementer(ILogObserver)
class LineObserver:
    """
    Writes a worker's events.

    Args:
        number: the file to which it writes.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        # Events come from any thread, and no line may be in the middle of another one.
        self._lock = Lock()

    def __call__(self, event: LogEvent) -> None:
        """Write an event."""
        text = eventAsText(event, includeTimestamp=False, includeSystem=False)
        if not text:
            return
        line = {
            "level": event.get("log_level", LogLevel.info).name,
            "where": str(event.get("log_namespace", "-")),
            "text": text[:MAX_TEXT],
        }
        data = json.dumps(line).encode("ascii") + b"\n"
        with self._lock:
            try:
                while data:
                    data = data[os.write(self._number, data) :]
            except OSError:
                pass  # there is no parent any more


class Lines:
    """
    Reads a worker's output.

    Args:
        take: is given each line.
    """

    def __init__(self, take: Callable[[bytes], object]) -> None:
        self._take = take
        self._rest = b""

    def received(self, data: bytes) -> None:
        """Take some of it."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line)
        if len(self._rest) > MAX_LINE:
            self.ended()

    def ended(self) -> None:
        """Take what is left."""
        rest, self._rest = self._rest, b""
        if rest:
            self._take(rest)


def log_line(name: str, line: bytes) -> None:
    """Log a line of a worker's output under the worker's name."""
    level, where, text = LogLevel.info, "mojo.workers", line.decode("utf-8", "replace")
    if line.startswith(b'{"level": '):
        try:
            event = json.loads(line)
            level = LogLevel.lookupByName(event["level"])
            where, text = str(event["where"]), str(event["text"])
        except Exception:
            # Somebody prints JSON of that kind: it is text like any other.
            level, where, text = LogLevel.info, "mojo.workers", line.decode("utf-8", "replace")
    logger = Logger(namespace=where, observer=globalLogPublisher)
    logger.emit(level, "{worker}: {text}", worker=name, text=text)
