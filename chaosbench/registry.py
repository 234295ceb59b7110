"""Load plug-ins and register the kinds that they offer; one that is broken does not stop the others."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args

import pluggy
from pydantic import Discriminator, create_model

from chaosbench import __version__, builtin, bundled, hookspecs
from chaosbench.diagnostics.base import DiagnosticSpec
from chaosbench.errors import PluginError, one_line, unknown_name
from chaosbench.events import Listeners
from chaosbench.experiment import Experiment
from chaosbench.figures.base import PictureSpec
from chaosbench.metrics.base import MetricSpec
from chaosbench.models.base import ModelSpec
from chaosbench.offered_suites import OfferedSuite, checked, offered_twice
from chaosbench.plugin_api import require_attribute, require_version
from chaosbench.plugin_choice import Choice, installed
from chaosbench.plugin_import import (
    compiled_elsewhere,
    implemented_hooks,
    import_file,
    import_module,
    require_usable,
)
from chaosbench.source import Source
from chaosbench.spec import Spec
from chaosbench.trainers.base import TrainerSpec

Noun = Literal["system", "model", "trainer", "diagnostic", "metric", "picture"]
NOUNS: tuple[Noun, ...] = get_args(Noun)
_BASES: dict[Noun, type[Spec]] = {
    "system": Source,
    "model": ModelSpec,
    "trainer": TrainerSpec,
    "diagnostic": DiagnosticSpec,
    "metric": MetricSpec,
    "picture": PictureSpec,
}


@dataclass(frozen=True)
class Plugin:
    """An installed plug-in: its name, its distribution, and its error if it did not load."""

    name: str  # name of the entry point
    package: str
    version: str
    error: str | None = None  # one line; None: it loaded
    printed: str = ""  # what its import wrote to standard output and error, which nobody saw
    seconds: float = 0.0  # wall time of its import [s]
    heavy: tuple[str, ...] = ()  # packages of which its import pulled in many modules
    hooks: tuple[str, ...] = ()  # that it implements
    file: str = ""  # path of a module under development; empty: it is installed

    @property
    def origin(self) -> str:
        """Package and version."""
        return f"{self.package} {self.version}"


@dataclass
class Registry:
    """Every registered kind, by noun, and every plug-in, including those that did not load."""

    hooks: pluggy.PluginManager
    plugins: list[Plugin] = field(default_factory=list)
    kinds: dict[Noun, dict[str, type[Spec]]] = field(default_factory=lambda: {noun: {} for noun in NOUNS})
    origins: dict[tuple[Noun, str], str] = field(default_factory=dict)
    suites: dict[str, OfferedSuite] = field(default_factory=dict)  # of plug-ins

    def find(self, noun: Noun, kind: str, *, place: str = "") -> type[Spec]:
        """Return the class of that kind.

        Raises:
            UnknownNameError: with the nearest kind, the bundled package that offers it, and the broken plug-ins that
                may have offered it.
        """
        if kind in self.kinds[noun]:
            return self.kinds[noun][kind]
        error = unknown_name(noun, kind, self.kinds[noun], place=place, advice=bundled.advice(kind, noun))
        broken = [f"{plugin.name} ({plugin.error})" for plugin in self.plugins if plugin.error]
        if broken:
            error = type(error)(f"{error} It may belong to a plug-in that did not load: {'; '.join(broken)}.")
        raise error

    def admit(self, spec: type[Spec]) -> None:
        """Add a class that no plug-in offers, such as one of a notebook; it replaces a class of the same kind."""
        nouns = [noun for noun, base in _BASES.items() if issubclass(spec, base)]
        if not nouns:
            raise PluginError(f"{spec.__name__} is no class of a {', a '.join(NOUNS)}")
        self.kinds[nouns[0]][_kind(spec, nouns[0])] = spec

    def experiment_type(self) -> type[Experiment]:
        """Return `Experiment` narrowed to the registered kinds, for reading suites and for the JSON schema."""
        union = {noun: _union(self.kinds[noun].values()) for noun in NOUNS if noun != "picture"}
        metric, diagnostic = union["metric"], union["diagnostic"]
        narrowed: dict[str, Any] = {
            "system": (union["system"], ...),
            "model": (union["model"], ...),
            "trainer": (union["trainer"], ...),
            "metrics": (tuple[metric, ...], ...),  # type: ignore[valid-type]  # a union made at run time
            "diagnostics": (tuple[diagnostic, ...], ()),  # type: ignore[valid-type]  # as above
        }
        return create_model("Experiment", __base__=Experiment, **narrowed)

    def choice(self) -> Choice:
        """Return the plug-ins that loaded, for a worker process, which then does not meet the broken ones again."""
        sound = [plugin for plugin in self.plugins if not plugin.error]
        names = tuple(dict.fromkeys(plugin.name for plugin in sound if not plugin.file))
        return Choice(names, tuple(plugin.file for plugin in sound if plugin.file))

    def provenance(self) -> dict[str, str]:
        """Return name and version of every plug-in that loaded."""
        return {f"plug-in {plugin.name}": plugin.version for plugin in self.plugins if not plugin.error}

    def listeners(self, event: str) -> Listeners:
        """Return the plug-ins that implement an event hook, named without `chaosbench_`, such as "recorded"."""
        return Listeners(self.hooks, event)


def load(choice: Choice | None = None) -> Registry:
    """Load the built-ins, then plug-ins: files under development, and entry points of the group `chaosbench`.

    Broken ones are recorded with their error. A plug-in that offers a kind which an earlier one offers, in the order of
    their names, counts as broken. An entry point whose module has the name of a file under development is left out.

    Args:
        choice: the plug-ins to load; None: as the environment says, of which `CHAOSBENCH_PLUGINS=a,b` loads only these
            entry points, and an empty value none.

    Raises:
        UnknownNameError: where that variable names a plug-in that is not installed.
    """
    hooks = pluggy.PluginManager("chaosbench")
    hooks.add_hookspecs(hookspecs)
    registry = Registry(hooks)
    _admit(registry, builtin, Plugin("builtin", "chaosbench", __version__))
    chosen = Choice.from_environment() if choice is None else choice
    for path in map(Path, chosen.files):
        registry.plugins.append(_load_file(registry, path))
    for entry_point in installed(chosen):
        registry.plugins.append(_load_entry_point(registry, entry_point))
    return registry


def _load_entry_point(registry: Registry, entry_point: EntryPoint) -> Plugin:
    package, version, place = "?", "?", entry_point.value
    if entry_point.dist is not None:
        package, version = entry_point.dist.name, entry_point.dist.version
        place = f"{entry_point.dist.locate_file('')} {place}"

    def load() -> object:
        require_version(entry_point.dist)
        return entry_point.load()

    return _load_guarded(registry, load, Plugin(entry_point.name, package, version), place)


def _load_file(registry: Registry, path: Path) -> Plugin:
    version = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    plugin = Plugin(path.stem, path.name, version, file=str(path))
    return _load_guarded(registry, lambda: import_file(path), plugin, str(path))


def _load_guarded(registry: Registry, load: Callable[[], object], plugin: Plugin, place: str) -> Plugin:
    """Load one plug-in; whatever its module does at import, `sys.exit` included, must not stop the others."""
    if place in _too_slow:
        return replace(plugin, error=_too_slow[place])
    try:
        imported = import_module(load)
        plugin = replace(plugin, printed=imported.printed, seconds=imported.seconds, heavy=imported.heavy)
        require_attribute(imported.module, plugin.package)
        specified = {name for name in vars(hookspecs) if name.startswith("chaosbench_")}
        plugin = replace(plugin, hooks=implemented_hooks(imported.module, specified))
        _admit(registry, imported.module, plugin)
    except KeyboardInterrupt:
        raise
    except PluginError as error:
        return replace(plugin, error=" ".join(str(error).split()))
    except BaseException as error:  # SystemExit as well
        cause = compiled_elsewhere(error) or one_line(error)
        if isinstance(error, TimeoutError):
            _too_slow[place] = cause
        return replace(plugin, error=cause)
    return plugin


_too_slow: dict[str, str] = {}  # errors of plug-ins whose import took too long, so that a process waits for each once


def _admit(registry: Registry, module: object, plugin: Plugin) -> None:
    """Register everything that a plug-in offers, or nothing if part of it is invalid."""
    registry.hooks.register(module, name=plugin.name)
    try:
        registry.hooks.check_pending()
        offered = _offered(registry, plugin)
        others = [other for name, other in registry.hooks.list_name_plugin() if name != plugin.name]
        paths = registry.hooks.subset_hook_caller("chaosbench_suites", others)()
        suites = checked([path for some in paths for path in some], plugin.origin, registry.suites)
    except BaseException:
        registry.hooks.unregister(name=plugin.name)
        raise
    for noun, kind, spec in offered:
        registry.kinds[noun][kind] = spec
        registry.origins[noun, kind] = plugin.origin
    registry.suites |= suites


def _offered(registry: Registry, plugin: Plugin) -> list[tuple[Noun, str, type[Spec]]]:
    """Return every class that the plug-in's hooks offer, after checking it."""
    offered: list[tuple[Noun, str, type[Spec]]] = []
    others = [other for name, other in registry.hooks.list_name_plugin() if name != plugin.name]
    for noun in NOUNS:
        hook = registry.hooks.subset_hook_caller(f"chaosbench_{noun}s", others)
        for spec in [spec for classes in hook() for spec in classes]:
            kind = _kind(spec, noun)
            own = any((noun, kind) == earlier[:2] for earlier in offered)
            if own or kind in registry.kinds[noun]:
                first = plugin.origin if own else registry.origins[noun, kind]
                raise offered_twice(noun, kind, first, plugin.origin)
            offered.append((noun, kind, spec))
    return offered


def _kind(spec: object, noun: Noun) -> str:
    base = _BASES[noun]
    if not (isinstance(spec, type) and issubclass(spec, base)):
        raise TypeError(f"chaosbench_{noun}s returned {spec!r}, which is not a subclass of {base.__name__}")
    return require_usable(spec, noun)


def _union(specs: Iterable[type[Spec]]) -> Any:
    specs = tuple(specs)
    if len(specs) == 1:
        return specs[0]
    return Annotated[Union[specs], Discriminator("kind")]  # noqa: UP007  # made at run time
