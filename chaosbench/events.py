"""Events of experiments, of which plug-ins are notified; one that raises costs nothing and is named once."""

from collections.abc import Callable

import pluggy

from chaosbench.errors import one_line
from chaosbench.isolation import DeadlyError, acting


class Listeners:
    """The plug-ins that implement an event hook; calling this calls each of them.

    Attributes:
        failures: a sentence on each plug-in that has raised, by its name. It is not called again.

    Args:
        hooks: all registered plug-ins.
        event: the hook's name after `chaosbench_`, such as "experiment_started".
    """

    def __init__(self, hooks: pluggy.PluginManager, event: str) -> None:
        self.failures: dict[str, str] = {}
        self._hook = f"chaosbench_{event}"
        plugins = dict(hooks.list_name_plugin())
        names = {implementation.plugin_name for implementation in getattr(hooks.hook, self._hook).get_hookimpls()}
        self._callers: dict[str, Callable[..., object]] = {
            name: hooks.subset_hook_caller(self._hook, [other for rival, other in plugins.items() if rival != name])
            for name in plugins
            if name in names
        }

    def __bool__(self) -> bool:
        """Return True if there is a plug-in to call."""
        return bool(self._callers)

    def __call__(self, **arguments: object) -> None:
        """Call every plug-in with the arguments of the hook."""
        for name, call in list(self._callers.items()):
            try:
                with acting(f"the plug-in {name} in {self._hook}"):
                    call(**arguments)
            except (Exception, SystemExit) as error:  # a plug-in may raise anything, and the run must not be lost
                what = str(error) if isinstance(error, DeadlyError) else f"raised {one_line(error)}"
                self.failures[name] = f"the plug-in {name} {what} in {self._hook}"
                del self._callers[name]
