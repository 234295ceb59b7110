"""Lyapunov exponents of a system with their uncertainty and origin."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from chaosbench.dynamics import entropy_bound, kaplan_yorke_dimension
from chaosbench.spec import Content

ROUNDING = 1e-6  # [1 / system time]; least uncertainty of any exponent


class Reference(Content):
    """Lyapunov exponents at one set of parameters, in descending order."""

    parameters: Mapping[str, Any]  # of the equation, not of the numerical method
    exponents: tuple[float, ...] = Field(min_length=1)  # descending [1 / system time]
    intervals: tuple[float, ...]  # half widths of 95 % confidence intervals [1 / system time]
    resolution: float = Field(default=0.0, ge=0)  # apparent exponent of a non-chaotic orbit [1 / system time]
    source: str
    method: str

    @property
    def largest(self) -> float:
        """The largest exponent [1 / system time]."""
        return self.exponents[0]

    @property
    def tolerances(self) -> tuple[float, ...]:
        """Exponents closer to zero than this cannot be distinguished from zero [1 / system time]."""
        return tuple(interval + self.resolution + ROUNDING for interval in self.intervals)

    @property
    def chaotic(self) -> bool:
        """True if the largest exponent is positive beyond its tolerance."""
        return self.exponents[0] > self.tolerances[0]

    @property
    def kaplan_yorke_dimension(self) -> float:
        """Kaplan-Yorke dimension of these exponents."""
        return float(kaplan_yorke_dimension(self._settled()))

    @property
    def entropy_bound(self) -> float:
        """Sum of the positive exponents, which bounds the metric entropy [nats / system time]."""
        return float(entropy_bound(self._settled()))

    @property
    def predictability_time(self) -> float | None:
        """ln 2 / lambda_1, the time in which a small error doubles [system time]; None if the system is not chaotic."""
        return math.log(2) / self.largest if self.chaotic else None

    def _settled(self) -> Tensor:
        """Return the exponents, with those that cannot be distinguished from zero set to zero."""
        pairs = zip(self.exponents, self.tolerances, strict=True)
        return torch.tensor([0.0 if abs(value) <= width else value for value, width in pairs], dtype=torch.float64)
