"""Memory freed after one update, kept for the next."""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of malloc.h
_KEPT = 256 << 20  # [bytes] free at the end of the heap before any go back to the system
_LARGEST = 32 << 20  # [bytes] of one allocation on the heap: the most that the allocator takes


def keep_freed_memory() -> None:
    """Tell glibc's allocator not to hand memory back after every update, to be asked for it again, page by page.

    Every page that comes back is first filled with zeros, which could make a training step of eight LSTMs take 1.7
    times as long. At most `_KEPT` more are held by the process. Elsewhere than on glibc nothing is done.
    """
    if sys.platform != "linux":
        return
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        for option, value in ((_TRIM_THRESHOLD, _KEPT), (_MMAP_THRESHOLD, _LARGEST)):
            set_option(option, value)
