"""Jacobian matching: the model learns the step and its derivative."""

from collections.abc import Sequence
from math import ceil
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from chaosbench.data import Dataset, DataSpec
from chaosbench.dynamics import tangent_step_by_jvp
from chaosbench.errors import DataError
from chaosbench.models.base import ModelSpec
from chaosbench.models.forecaster import Forecaster
from chaosbench.source import Source
from chaosbench.systems.base import SystemSpec
from chaosbench.trainers.base import squared_error
from chaosbench.trainers.forcing_scheme import ForcingScheme
from chaosbench.trainers.gradient_trainer import RATES, GradientTrainer
from chaosbench.trainers.training_state import TrainingState

_TANGENTS = 1024  # tangents of each seed in memory at once: few enough for large states, and no slower than all


class JacobianMatching(GradientTrainer):
    """|F(x) - x'|² + weight |dF/dx - J(x)|², means over entries, with the system's own Jacobian J at the data.

    F maps an observation to the next: forced state, step, read-out. J spans as many steps of the system as one step of
    the data, and is in the units of the data: diag(1 / deviation) J diag(deviation).

    Source:
        Park, Yang and Chandramoorthy 2024, NeurIPS (2411.06311); the weight is ours.
    """

    no_warm_up: ClassVar[str | None] = "its map takes a single observation"
    kind: Literal["jacobian_matching"] = "jacobian_matching"
    weight: float = Field(1.0, ge=0)  # of the Jacobian's error
    sequence_length: int = Field(1, ge=1)  # T [steps]; each step is a pair of observations on its own
    batch: int = Field(256, ge=1)  # B, windows per update

    @override
    def may_differ(self, model: Forecaster | None = None) -> frozenset[str]:
        return RATES

    @override
    def parts(self, windows: Tensor) -> Sequence[Tensor]:
        """Split into pairs, `(K, ., 2, D)`, in equal blocks of at most `_TANGENTS` tangents for each seed."""
        pairs = windows.unfold(2, 2, 1).mT.flatten(1, 2)
        # Blocks of unequal sizes could not reuse each other's memory.
        return pairs.chunk(ceil(pairs.shape[1] * windows.shape[-1] / _TANGENTS), dim=1)

    @override
    def loss(self, model: Forecaster, windows: Tensor, training: TrainingState) -> Tensor:
        def forecast(observation: Tensor) -> Tensor:
            return model.observe(model.step(model.initial_state(observation.unsqueeze(2))))

        here, after = windows[:, :, :-1].flatten(1, 2), windows[:, :, 1:].flatten(1, 2)
        size = here.shape[-1]
        identity = torch.eye(size, dtype=here.dtype, device=here.device).expand(*here.shape, size)
        predicted, jacobian = tangent_step_by_jvp(forecast, here, identity)
        jacobian_error = squared_error(jacobian, system_jacobian(training.data, here))
        return squared_error(predicted, after) + self.weight * jacobian_error

    @override
    def forcing_scheme(self, training: TrainingState) -> ForcingScheme:
        return ForcingScheme(1)

    @override
    def check(self, data: Dataset) -> None:
        super().check(data)
        if reason := _unknown_jacobian(data.system, data.spec):
            raise DataError(reason)

    @override
    def incompatibility(self, system: Source, data: DataSpec, model: ModelSpec) -> str | None:
        return _unknown_jacobian(system, data) or super().incompatibility(system, data, model)


@torch.no_grad()
def system_jacobian(data: Dataset, observations: Tensor) -> Tensor:
    """Return the system's Jacobian over one step of the data, in the units of the data, `(..., D) -> (..., D, D)`."""
    mean, deviation = data.mean.double(), data.deviation.double()
    state = observations.double() * deviation + mean
    tangents = torch.diag(deviation).expand(*state.shape, len(deviation)).contiguous()
    assert data.equation is not None
    for _ in range(data.spec.stride):
        state, tangents = data.equation.tangent_step(state, tangents)
    return (tangents / deviation[:, None]).to(observations)


def _unknown_jacobian(system: Source, data: DataSpec) -> str | None:
    """Return why the observations do not determine the system's Jacobian; None if they do."""
    if not isinstance(system, SystemSpec):
        return f"{system.label} has no equation: its Jacobian is unknown and cannot be matched"
    hidden = system.state_size != system.dimension or type(system).observe is not SystemSpec.observe
    if hidden or data.embedding > 1 or data.observed not in (None, tuple(range(system.dimension))):
        return f"the Jacobian of {system.label} depends on its whole state, and these data do not show the state itself"
    return None
