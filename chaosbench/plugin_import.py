"""Import the module of a plug-in so that nothing it does stops or spoils the command that imports it."""

import io
import os
import re
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import module_from_spec, spec_from_file_location
from inspect import isroutine
from pathlib import Path
from time import perf_counter
from types import ModuleType
from typing import Any, NoReturn, get_origin

from chaosbench.errors import PluginError
from chaosbench.spec import TABLES_OF_A_SYSTEM, Spec

LIMIT = 20.0  # time that an import may take [s]
MANY = 100  # modules of a package that make an import heavy
_KIND = re.compile("[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Imported:
    """A module, and what its import did.

    Attributes:
        printed: what it wrote to standard output and error.
        seconds: wall time beyond what chaosbench itself had imported [s].
        heavy: packages of which it imported at least `MANY` modules, as "pandas (612 modules)".
    """

    module: object
    printed: str
    seconds: float
    heavy: tuple[str, ...]


def import_module(load: Callable[[], object]) -> Imported:
    """Import a plug-in's module by the function that does so, with its output caught, within `LIMIT`.

    Raises:
        BaseException: whatever the module raises, `SystemExit` included; `SystemExit` where it calls `os._exit`;
            `TimeoutError` where it takes too long, on systems with alarms and in the main thread.
    """
    printed, before, began = io.StringIO(), set(sys.modules), perf_counter()
    with redirect_stdout(printed), redirect_stderr(printed), _exits_raise(), _alarm():
        module = load()
    seconds = perf_counter() - began
    counts = Counter(name.partition(".")[0] for name in set(sys.modules) - before)
    heavy = tuple(f"{name} ({count} modules)" for name, count in counts.most_common() if count >= MANY)
    return Imported(module, printed.getvalue(), seconds, heavy)


def import_file(path: Path) -> ModuleType:
    """Import a file under a name by which worker processes find its classes; it can import what lies beside it.

    Raises:
        BaseException: whatever the module raises.
    """
    name = f"chaosbench_plugin_file_{path.stem}"
    spec = spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = module_from_spec(spec)
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def compiled_elsewhere(error: BaseException) -> str:
    """Return for which Pythons the module that is missing has been compiled, as a sentence; empty if for none."""
    if not isinstance(error, ImportError) or not error.name:
        return ""
    *parents, name = error.name.split(".")
    found = {
        path.name.split(".")[1]
        for folder in map(Path, sys.path)
        for path in folder.joinpath(*parents).glob(f"{name}.*")
        if path.suffix in {".so", ".pyd"} and not any(path.name.endswith(f".{name}{end}") for end in EXTENSION_SUFFIXES)
    }
    if not found:
        return ""
    return f"{error.name} is compiled for {', '.join(sorted(found))}, and this is {sys.implementation.cache_tag}"


def implemented_hooks(module: object, known: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the hooks that a module implements.

    Raises:
        PluginError: where a function is called almost like a hook, or is not marked as one.
    """
    names = []
    for name in dir(module):
        function = getattr(module, name, None) if name.startswith("chaosbench_") else None
        if not isroutine(function):
            continue
        marked = getattr(function, "chaosbench_impl", None)
        meant = (marked and not marked.get("specname")) or get_close_matches(name, known, cutoff=0.8)
        if name not in known and meant:
            hint = "".join(f"; did you mean {near!r}?" for near in get_close_matches(name, known, n=1, cutoff=0.6))
            raise PluginError(f"no hook is called {name!r}{hint or '; docs/hooks.md lists all of them'}")
        if name in known and not marked:
            raise PluginError(f"{name} is not marked as a hook; write @hookimpl above it")
        if marked:
            names.append(marked.get("specname") or name)
    return tuple(sorted(names))


@contextmanager
def _exits_raise() -> Iterator[None]:
    """Let `os._exit`, which ends a process at once, raise `SystemExit`."""

    def leave(status: int) -> NoReturn:
        raise SystemExit(f"os._exit({status}) was called")

    end = os._exit
    os._exit = leave
    try:
        yield
    finally:
        os._exit = end


@contextmanager
def _alarm() -> Iterator[None]:
    """Raise `TimeoutError` after `LIMIT`; do nothing where there are no alarms, or outside the main thread."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(*_: object) -> NoReturn:
        raise TimeoutError(f"its import takes longer than {LIMIT:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, LIMIT)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def require_usable(spec: type[Spec], noun: str) -> str:
    """Return the kind of a class after checking that suites, schemas and rankings can use it.

    Raises:
        TypeError: with the class, what is wrong and how to mend it.
    """
    field = spec.model_fields.get("kind")
    kind: Any = None if field is None else field.default
    if not isinstance(kind, str):
        raise TypeError(f'{spec.__name__} needs a kind, such as kind: Literal["my_{noun}"] = "my_{noun}"')
    if not _KIND.fullmatch(kind):
        raise TypeError(f"{spec.__name__} has the kind {kind!r}; use small letters, digits and underscores")
    if field is not None and str(get_origin(field.annotation)) != "typing.Literal":
        raise TypeError(f'{spec.__name__}.kind is not a Literal; write kind: Literal["{kind}"] = "{kind}"')
    if spec.__abstractmethods__:
        raise TypeError(f"{spec.__name__} does not define {', '.join(sorted(spec.__abstractmethods__))}")
    try:
        _require_schema(spec)
    except Exception as error:  # pydantic's own, or whatever a field's type raises
        raise TypeError(f"{spec.__name__} has a field that JSON cannot hold: {error}") from error
    if noun == "metric":
        _require_direction(spec)
    if noun == "system" and (taken := [key for key in TABLES_OF_A_SYSTEM if key in spec.model_fields]):
        raise TypeError(f"{spec.__name__} has a field {taken[0]}, which suites use for a table; give it another name")
    return kind


@cache
def _require_schema(spec: type[Spec]) -> None:
    """Raise an error for a class without a JSON schema; the server of workers has looked at the built-ins for them."""
    spec.model_json_schema()


def _require_direction(metric: type[Spec]) -> None:
    """Require the unit and the direction of a metric, without which it cannot be ranked."""
    if not isinstance(getattr(metric, "unit", None), str):
        raise TypeError(f'{metric.__name__} has no unit; write unit: ClassVar[str] = "1" if it is dimensionless')
    if getattr(metric, "better", None) not in {"lower", "higher"}:
        raise TypeError(f'{metric.__name__} has no direction; write better: ClassVar = "lower" or "higher"')
