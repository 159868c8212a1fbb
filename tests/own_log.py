"""Keeping what a test logs from the process that runs it."""

from __future__ import annotations

from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

# Where that of `flushLoggedErrors` is.
_TRIAL = "twisted.trial._synctest"


def keep_log_here(case: SynchronousTestCase) -> None:
    """
    Have a test's log seen by its own observers and by `flushLoggedErrors` alone.

    ``trial -j`` sends each line to another process: that takes objects until the test is over, and
    a line of 64 kB cannot be sent.
    """
    observers = [
        observer
        for observer in globalLogPublisher._observers
        if getattr(getattr(observer, "legacyObserver", None), "__module__", "") == _TRIAL
    ]
    case.patch(globalLogPublisher, "_observers", observers)
