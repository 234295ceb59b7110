"""Memory freed after one update, kept for the next."""

import ctypes
import platform
import resource

import pytest

from chaosbench.execution.freed_memory import keep_freed_memory

PARTS, BYTES = 8, 12 << 20  # blocks held at once, and the size of each


def allocate_and_free() -> int:
    """The pages that the system had to hand out for it."""
    library = ctypes.CDLL(None)
    library.malloc.restype, library.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    held = [library.malloc(ctypes.c_size_t(BYTES)) for _ in range(PARTS)]
    for block in held:
        ctypes.memset(block, 1, BYTES)
    for block in held:
        library.free(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has these options")
def test_what_is_allocated_again_comes_from_memory_freed_before():
    """Where freed memory went back, every page would be asked for again; a few are others'."""
    keep_freed_memory()
    allocate_and_free()
    assert allocate_and_free() < PARTS * BYTES // resource.getpagesize() / 100
