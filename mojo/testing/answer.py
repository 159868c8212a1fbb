"""What was asked for, and may come later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Answer(Generic[Value]):
    """
    The answer to an event or to a request.

    Args:
        look: called to see whether it has come; gives a list of the one value, or nothing.
        what: what was asked, for the message.
        explain: called to say why there may be none: some words, and what was raised.
    """

    def __init__(
        self,
        look: Callable[[], list[Value]],
        what: str,
        explain: Callable[[], tuple[str, BaseException | None]] = lambda: ("", None),
    ) -> None:
        self._look = look
        self._what = what
        self._explain = explain
        self._found: list[Value] = []

    @property
    def answered(self) -> bool:
        """Whether it has come."""
        if not self._found:
            self._found = self._look()
        return bool(self._found)

    @property
    def value(self) -> Value:
        """
        The answer.

        Raises:
            AssertionError: it has not come.
        """
        if self.answered:
            return self._found[0]
        why, cause = self._explain()
        raise AssertionError(f"{self._what}: no answer{why}") from cause
