"""The systems of the page with their exact or published values, and the certificates that are stored for them."""

import hashlib
import inspect
import json
import tomllib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from chaosbench import registry
from chaosbench.files import write_whole
from chaosbench.spec import Content
from chaosbench.systems.base import SystemSpec
from chaosbench.systems.certificate import Certificate
from docs.generate.verdicts import driven, flows, maps
from docs.generate.verdicts.equation import driven_class, flow_class, map_class

_FOLDER = Path(__file__).parent
RESULTS = _FOLDER / "results.json"


class Known(Content):
    """Exact or published values of a system.

    Attributes:
        exponents: the leading exponents, descending [1 / system time]; as many as are known.
        error: half width of their uncertainty, 0 for exact values [1 / system time].
        dimension: Kaplan-Yorke dimension, if it is published besides, with its uncertainty.
        words: other verdicts than "chaotic" that are right.
    """

    exponents: tuple[float, ...] = ()
    error: float = Field(0.0, ge=0)
    dimension: tuple[float, float] | None = None
    words: tuple[str, ...] = ("chaotic",)


class Row(Content):
    """A system outside the catalogue, how it is certified, and what is known about it."""

    name: str
    equation: str | None = None  # name of the function in maps.py, flows.py or driven.py
    system: dict[str, Any] = Field(default_factory=dict)  # of the catalogue, or numerical fields of a flow
    start: tuple[float, ...] | None = None
    spread: float = 0.0  # of the starts
    transient: float = 100.0  # [system time]
    period: float | None = None  # of the drive [system time]
    orbit: tuple[float, ...] | None = None  # start of the one orbit that is certified; None: the attractor
    duration: float | None = None  # of that orbit [system time]
    budget: float = 10.0  # [seconds]
    known: Known
    source: str
    note: str = ""  # the reason of a disagreement, or a failed check

    @property
    def spec(self) -> SystemSpec:
        """The system that is certified."""
        if self.equation is None:
            return _catalogue()[self.system["kind"]].model_validate(self.system)
        settings = {"start": self.start, "spread": self.spread, "transient": self.transient}
        for module, make in ((maps, map_class), (flows, flow_class), (driven, driven_class)):
            equation = getattr(module, self.equation, None)
            if equation is not None:
                more = {} if self.period is None else {"period": self.period}
                made = make(equation, dimension=len(self.start or ()), **settings, **more)
                return made.model_validate(self.system)
        raise AssertionError(f"no function is called {self.equation!r}")

    @property
    def identity(self) -> str:
        """A digest of everything that the certificate depends on: the equation, its fields, starts and budget."""
        content = self.model_dump(exclude={"name", "known", "source", "note"}, exclude_defaults=True)
        functions = (getattr(module, self.equation or "", None) for module in (maps, flows, driven))
        sources = [inspect.getsource(function) for function in functions if function is not None]
        return hashlib.sha256(json.dumps([content, sources], sort_keys=True).encode()).hexdigest()[:16]


class Verdict(Content):
    """The stored certificate of a row, or the message with which the system was refused."""

    name: str
    identity: str  # of the row at that time
    seconds: float  # computing time
    certificate: Certificate | None = None
    refused: str = ""

    @property
    def state(self) -> Literal["refused", "failed", "passed"]:
        """Result of the checks."""
        if self.certificate is None:
            return "refused"
        return "passed" if self.certificate.passed else "failed"


@lru_cache(maxsize=1)
def _catalogue() -> dict[str, type[Any]]:
    return dict(registry.load().kinds["system"])


def rows() -> list[Row]:
    """Return the rows of `known.toml`, in the order of the page."""
    content = tomllib.loads((_FOLDER / "known.toml").read_text(encoding="utf-8"))
    return [Row.model_validate(row) for row in content["systems"]]


def verdicts() -> dict[str, Verdict]:
    """Return the stored verdicts by the name of their row."""
    if not RESULTS.exists():
        return {}
    found = [Verdict.model_validate(entry) for entry in json.loads(RESULTS.read_text(encoding="utf-8"))]
    return {verdict.name: verdict for verdict in found}


def store(found: Sequence[Verdict]) -> None:
    """Write the verdicts, so that the file holds all of them or is the old one."""
    entries = [verdict.model_dump(mode="json") for verdict in found]
    text = "[\n" + ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries) + "\n]\n"
    write_whole(RESULTS, lambda path: path.write_text(text, encoding="utf-8"))
