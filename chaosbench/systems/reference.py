"""What is known of a system's Lyapunov exponents, and how well."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from chaosbench.dynamics import entropy_bound, kaplan_yorke_dimension
from chaosbench.spec import Content

ROUNDING = 1e-6  # [1 / system time]; no exponent is known better


class Reference(Content):
    """Lyapunov exponents at one set of parameters, leading ones first."""

    parameters: Mapping[str, Any]  # of the equation; the numerical method's are no part of it
    exponents: tuple[float, ...] = Field(min_length=1)  # descending [1 / system time]
    intervals: tuple[float, ...]  # half widths of 95 % confidence [1 / system time]
    resolution: float = Field(default=0.0, ge=0)  # what an orbit as long as this shows without any chaos
    source: str
    method: str

    @property
    def largest(self) -> float:
        """The largest exponent [1 / system time]."""
        return self.exponents[0]

    @property
    def tolerances(self) -> tuple[float, ...]:
        """What is closer to zero than this cannot be told from zero [1 / system time]."""
        return tuple(interval + self.resolution + ROUNDING for interval in self.intervals)

    @property
    def chaotic(self) -> bool:
        """Whether the largest exponent is positive beyond doubt."""
        return self.exponents[0] > self.tolerances[0]

    @property
    def kaplan_yorke_dimension(self) -> float:
        """Kaplan-Yorke dimension of the exponents known."""
        return float(kaplan_yorke_dimension(self._settled()))

    @property
    def entropy_bound(self) -> float:
        """Sum of the positive exponents, which bounds the metric entropy [nats / system time]."""
        return float(entropy_bound(self._settled()))

    @property
    def predictability_time(self) -> float | None:
        """ln 2 / lambda_1, in which a small error doubles [system time]; None where there is no chaos."""
        return math.log(2) / self.largest if self.chaotic else None

    def _settled(self) -> Tensor:
        """The exponents; zero where they cannot be told from zero, so that noise is counted neither way."""
        pairs = zip(self.exponents, self.tolerances, strict=True)
        return torch.tensor([0.0 if abs(value) <= width else value for value, width in pairs], dtype=torch.float64)
