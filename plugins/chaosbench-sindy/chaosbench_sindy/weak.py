"""The weak form: integrals against test functions in place of derivatives."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from chaosbench import DataSpec, ModelSpec, Source
from chaosbench_sindy.model import Polynomial, SINDy
from chaosbench_sindy.monomials import library
from chaosbench_sindy.regression import STLSQ


class WeakSTLSQ(STLSQ):
    """`stlsq` on the weak form: no derivative of the data is computed, which makes it robust against noise.

    For each test function phi, which vanishes at both ends of its window, integration by parts of dx/dt = Xi theta(x)
    gives - int phi' x dt = Xi int phi theta(x) dt; each window is one row of the regression. The test functions are
    phi(s) = (1 - s²)^p on -1 <= s <= 1, and the integrals are sums over the data. pysindy has a weak form as well, but
    draws its windows from numpy's global random state; here windows lie a quarter of their half width apart.

    Source:
        Messenger and Bortz 2021, Multiscale Modeling and Simulation 19, 1474; with ordinary least squares in place of
        their generalised ones, and without their choice of the windows from the data.
    """

    kind: Literal["weak_stlsq"] = "weak_stlsq"  # type: ignore[assignment]  # a kind of its own
    half_width: int = Field(25, ge=2)  # of the windows [steps]
    power: int = Field(6, ge=2)  # p; the higher, the smoother is phi at the ends of its window

    @override
    def rows(self, model: Polynomial, orbits: Tensor, dt: float) -> tuple[Tensor, Tensor]:
        return weak_rows(model, orbits, dt, self.half_width, self.power)

    @property
    @override
    def shortest(self) -> int:
        return 2 * self.half_width

    @override
    def incompatibility(self, system: Source, data: DataSpec, model: ModelSpec) -> str | None:
        """Reject maps, which have no weak form."""
        if isinstance(model, SINDy) and model.form == "map":
            return f'a map has no weak form; use the trainer stlsq, or form = "flow", with {system.label}'
        return super().incompatibility(system, data, model)


def weak_rows(model: Polynomial, orbits: Tensor, dt: float, half_width: int, power: int) -> tuple[Tensor, Tensor]:
    """Return int phi theta(x) dt, `(rows, terms)`, and - int phi' x dt, `(rows, D)`, both over int phi dt."""
    position = torch.linspace(-1, 1, 2 * half_width + 1, dtype=orbits.dtype, device=orbits.device)
    phi = (1 - position**2) ** power
    slope = -2 * power * position * (1 - position**2) ** (power - 1) / (half_width * dt)  # d phi / dt
    every = max(1, half_width // 4)
    # A sum over grid points is the trapezoidal rule, because phi and its slope vanish at both ends; dt cancels.
    features, values = (
        (series.unfold(1, len(phi), every) @ weights / phi.sum()).flatten(0, 1)
        for series, weights in ((library(orbits, model.terms), phi), (orbits, -slope))
    )
    return features, values
