"""The server that worker processes are forked from, which loads torch once for all of them."""

import multiprocessing
from multiprocessing.context import BaseContext

from chaosbench.interrupts import held_back

# Imported once by the server: torch needs the first for an optimizer, 2 s, and the second for forward mode, 0.3 s.
# Modules that are not installed are left out.
_PRELOADED = [
    "torch._dynamo",
    "torch._decomp.decompositions_for_jvp",
    "chaosbench.execution.child",
    "chaosbench.builtin",
    "chaosbench.kernels.numba_cpu",
    "chaosbench.kernels.numba_gated",
    "chaosbench.kernels.numba_network_tangents",
    "chaosbench.kernels.numba_gated_tangents",
    "chaosbench.execution.warm_up",
]


def context() -> BaseContext:
    """Return the start method: forkserver, or spawn on systems without it (Windows)."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    chosen = multiprocessing.get_context("forkserver")
    chosen.set_forkserver_preload(_PRELOADED)
    return chosen


def start_server() -> None:
    """Let the server load its modules while this process does something else; without a server do nothing."""
    if context().get_start_method() == "forkserver":
        from multiprocessing import forkserver, resource_tracker

        with held_back():
            resource_tracker.ensure_running()  # which the server starts otherwise, and which lets Ctrl-C through
        with held_back():
            forkserver.ensure_running()
