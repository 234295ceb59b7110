"""The allocator keeps the memory freed after one update for the next."""

import ctypes
import platform
import resource

import pytest

from chaosbench.execution.freed_memory import keep_freed_memory

BLOCKS, BYTES = 8, 12 << 20  # blocks held at once, and the size of each


def page_faults_of_an_update() -> int:
    """Allocate, fill and free the blocks; return the number of pages that the system had to provide."""
    library = ctypes.CDLL(None)
    library.malloc.restype, library.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    blocks = [library.malloc(ctypes.c_size_t(BYTES)) for _ in range(BLOCKS)]
    for block in blocks:
        ctypes.memset(block, 1, BYTES)
    for block in blocks:
        library.free(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has these options")
def test_a_second_update_reuses_the_memory_of_the_first():
    """Every page would fault again if the memory had been returned; 1 % is allowed for other allocations."""
    keep_freed_memory()
    page_faults_of_an_update()
    assert page_faults_of_an_update() < BLOCKS * BYTES // resource.getpagesize() / 100
