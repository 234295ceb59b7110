"""Show what a history does to forecasts of a hidden state: `python -m docs.generate.history > docs/history.md`.

An echo state network and a closed-loop LSTM see x of Lorenz-63 alone. Each is trained once and forecasts from the same
test conditions after histories of different lengths. Two controls: an LSTM trained without a warm-up, and a network
that resets, for which the history cannot matter.
"""

from collections.abc import Sequence
from time import perf_counter

import torch
from torch import Tensor

from chaosbench.data import Dataset, DataSpec, simulate
from chaosbench.evaluation import free_run, starting_states
from chaosbench.metrics.valid_prediction_time import valid_prediction_time
from chaosbench.models import LSTM, EchoStateNetwork, Forecaster, ModelSpec, ShallowPLRNN
from chaosbench.systems import Lorenz63
from chaosbench.trainers import BPTT, Ridge, SparseTeacherForcing, TrainerSpec

SEEDS = (0, 1)
CONTEXTS = (1, 10, 50, 200)  # [steps]
CONDITIONS, HORIZON = 100, 1_000  # [steps]
_WINDOWS = {"batch": 32, "sequence_length": 50, "learning_rate": 3e-3, "final_learning_rate": 1e-4}
UPDATES = 1_500
PAIRS: tuple[tuple[ModelSpec, TrainerSpec], ...] = (
    (EchoStateNetwork(), Ridge()),
    (LSTM(hidden=32, form="closed_loop"), BPTT(updates=UPDATES, warm_up=100, **_WINDOWS)),
    (LSTM(hidden=32, form="closed_loop"), BPTT(updates=UPDATES, **_WINDOWS)),
    (ShallowPLRNN(hidden=50), SparseTeacherForcing(updates=UPDATES, interval=20, **_WINDOWS)),
)


def main() -> None:
    """Print the page."""
    torch.set_num_threads(1)
    began = perf_counter()
    data = simulate(Lorenz63(), DataSpec(observed=(0,))).to("cpu", torch.float32)
    rows = [row(model, trainer, data) for model, trainer in PAIRS]
    print(page(rows, perf_counter() - began), end="")


def row(spec: ModelSpec, trainer: TrainerSpec, data: Dataset) -> str:
    """Train a model and return its row of the table."""
    model = spec.build(data.dimension, SEEDS)
    for _ in trainer.fit(model, data, SEEDS):
        pass
    cells = [" / ".join(f"{time:.2f}" for time in valid_times(model, data, context)) for context in CONTEXTS]
    warm_up = getattr(trainer, "warm_up", 0)
    return f"| `{spec.label}` | `{trainer.kind}` | {warm_up} | {' | '.join(cells)} |"


@torch.no_grad()
def valid_times(model: Forecaster, data: Dataset, context: int) -> list[float]:
    """Return the median valid prediction time of each seed [Lyapunov times], at conditions equal for all contexts."""
    orbits, times = data.conditions(CONDITIONS, HORIZON, context=max(CONTEXTS))
    forecast = free_run(model, starting_states(model, data.histories(orbits, times, context)), HORIZON)
    future: Tensor = data.test.unfold(1, HORIZON, 1)[orbits, times + 1].mT
    assert data.largest_exponent is not None
    scale = data.train.flatten(0, 1).std(dim=0)
    valid = valid_prediction_time(forecast, future, dt=data.dt * data.largest_exponent, scale=scale)
    return [float(time) for time in valid.median(dim=-1).values]


def page(rows: Sequence[str], seconds: float) -> str:
    """Return the page as Markdown."""
    return "\n".join(
        (
            "# A history in place of one observation",
            "",
            "Forecasts of Lorenz-63 from x alone: median valid prediction time over "
            f"{CONDITIONS} test conditions [Lyapunov times],",
            f"seeds {' / '.join(map(str, SEEDS))}, after histories of {', '.join(map(str, CONTEXTS[:-1]))} and "
            f"{CONTEXTS[-1]} steps (`evaluation.context`). The conditions and",
            "the trained model are the same in every column. y and z are hidden, so that a single observation does not",
            "determine the future; a network with a hidden state can infer them from the history.",
            "",
            f"| model | trainer | `warm_up` | {' | '.join(f'H = {context}' for context in CONTEXTS)} |",
            f"|---|---|---|{'---|' * len(CONTEXTS)}",
            *rows,
            "",
            "The last two rows are controls. The LSTM that is trained without a warm-up sees equally many predicted",
            "observations, but starts every window from an empty hidden state. The shallow PLRNN resets: its state is",
            "the observation, so that the history changes nothing.",
            "",
            f"Budget: {UPDATES:,} updates on 32 windows of 50 predicted steps, and for the warm-up 100 more steps at",
            f"the head of each window; {seconds / 60:.0f} minutes of one shared core for the page. Two seeds show an",
            "effect of this size and do not rank models. Made by `python -m docs.generate.history > docs/history.md`.",
            "",
        )
    )


if __name__ == "__main__":
    main()
