"""Load once, in the server of processes, what every worker would otherwise load anew: half a second of each.

The server imports this module.
"""

from contextlib import suppress

from chaosbench import registry
from chaosbench.plugin_choice import Choice


def _load_compiler() -> None:
    """Let numba register its functions, which it does when the first compiled function is loaded."""
    with suppress(ImportError):
        from numba.core.registry import cpu_target

        cpu_target.typing_context.refresh()
        cpu_target.target_context.refresh()


_load_compiler()
registry.load(Choice((), ()))  # looks at every built-in kind; plug-ins are loaded by the workers
