"""Early stopping on validation data: the error of short forecasts decides which weights a seed keeps."""

import torch
from torch import Tensor

from chaosbench.data import Dataset
from chaosbench.models.forecaster import Forecaster
from chaosbench.trainers.training_state import TrainingState

STEPS = 20  # [steps] of each forecast: long enough to see dynamics, short enough for chaos to allow it
_FORECASTS = 256  # at most, evenly spread over the validation orbits
_HISTORY = 200  # [steps] before each forecast, for models whose state depends on them
_PREFIX = "stopping."  # of the names in the extra state


@torch.no_grad()
def validation_error(model: Forecaster, data: Dataset) -> Tensor:
    """Return the mean squared error of forecasts of 20 steps on the validation orbits, `(K,)` [variances].

    The forecasts do not depend on the trainer and draw no random numbers. On short orbits they are shorter.
    """
    orbits = data.validation
    history = 1 if model.resets else min(_HISTORY, orbits.shape[1] // 2)
    steps = min(STEPS, orbits.shape[1] - history)
    windows = orbits.unfold(1, history + steps, 1).flatten(0, 1).mT  # (N, H + steps, D)
    chosen = torch.linspace(0, len(windows) - 1, min(_FORECASTS, len(windows)), dtype=torch.float64).long()
    windows = windows[chosen.to(orbits.device)]
    start = model.initial_state(windows[:, :history].expand(model.seeds, -1, -1, -1).contiguous())
    predicted, _ = model.predict(start, steps)
    return (predicted - windows[:, history:]).double().square().flatten(1).mean(dim=1)


def begin(model: Forecaster) -> dict[str, Tensor]:
    """Return the state of early stopping before the first update, as tensors for the extra state."""
    some = next(model.parameters())
    numbers = {
        "error": some.new_full((model.seeds,), torch.inf, dtype=torch.float64),  # the least so far
        "best_update": some.new_zeros(model.seeds, dtype=torch.float64),
        "waited": some.new_zeros(model.seeds, dtype=torch.float64),  # validations since then
        "stopped_update": some.new_zeros(model.seeds, dtype=torch.float64),  # 0: not yet
    }
    best = {f"best.{name}": value.detach().clone() for name, value in model.named_parameters()}
    return {f"{_PREFIX}{name}": value for name, value in (numbers | best).items()}


@torch.no_grad()
def validate(model: Forecaster, training: TrainingState, *, patience: int, update: int) -> bool:
    """Compare the present weights with the best, seed by seed; return True if every seed has run out of patience.

    A seed that has stopped keeps its best weights, whatever the others do, so that it ends as it would alone.
    """
    state = {name: training.extra_state[f"{_PREFIX}{name}"] for name in _NUMBERS}
    running = state["stopped_update"] == 0
    error = validation_error(model, training.data)
    better = running & (error < state["error"])  # false for NaN
    for name, value in model.named_parameters():
        best = training.extra_state[f"{_PREFIX}best.{name}"]
        best.copy_(torch.where(better.view(-1, *[1] * (value.dim() - 1)), value, best))
    state["error"].copy_(torch.where(better, error, state["error"]))
    state["best_update"].masked_fill_(better, update)
    state["waited"].copy_(torch.where(better, 0.0, state["waited"] + running.double()))
    state["stopped_update"].masked_fill_(running & (state["waited"] >= patience), update)
    return bool((state["stopped_update"] > 0).all())


@torch.no_grad()
def restore_best(model: Forecaster, training: TrainingState) -> None:
    """Set each seed to its best weights; a seed without a finite error keeps those it has."""
    found = training.extra_state[f"{_PREFIX}error"].isfinite()
    for name, value in model.named_parameters():
        best = training.extra_state[f"{_PREFIX}best.{name}"]
        value.copy_(torch.where(found.view(-1, *[1] * (value.dim() - 1)), best, value))


def stopping_records(training: TrainingState | None) -> list[tuple[str, Tensor, str, None]]:
    """Return validation error, best update and the update at which each seed stopped, as rows to record.

    Returns:
        Name, values `(K,)`, unit and None (for the finished model) of each number; empty without early stopping. A
        seed that did not run out of patience has stopped at no update, NaN.
    """
    if training is None or f"{_PREFIX}error" not in training.extra_state:
        return []
    values = {name: training.extra_state[f"{_PREFIX}{name}"].cpu() for name in _NUMBERS}
    stopped = values["stopped_update"]
    return [
        ("training.validation_error", values["error"], "1", None),
        ("training.best_update", values["best_update"], "updates", None),
        ("training.stopped_update", torch.where(stopped > 0, stopped, torch.nan), "updates", None),
    ]


_NUMBERS = ("error", "best_update", "waited", "stopped_update")
