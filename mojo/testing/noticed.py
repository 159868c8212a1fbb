"""
What the log says while a test runs.

Under ``twisted.trial`` an exception that was logged fails the test; elsewhere it would go
unseen, and an answer that does not come would have no reason.
"""

from __future__ import annotations

from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogPublisher
from zope.interface import implementer


@implementer(ILogObserver)
class Noticed:
    """
    Listens to the log from `begin` to `end`.

    Attributes:
        errors: the exceptions that were logged, in order.
    """

    def __init__(self) -> None:
        self.errors: list[BaseException] = []
        self._lines: list[str] = []

    def begin(self) -> None:
        """Listen."""
        globalLogPublisher.addObserver(self)

    def end(self) -> None:
        """Listen no more."""
        globalLogPublisher.removeObserver(self)

    def __call__(self, event: LogEvent) -> None:
        """Take one event."""
        failure = event.get("log_failure")
        if failure is not None:
            self.errors.append(failure.value)
        ours = str(event.get("log_namespace", "")).startswith("mojo.socketio.")
        if ours and event.get("log_level") != LogLevel.info:
            self._lines.append(formatEvent(event))

    @property
    def here(self) -> tuple[int, int]:
        """A mark, for `since`."""
        return len(self._lines), len(self.errors)

    def since(self, mark: tuple[int, int]) -> tuple[str, BaseException | None]:
        """Give what was noticed since a mark: some words, and the last exception."""
        lines, errors = self._lines[mark[0] :], self.errors[mark[1] :]
        words = f" (the log says: {'; '.join(lines)})" if lines else " so far"
        return words, errors[-1] if errors else None
