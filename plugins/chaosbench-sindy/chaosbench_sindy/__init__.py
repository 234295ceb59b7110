"""Sparse identification of nonlinear dynamics for chaosbench: the model `sindy`, and three trainers."""

from collections.abc import Iterable

from chaosbench import ModelSpec, TrainerSpec, hookimpl
from chaosbench_sindy.ensemble import EnsembleSTLSQ
from chaosbench_sindy.model import Polynomial, SINDy
from chaosbench_sindy.monomials import library, library_tangents, terms
from chaosbench_sindy.regression import STLSQ
from chaosbench_sindy.weak import WeakSTLSQ

__all__ = [
    "STLSQ",
    "EnsembleSTLSQ",
    "Polynomial",
    "SINDy",
    "WeakSTLSQ",
    "library",
    "library_tangents",
    "terms",
]


@hookimpl
def chaosbench_models() -> Iterable[type[ModelSpec]]:
    """Return the model."""
    return [SINDy]


@hookimpl
def chaosbench_trainers() -> Iterable[type[TrainerSpec]]:
    """Return its trainers."""
    return [STLSQ, WeakSTLSQ, EnsembleSTLSQ]
