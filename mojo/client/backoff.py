"""How long to wait before connecting again: twice as long each time, and a bit by chance."""

from __future__ import annotations

from collections.abc import Callable

from mojo.client.options import ClientOptions

# Beyond it no option's delay grows any more, and a float would overflow in the end.
_MOST_DOUBLINGS = 64


class Backoff:
    """
    Counts attempts, and spaces them.

    Args:
        options: the client's.
        random: gives a number from 0 up to 1.

    Attributes:
        attempts: how many were made.
    """

    def __init__(self, options: ClientOptions, random: Callable[[], float]) -> None:
        self._options = options
        self._random = random
        self.attempts = 0

    def next_delay(self) -> float:
        """Count an attempt; give the seconds to wait before it."""
        options = self._options
        delay = options.reconnection_delay * 2.0 ** min(self.attempts, _MOST_DOUBLINGS)
        self.attempts += 1
        swing = options.randomization_factor * (2 * self._random() - 1)
        return min(delay * (1 + swing), options.reconnection_delay_max)

    def reset(self) -> None:
        """Begin anew: a connection was made."""
        self.attempts = 0
