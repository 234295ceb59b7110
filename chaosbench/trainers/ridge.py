"""The read-out by ridge regression: one linear solve, no gradient."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Generator, Tensor
from typing_extensions import override

from chaosbench.data import Dataset, DataSpec
from chaosbench.models.base import ModelSpec
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.regression import RegressionForecaster
from chaosbench.seeds import seed_generator
from chaosbench.source import Source
from chaosbench.systems.base import SystemSpec
from chaosbench.trainers.base import TrainerSpec, TrainingStep
from chaosbench.trainers.one_step import one_step_error

_CHUNK = 32  # [steps] whose regressors are kept at once
_STARTS = 4_096  # states from which a start is learned, about


class Ridge(TrainerSpec):
    """C and d of x' = C phi + d minimise mean |C phi + d - x'|² + regularisation |C|², in double precision.

    The training orbits drive the model from an empty state; the first `warm_up` steps of each do not count. Noise on
    what drives it, not on what it is to predict, teaches it to come back to the attractor. A model whose start is
    learned learns it in the same way from about 4,000 of the states that it is driven to.

    Source:
        Jaeger 2001, GMD Report 148; noise: Vlachas, Pathak, Hunt, Sapsis, Girvan, Ott and Koumoutsakos 2020, Neural
        Networks 126, 191, where it is 10 permille; here so little that maps are learned, too.
    """

    learning: ClassVar[str] = "regression"
    kind: Literal["ridge"] = "ridge"
    regularisation: float = Field(1e-8, gt=0)  # of squared weights, beside the error of standardised observations
    warm_up: int = Field(100, ge=0)  # [steps]
    noise: float = Field(1e-3, ge=0)  # on the driving observations [standard deviations, where data are standardised]

    @torch.no_grad()
    @override
    def fit(self, model: Forecaster, data: Dataset, seeds: Sequence[int]) -> Iterator[TrainingStep]:
        """The loss is the error of one step over all training orbits, without noise."""
        assert isinstance(model, RegressionForecaster), f"{type(model).__name__} is not linear in what is to be learned"
        exact, orbits = deepcopy(model).double(), data.train.double()
        exact.sample_features(orbits, [seed_generator(seed, "sampling") for seed in seeds])
        fitting, starts = Regression(self.regularisation), Regression(self.regularisation)
        for states, observations, responses, targets in self._driven(exact, orbits, seeds):
            fitting.add(responses.flatten(1, 2), targets.flatten(1, 2))
            every = max(1, orbits[..., 0].numel() // _STARTS)
            seen = observations.flatten(1, 2)[:, ::every].contiguous()
            clue = exact.start_features(seen)
            if clue is not None:
                starts.add(clue, states.flatten(1, 2)[:, ::every])
        exact.set_readout(*fitting.solution())
        if starts.pairs:
            exact.set_start(*starts.solution())
        model.load_state_dict(exact.state_dict())
        loss = one_step_error(model, data.train.expand(len(seeds), -1, -1, -1), warm_up=self.warm_up)
        yield TrainingStep(1, 1, loss, model, data)

    def check(self, data: Dataset) -> None:
        """After the warm-up there must be pairs left."""
        data.windows(1, self.warm_up + 1, [seed_generator(0, "check")])

    def incompatibility(self, system: Source, data: DataSpec, model: ModelSpec) -> str | None:
        """After the warm-up there must be pairs left, where the data say how long orbits are."""
        if isinstance(system, SystemSpec) and self.warm_up + 1 >= data.train_length:
            return f"warm_up = {self.warm_up} leaves nothing of orbits of data.train_length = {data.train_length} steps"
        return super().incompatibility(system, data, model)

    def _driven(
        self, model: RegressionForecaster, orbits: Tensor, seeds: Sequence[int]
    ) -> Iterator[tuple[Tensor, ...]]:
        """By chunks of time: states, what drives them, responses, and what follows, `(K, chunk, N, ...)` each."""
        generators = [seed_generator(seed, "noise") for seed in seeds]
        state = orbits.new_zeros(len(seeds), len(orbits), model.state_size)
        for begin in range(0, orbits.shape[1] - 1, _CHUNK):
            driving, following = (orbits[:, begin + d : begin + d + _CHUNK].transpose(0, 1) for d in (0, 1))
            driving = torch.stack([self._disturbed(driving[: len(following)], one) for one in generators])
            states, responses = [], []
            for observation in driving.unbind(1):
                states.append(state)
                state, response = model.respond(state, observation)
                responses.append(response)
            parts = torch.stack(states, 1), driving, torch.stack(responses, 1), following.expand(len(seeds), -1, -1, -1)
            if begin + len(following) > self.warm_up:
                yield tuple(part[:, max(0, self.warm_up - begin) :] for part in parts)

    def _disturbed(self, driving: Tensor, generator: Generator) -> Tensor:
        """With one seed's noise; none is drawn where none is asked for."""
        if self.noise == 0:
            return driving
        return driving + self.noise * torch.randn(driving.shape, dtype=torch.float64, generator=generator).to(driving)


class Regression:
    """A linear regression with an offset of K seeds at once, by normal equations that grow with the data.

    Source:
        Hoerl and Kennard 1970, Technometrics 12, 55.
    """

    def __init__(self, regularisation: float) -> None:
        self.regularisation, self.pairs = regularisation, 0
        self._gram = self._moment = torch.zeros(())  # sums of (phi, 1)(phi, 1)ᵀ and of (phi, 1) yᵀ

    def add(self, regressors: Tensor, targets: Tensor) -> None:
        """More pairs, `(K, B, F)` and `(K, B, D)`."""
        phi = torch.cat([regressors, torch.ones_like(regressors[..., :1])], dim=-1)
        self.pairs += phi.shape[1]
        self._gram = self._gram + phi.mT @ phi
        self._moment = self._moment + phi.mT @ targets

    def solution(self) -> tuple[Tensor, Tensor]:
        """Weights `(K, D, F)` and offset `(K, 1, D)`; NaN for a seed whose numbers are, and for it alone."""
        penalty = self.regularisation * self.pairs * torch.eye(self._gram.shape[-1]).to(self._gram)
        penalty[-1, -1] = 0  # the offset is free
        solved, _ = torch.linalg.solve_ex(self._gram + penalty, self._moment)  # which does not raise
        return solved[:, :-1].mT, solved[:, -1:]
