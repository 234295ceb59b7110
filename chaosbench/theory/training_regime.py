"""The regime of training: products of Jacobians along data, forced and cut as the trainer does."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from chaosbench.models.forecaster import Forecaster
from chaosbench.theory.forced import Segments, cuts_products, forced_exponents, forced_growth, segments
from chaosbench.theory.growth import Growth, tangents_followed
from chaosbench.theory.run_diagnosis import Exponent
from chaosbench.trainers.forcing_scheme import ForcingScheme


@dataclass(frozen=True)
class TrainingRegime:
    """Growth and exponents of the products of Jacobians that training's gradients pass through.

    Attributes:
        scheme: how the trainer forces the state and cuts gradients.
        growth: log norms of products along windows of the training data.
        exponents: finite-time Lyapunov exponents of the products, `(K, C, M)` [1 / step].
        cuts_products: True if a forcing or a cut sets the product of Jacobians to zero.
        resets: True if forcing sets the whole state.
        random_segments: products between random forcings; None where forcing is not random.
    """

    scheme: ForcingScheme
    growth: Growth
    exponents: Tensor
    cuts_products: bool
    resets: bool
    random_segments: Segments | None = None

    def columns(self, largest: Tensor, *, dt: float) -> dict[str, list[Any]]:
        """Return the fields of `RunDiagnosis` about the regime of training, one entry per seed.

        Args:
            largest: `(K,)`, the largest exponent of the free run [1 / step].
            dt: [system time] per step.
        """
        scheme, followed, seeds = self.scheme, self.growth.horizons[-1], len(largest)
        chain, ends, grown = self._chain()
        content: dict[str, Any] = {"path_length": scheme.window, "chain_length": chain}
        if self.random_segments is not None:
            content["forcing_probability"] = scheme.probability or 0.0
            content["chain_longest"] = self.random_segments.longest
        content["chain_forced"] = ends and scheme.forced
        content["chain_cut"] = ends and not scheme.forced
        content["chain_blank"] = scheme.restart == "zero"
        content["chain_learned"] = ends and scheme.restart == "learned"
        content["chain_ends"] = ends and self.cuts_products
        columns = {name: [value] * seeds for name, value in content.items()}
        if not (ends and self.cuts_products):
            columns["window_length"] = [followed] * seeds
            columns["window_growth"] = self.growth.mean[:, -1].tolist()
        columns["chain_growth"] = grown.tolist()
        columns["chain_growth_expected"] = (largest * chain).tolist()
        return columns | self._alpha_columns(largest, dt) | self._exponent_columns(dt)

    def _chain(self) -> tuple[float, bool, Tensor]:
        """Return the length of a product [steps], True if a forcing or cut ends it, and its log norm `(K,)` [nats]."""
        scheme, followed = self.scheme, self.growth.horizons[-1]
        if self.random_segments is not None:
            return self.random_segments.length, self.random_segments.length < followed, self.random_segments.growth
        chain = min(scheme.product_length, followed)
        ends = scheme.interval is not None and scheme.interval < min(scheme.window, followed)
        return chain, ends, self.growth.at(chain).nanmean(1)

    def _alpha_columns(self, largest: Tensor, dt: float) -> dict[str, list[Any]]:
        if self.scheme.alpha is None:
            return {}
        columns = {"forcing_share": self.scheme.alpha.double().tolist()}
        if self.resets:  # if only a part of the state is forced, the rest of the product is not damped
            damped = largest + torch.log1p(-self.scheme.alpha.double().to(largest))
            columns["forced_exponent_expected"] = (damped / dt).tolist()
        return columns

    def _exponent_columns(self, dt: float) -> dict[str, list[Any]]:
        means = [(self.exponents[..., index].nanmean(1) / dt).tolist() for index in range(self.exponents.shape[-1])]
        return {"forced_exponents": [tuple(map(Exponent, seed)) for seed in zip(*means, strict=True)]}


def examine_training_regime(
    model: Forecaster, windows: Tensor, scheme: ForcingScheme, *, exponents: int
) -> TrainingRegime:
    """Follow products of Jacobians along windows of data `(K, C, T + 1, D)`, forced and cut as in training.

    Args:
        exponents: number of leading exponents.
    """
    directions = tangents_followed(model.state_size)
    random_segments = None
    growth = forced_growth(model, windows, scheme, directions=directions)
    spectra = forced_exponents(model, windows, scheme, exponents=exponents)
    if scheme.probability is not None:
        random_segments = segments(model, windows, scheme, directions=directions)
    return TrainingRegime(
        scheme=scheme,
        growth=growth,
        exponents=spectra,
        cuts_products=cuts_products(model, scheme),
        resets=model.resets,
        random_segments=random_segments,
    )
