"""Import the module of a plug-in so that nothing it does stops or spoils the command that imports it."""

import io
import os
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Any, NoReturn, get_origin

from chaosbench.spec import Spec

LIMIT = 20.0  # time that an import may take [s]
_KIND = re.compile("[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Imported:
    """A module and what it printed while it was imported."""

    module: object
    printed: str


def import_module(entry_point: EntryPoint) -> Imported:
    """Import a plug-in's module, with its output caught, within `LIMIT`.

    Raises:
        BaseException: whatever the module raises, `SystemExit` included; `SystemExit` where it calls `os._exit`;
            `TimeoutError` where it takes too long, on systems with alarms and in the main thread.
    """
    printed = io.StringIO()
    with redirect_stdout(printed), redirect_stderr(printed), _exits_raise(), _alarm():
        module = entry_point.load()
    return Imported(module, printed.getvalue())


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
        spec.model_json_schema()
    except Exception as error:  # pydantic's own, or whatever a field's type raises
        raise TypeError(f"{spec.__name__} has a field that JSON cannot hold: {error}") from error
    if noun == "metric":
        _require_direction(spec)
    return kind


def _require_direction(metric: type[Spec]) -> None:
    """Require the unit and the direction of a metric, without which it cannot be ranked."""
    if not isinstance(getattr(metric, "unit", None), str):
        raise TypeError(f'{metric.__name__} has no unit; write unit: ClassVar[str] = "1" if it is dimensionless')
    if getattr(metric, "better", None) not in {"lower", "higher"}:
        raise TypeError(f'{metric.__name__} has no direction; write better: ClassVar = "lower" or "higher"')
