"""Loading all kinds for a command, with a warning for each broken plug-in."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chaosbench.registry import Registry


def load_registry(*, quiet: bool = False) -> "Registry":
    """Load all kinds, and print a warning for each broken plug-in unless `quiet`."""
    from chaosbench import registry  # heavy, and `--help` does not need it

    loaded = registry.load()
    for plugin in loaded.plugins if not quiet else ():
        if plugin.error:
            print(
                f"plug-in {plugin.name!r} ({plugin.package} {plugin.version}) is broken and was not loaded: "
                f"{plugin.error}; uninstall it, or list the plug-ins to load in CHAOSBENCH_PLUGINS",
                file=sys.stderr,
            )
    return loaded
