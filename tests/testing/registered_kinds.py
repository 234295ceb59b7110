"""Registered kinds and small trainings for tests of the conformance kit."""

from typing import Any

from chaosbench import registry

KNOWN = registry.load().kinds
SMALL: dict[str, Any] = {"updates": 5, "batch": 4, "sequence_length": 20}
TRAINED = {"interval": 5} | SMALL


def matching_kind(spec: Any, noun: registry.Noun) -> Any:
    """Return the first kind of that noun with the same `learning`."""
    return next(kind for kind in KNOWN[noun].values() if kind.learning == spec.learning)  # type: ignore[attr-defined]
