"""Ensembles of sparse regressions, and the probability that a term belongs to the equations."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Generator, Tensor
from typing_extensions import override

from chaosbench import DataSpec, ModelSpec, Source
from chaosbench.seeds import seed_generator
from chaosbench_sindy.model import Polynomial, SINDy
from chaosbench_sindy.regression import STLSQ
from chaosbench_sindy.weak import weak_rows


class EnsembleSTLSQ(STLSQ):
    """`stlsq` on many random parts of the data, or of the library; rare terms are dropped, coefficients are medians.

    Each of the `members` regressions sees rows drawn with replacement, and lacks `dropped_terms` random terms. The
    inclusion probability of a term is the share of nonzero coefficients among the regressions that may use the term.
    Terms below `inclusion` are dropped; the coefficient of any other is the median over the regressions that may use
    it. The model stores the probabilities, and results hold them as `portrait.inclusion`. pysindy has ensembles as
    well, but draws them from numpy's global random state, and has no inclusion probabilities.

    Source:
        Fasel, Kutz, Brunton and Brunton 2022, Proceedings of the Royal Society A 478, 20210904: bagging of rows and of
        library terms with medians ("bragging").
    """

    draws_rows: ClassVar[bool] = True
    kind: Literal["ensemble_stlsq"] = "ensemble_stlsq"  # type: ignore[assignment]  # a kind of its own
    members: int = Field(20, ge=2)  # regressions
    rows_seen: int = Field(5_000, ge=10)  # largest number of rows that each regression draws
    dropped_terms: int = Field(0, ge=0)  # terms that each regression lacks
    inclusion: float = Field(0.6, ge=0, le=1)  # smallest inclusion probability
    half_width: int | None = Field(None, ge=2)  # of the windows of the weak form, see `weak_stlsq`; None: derivatives
    power: int = Field(6, ge=2)  # of its test functions

    @override
    def rows(self, model: Polynomial, orbits: Tensor, dt: float) -> tuple[Tensor, Tensor]:
        if self.half_width is None:
            return super().rows(model, orbits, dt)
        return weak_rows(model, orbits, dt, self.half_width, self.power)

    @override
    def regress(self, features: Any, targets: Any, threshold: float, seeds: Sequence[int]) -> tuple[Tensor, Tensor]:
        both = [self._ensemble(features, targets, threshold, seed_generator(seed, "ensemble")) for seed in seeds]
        coefficients, inclusion = (torch.stack(parts) for parts in zip(*both, strict=True))
        return coefficients, inclusion

    @property
    @override
    def shortest(self) -> int:
        return super().shortest if self.half_width is None else 2 * self.half_width

    @override
    def incompatibility(self, system: Source, data: DataSpec, model: ModelSpec) -> str | None:
        """Reject a weak form of a map."""
        if isinstance(model, SINDy) and model.form == "map" and self.half_width is not None:
            return f"a map has no weak form; leave half_width out with {system.label}"
        return super().incompatibility(system, data, model)

    def _ensemble(self, features: Any, targets: Any, threshold: float, generator: Generator) -> tuple[Tensor, Tensor]:
        """Return the medians of one seed's regressions and the inclusion probabilities, both `(terms, D)`."""
        (count, terms), dimension = features.shape, targets.shape[1]
        members = torch.full((self.members, terms, dimension), torch.nan, dtype=torch.float64)
        for member in members:
            drawn = torch.randint(count, (min(count, self.rows_seen),), generator=generator).numpy()
            lacking = min(self.dropped_terms, terms - 1)
            kept = torch.randperm(terms, generator=generator)[lacking:].sort().values
            member[kept] = self.solution(features[drawn][:, kept.numpy()], targets[drawn], threshold)
        offered = ~members.isnan()
        inclusion = ((members != 0) & offered).sum(dim=0) / offered.sum(dim=0).clamp_min(1)
        median = members.nanquantile(0.5, dim=0).nan_to_num(0.0)
        return torch.where(inclusion >= self.inclusion, median, 0.0), inclusion.double()
