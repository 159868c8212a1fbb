"""
Unmasking what clients send (RFC 6455 section 5.3), as fast as this Python can.

Pure: no I/O.  A frame's mask is four bytes, and byte ``i`` of its payload was combined with
byte ``i % 4`` of it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from io import BytesIO

# Up to here one XOR of two long integers is the quickest: for 80 bytes 0.6 µs, in place of
# 1.5 by the other ways here and some 5 by Autobahn's own masker.
_SHORT = 400

# To look this up on the type takes as long as to call it.
_number = int.from_bytes

InPlace = Callable[[memoryview, bytes], None]


def unmask(payload: bytes, mask: bytes) -> bytes:
    """
    Give the payload of a frame; masking is the same.

    A long one that nobody else has a name for is changed where it is: `BytesIO` lends its bytes to
    be written to, and gives them out again, and makes a copy only of what somebody else has
    too.  For a megabyte that is 0.1 ms, and with a `bytearray` in between 0.3.
    """
    size = len(payload)
    if size <= _SHORT:
        repeated = (mask * ((size >> 2) + 1))[:size]
        return (_number(payload, "little") ^ _number(repeated, "little")).to_bytes(size, "little")
    box = BytesIO(payload)
    del payload  # or it would be somebody's: ours
    with box.getbuffer() as data:
        unmask_in_place(data, mask)
    return box.getvalue()


def rotate(mask: bytes, count: int) -> bytes:
    """Give the mask of what follows the first ``count`` bytes of a payload."""
    shift = count & 3
    return mask[shift:] + mask[:shift]


@lru_cache(maxsize=256)
def _table(key: int) -> bytes:
    return bytes(byte ^ key for byte in range(256))


def portable_in_place(data: memoryview, mask: bytes) -> None:
    """Unmask some data, with nothing but Python's own: 1.7 ms for a megabyte."""
    for index, key in enumerate(mask):
        data[index::4] = data[index::4].tobytes().translate(_table(key))


def _native() -> InPlace | None:
    """
    Give Autobahn's native masker, if it is there and does what it should.

    It takes 0.03 ms for a megabyte.  By its Python interface it would be ten times that, in
    two copies of the data.  That it can be reached in this way is promised nowhere.
    """
    try:
        native = import_module("_nvx_xormasker")
        ffi, lib = native.ffi, native.lib

        def in_place(data: memoryview, mask: bytes) -> None:
            masker = lib.nvx_xormask_new(mask)
            try:
                # An object that holds the data must not outlive the call.
                with ffi.from_buffer(data) as raw:
                    lib.nvx_xormask_process(masker, raw, len(data))
            finally:
                lib.nvx_xormask_free(masker)

        for size in (1, 3, 64, 1001):
            data, expected = bytearray(range(250)) * 5, bytearray(range(250)) * 5
            with memoryview(data) as whole, whole[:size] as part:
                in_place(part, b"\x01\x80\xff\x33")
            with memoryview(expected) as whole, whole[:size] as part:
                portable_in_place(part, b"\x01\x80\xff\x33")
            if data != expected:
                return None
    except Exception:
        # Whatever it is that is other than expected, there is another way.
        return None
    return in_place


#: Unmask some data.
unmask_in_place: InPlace = _native() or portable_in_place
