"""
Which worker takes the next connection: not one that has much more to do than another.

All of them are woken when somebody comes, and which of them is first the kernel says: on a busy
machine the one that runs takes everybody, and a worker that is new has nobody when the clients of
the one before it have moved to the others.  So each writes how much it has to do into a file that
all have mapped, and one that has a good deal more than the least of the others leaves who comes to
these for a moment.  The moment is short, since they may be as busy as they have little to do.
"""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Callable
from mmap import mmap
from typing import IO, Any

from twisted.internet.interfaces import IReactorTime

# What stands in the slot of nobody: no load is as high.
_NOBODY = 2**63 - 1
#: How many more than another a worker may have and take all the same: so many, and this part.
SLACK, SLACK_PART = 4, 8
#: Seconds in which those who wait are left to the others.
PATIENCE = 0.02
#: Seconds after these in which they are not: the others do not come.
IMPATIENCE = 0.1


class Loads:
    """
    The loads of all workers, by their slots.

    Args:
        number: the open file's, which is not needed any longer then.
    """

    def __init__(self, number: int) -> None:
        # Each number is written at once: nobody reads half of one.
        self._loads = memoryview(mmap(number, 0)).cast("q")

    @staticmethod
    def make(count: int) -> IO[bytes]:
        """
        Make the file, for a number of workers that are not there yet.

        It has no name, since who keeps folders of temporary files clean removes what looks old.

        Raises:
            OSError: it cannot be made.
        """
        file = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            file.write(array("q", [_NOBODY] * count))
            file.flush()
        except OSError:
            file.close()
            raise
        return file

    def occupy(self, slot: int) -> None:
        """Note that a worker is there, and has nothing to do."""
        self._loads[slot] = 0

    def vacate(self, slot: int) -> None:
        """Note that a worker is gone; if another has its slot by now, that one will tell."""
        self._loads[slot] = _NOBODY

    def is_much(self, slot: int, load: int) -> bool:
        """Note a worker's load, and tell whether it is a good deal more than another's."""
        loads = self._loads
        loads[slot] = load
        least = min(loads)
        return load > least + SLACK + least // SLACK_PART


class Turnstile:
    """
    Lets connections in at a port, one in each turn of the reactor.

    Twisted would have whoever is first take a hundred of those who wait.

    Args:
        clock: tells the time.
        is_loaded: tells whether others should take who comes.
        port: the port.
    """

    def __init__(self, clock: IReactorTime, is_loaded: Callable[[], bool], port: Any) -> None:
        self._clock = clock
        self._port = port
        self._is_loaded = is_loaded
        self._accept: Callable[[], None] = port.doRead
        self._impatient_until = 0.0
        port.doRead = self._somebody_waits

    def _somebody_waits(self) -> None:
        now = self._clock.seconds()
        if now >= self._impatient_until and self._is_loaded():
            self._impatient_until = now + PATIENCE + IMPATIENCE
            self._port.stopReading()
            self._clock.callLater(PATIENCE, self._look_again)
        else:
            self._port.numberAccepts = 1
            self._accept()

    def _look_again(self) -> None:
        if self._port.connected and not self._port.disconnecting:
            self._port.startReading()
