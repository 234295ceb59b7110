"""Steps, transients and exponents that were computed for each system, shipped with the package."""

import json
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from typing import Any, NamedTuple

from chaosbench.systems import Reference


class Numerics(NamedTuple):
    """How a system is integrated.

    Attributes:
        dt: time per step [system time].
        substeps: numerical steps per dt; of a delay system, samples of the history per dt.
        transient: time after which orbits from one start are independent of each other [system time].
    """

    dt: float
    substeps: int
    transient: float


@lru_cache(maxsize=1)
def numerics() -> dict[str, dict[str, Numerics]]:
    """Return the numerics of each system by kind and name."""
    content = json.loads(resources.files(__package__).joinpath("numerics.json").read_text("utf-8"))
    return {kind: {name: Numerics(*row) for name, row in table.items()} for kind, table in content.items()}


@lru_cache(maxsize=1)
def certificates() -> dict[tuple[str, str], Mapping[str, Any]]:
    """Return the shipped certificates by kind and name of the system, each with the versions it belongs to."""
    content = json.loads(resources.files(__package__).joinpath("certificates.json").read_text("utf-8"))
    return {(one["kind"], one["reference"]["parameters"]["name"]): one for one in content}


@lru_cache(maxsize=256)
def references(kind: str, name: str) -> tuple[Reference, ...]:
    """Return the certified exponents of a system with dysts's parameters; none if it has no certificate."""
    found = certificates().get((kind, name))
    return () if found is None else (Reference.model_validate(found["reference"]),)
