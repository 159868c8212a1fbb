"""`mojo.heap`, in a process of its own: what it does cannot be undone."""

from __future__ import annotations

import gc
import platform
import subprocess
import sys

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from mojo.heap import uncollected

# Takes and frees four megabytes in pieces, again and again, and counts the pages that the
# kernel had to find for them, on average: there are 1,000 in four megabytes.
_COUNT = """
import resource

def pages():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def use():
    return [b"x" * 1_000_000 for _ in range(4)]

use()
before = pages()
for _ in range(20):
    use()
print((pages() - before) // 20)
"""


class HeapTests(SynchronousTestCase):
    def run_python(self, code: str) -> int:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return int(done.stdout)

    def test_pages_are_kept(self) -> None:
        """What is freed is used again, and the kernel is not asked for it."""
        if platform.libc_ver()[0] != "glibc":
            raise SkipTest("another C library")
        self.assertGreater(self.run_python(_COUNT), 500)
        keep = "from mojo.heap import keep_freed_memory\nkeep_freed_memory()\n"
        self.assertLess(self.run_python(keep + _COUNT), 50)

    def test_nothing_is_touched(self) -> None:
        """It takes addresses and no memory: a few pages of the 4,000."""
        code = (
            "import resource\n"
            "from mojo.heap import keep_freed_memory\n"
            "before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
            "keep_freed_memory()\n"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)\n"
        )
        self.assertLess(self.run_python(code), 100)


class UncollectedTests(SynchronousTestCase):
    def test_only_meanwhile(self) -> None:
        """Also when what was done failed."""
        self.assertTrue(gc.isenabled())
        with uncollected():
            self.assertFalse(gc.isenabled())
        self.assertTrue(gc.isenabled())
        with self.assertRaises(ValueError), uncollected():
            raise ValueError
        self.assertTrue(gc.isenabled())

    def test_off_stays_off(self) -> None:
        """Whoever runs Python without it is not given it."""
        gc.disable()
        self.addCleanup(gc.enable)
        with uncollected():
            pass
        self.assertFalse(gc.isenabled())
