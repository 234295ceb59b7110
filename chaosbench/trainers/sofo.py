"""Second-order forward-mode optimisation: Gauss-Newton steps without a backward pass through time."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from typing_extensions import override

from chaosbench.models.forecaster import Forecaster
from chaosbench.trainers.base import WindowTrainer, squared_error
from chaosbench.trainers.training_state import TrainingState

_Tangents = dict[str, Tensor]
_AT_ONCE = 25  # directions whose tangents are in memory together; no slower than all P
_ENTRIES = 3_000_000  # of the parameters' tangents that are in memory together


class SOFO(WindowTrainer):
    """Gauss-Newton steps in a random subspace of the parameters, from forward-mode derivatives of a free run.

    Each update draws P random directions V of unit norm and computes the derivative Y = dx^/dV of every prediction. For
    the mean squared error, G = Yᵀ H Y and g = Yᵀ dL/dx^; with G = U s Uᵀ, the update subtracts learning_rate times
    V U (1 / (s + damping s_max)) Uᵀ g. The reported gradient is V g = V Vᵀ dL/dtheta, on average P / n times what
    backpropagation computes for n parameters. Memory does not grow with the length of a graph through time.

    Source:
        Yu, Xia, Ma, Lengyel and Hennequin 2024, NeurIPS, "Second-order forward-mode optimization of recurrent neural
        networks for neuroscience"; settings for Lorenz-63.
    """

    kind: Literal["sofo"] = "sofo"
    directions: int = Field(100, ge=1)  # P
    damping: float = Field(1e-5, gt=0)  # of the curvature, relative to its largest eigenvalue
    learning_rate: float = Field(0.01, gt=0)  # factor of the Gauss-Newton step
    updates: int = Field(3_000, ge=1)  # steps, each with new windows and directions
    sequence_length: int = Field(33, ge=1)  # T [steps]

    @torch.no_grad()
    @override
    def gradient(self, model: Forecaster, windows: Tensor, training: TrainingState) -> Tensor:
        """Store the projected gradient in the parameters, and the Gauss-Newton step in the extra state."""
        directions = self.random_directions(model, training)
        predicted, tangents = forward_derivatives(model, windows, directions, warm_up=self.warm_up)
        _, future = self.split(windows)
        residual, scale = predicted - future, 2 / predicted[0].numel()
        flat = tangents.flatten(2).transpose(0, 1)  # (K, P, B * T * D)
        slopes = scale * (flat @ residual.flatten(1).unsqueeze(-1)).squeeze(-1)  # g
        steps = self._damped_step(scale * flat @ flat.mT, slopes)
        for name, parameter in model.named_parameters():
            parameter.grad = torch.einsum("pk...,kp->k...", directions[name], slopes)
            training.extra_state[name] = torch.einsum("pk...,kp->k...", directions[name], steps)
        return squared_error(predicted, future)

    @torch.no_grad()
    @override
    def advance(self, model: Forecaster, training: TrainingState) -> None:
        for name, parameter in model.named_parameters():
            parameter.sub_(self.learning_rate * training.extra_state[name])

    @override
    def not_replayed(self, training: TrainingState) -> str | None:
        return "its steps wait for eigenvalues of the curvature"

    def random_directions(self, model: Forecaster, training: TrainingState) -> _Tangents:
        """Draw P directions for each seed, of unit norm over all its parameters; `(P, K, ...)` for each parameter."""
        named = dict(model.named_parameters())
        sizes = [value[0].numel() for value in named.values()]
        draws = training.normal(self.directions, sum(sizes))
        parts = draws.div_(draws.norm(dim=-1, keepdim=True)).transpose(0, 1).split(sizes, dim=-1)
        return {
            name: part.unflatten(-1, value.shape[1:]) if value.dim() > 1 else part.squeeze(-1)
            for (name, value), part in zip(named.items(), parts, strict=True)
        }

    def _damped_step(self, curvature: Tensor, slopes: Tensor) -> Tensor:
        """Return U (1 / (s + damping s_max)) Uᵀ g, `(K, P, P), (K, P) -> (K, P)`; NaN for a seed that is not finite."""
        sound = curvature.isfinite().all(dim=-1).all(dim=-1)
        # LAPACK rejects a whole batch because of one matrix with NaN.
        values, vectors = torch.linalg.eigh(torch.where(sound[:, None, None], curvature, 0.0))
        values = values.clamp(min=0)
        damped = values + self.damping * values[:, -1:]
        rotated = (vectors.mT @ slopes.unsqueeze(-1)).squeeze(-1)
        step = (vectors @ (rotated / damped).unsqueeze(-1)).squeeze(-1)
        return torch.where(sound[:, None], step, torch.nan)


def forward_derivatives(
    model: Forecaster, windows: Tensor, directions: _Tangents, *, warm_up: int = 0
) -> tuple[Tensor, Tensor]:
    """Return free-running predictions, `(K, B, T, D)`, and their derivatives by direction, `(P, K, B, T, D)`."""
    run = FreeRun(model, warm_up)
    parameters = {f"model.{name}": value.detach() for name, value in model.named_parameters()}

    def predict(values: _Tangents) -> Tensor:
        predicted: Tensor = torch.func.functional_call(run, values, (windows,))
        return predicted

    def derivative(tangents: _Tangents) -> tuple[Tensor, Tensor]:
        predicted, slope, *_ = torch.func.jvp(predict, (parameters,), (tangents,))
        return predicted, slope

    batched = torch.vmap(derivative, out_dims=(None, 0))  # type: ignore[arg-type]  # None is allowed
    size = sum(value.numel() for value in parameters.values())
    at_once = max(1, min(_AT_ONCE, _ENTRIES // size))
    split = {f"model.{name}": value.split(at_once) for name, value in directions.items()}
    parts = [batched(dict(zip(split, part, strict=True))) for part in zip(*split.values(), strict=True)]
    return parts[0][0], torch.cat([derivatives for _, derivatives in parts])


class FreeRun(nn.Module):
    """A module whose `forward` runs a model freely, as `functional_call` requires.

    It avoids `predict`, which may be fused and have no forward-mode derivatives, and `unroll`, which would keep P
    tangents of every state. Observations are copied, because a view would keep the tangents of the state alive.
    """

    def __init__(self, model: Forecaster, warm_up: int = 0) -> None:
        super().__init__()
        self.model, self.warm_up = model, warm_up

    @override
    def forward(self, windows: Tensor) -> Tensor:
        """Return free-running predictions, `(K, B, W + T + 1, D) -> (K, B, T, D)`."""
        state, observed = self.model.initial_state(windows[:, :, : self.warm_up + 1]), []
        for _ in range(windows.shape[2] - 1 - self.warm_up):
            state = self.model.step(state)
            observed.append(self.model.observe(state.unsqueeze(2)).clone())
        return torch.cat(observed, dim=2)
