"""Time a diagnosis against the obvious methods; `python benchmarks/diagnostics.py` rewrites diagnostics.md."""

from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import process_time

import torch
from machine import measured_on
from reference_loops import backward_per_dimension, backward_per_horizon, published_spectrum
from torch import Tensor

from chaosbench.dynamics import jacobian_growth, log_spaced, lyapunov_spectrum
from chaosbench.models import GRU, LSTM, PLRNN, RNN, Forecaster, ModelSpec
from chaosbench.seeds import seed_generator

STEPS, CONDITIONS = 1_000, 16  # T [steps], B, of gradient growth
ENSEMBLE = 10  # conditions of a spectrum
ROUNDS = 5

GROWTH: tuple[ModelSpec, ...] = (RNN(hidden=30), PLRNN(hidden=30), GRU(hidden=30), LSTM(hidden=30))


def main() -> None:
    """Time both tables, print them and write them to diagnostics.md."""
    torch.set_num_threads(1)
    lines = [*preamble(), *growth_table(), "", *spectrum_table(), ""]
    text = "\n".join(lines)
    print(text)
    Path(__file__).with_suffix(".md").write_text(text)


def preamble() -> list[str]:
    """Return the heading of the page: quantity, machine and command."""
    return [
        "# Diagnosis time against the obvious methods",
        "",
        f"float64, one thread, CPU time, medians of {ROUNDS} interleaved rounds; ratios are medians over rounds.",
        "",
        *measured_on("diagnostics.py"),
        "",
    ]


def growth_table() -> list[str]:
    """Time gradient growth to 1,000 steps against backpropagation."""
    few = log_spaced(STEPS)
    rows = [growth_row(spec, few) for spec in GROWTH]
    return [
        f"## Gradient growth, T = {STEPS}, B = {CONDITIONS}",
        "",
        "There are two rivals: a backward call for each of 1,000 horizons, which gives the gradient of a scalar of the",
        "state, and one for each of S dimensions at the last horizon, which gives the whole Jacobian there. Ours gives",
        f"the norm of the whole Jacobian at {len(few)} log-spaced horizons, or at all 1,000 (infinity, spectral).",
        "",
        "| model | per horizon [s] | per dimension [s] | ours, log-spaced [s] | ratios | all, infinity [s] | ratios "
        "| all, spectral [s] | ratios |",
        "|---|---|---|---|---|---|---|---|---|",
        *rows,
    ]


def growth_row(spec: ModelSpec, few: tuple[int, ...]) -> str:
    """Time an architecture, and return its row."""
    model, states = started(spec, CONDITIONS)
    methods: list[Callable[[], object]] = [
        lambda: backward_per_horizon(model, states, STEPS),
        lambda: backward_per_dimension(model, states, STEPS),
        lambda: jacobian_growth(model, states, steps=STEPS, horizons=few),
        lambda: jacobian_growth(model, states, steps=STEPS, norm="infinity"),
        lambda: jacobian_growth(model, states, steps=STEPS),
    ]
    check_growth(model, states)
    horizon, dimension, *ours = rounds(methods)
    cells = [f"{spec.kind} | {median(horizon):.2f} | {median(dimension):.3f}"]
    for times in ours:
        ratios = [median(a / b for a, b in zip(rival, times, strict=True)) for rival in (horizon, dimension)]
        cells.append(f"{median(times):.3f} | {ratios[0]:.0f}, {ratios[1]:.1f}")
    return f"| {' | '.join(cells)} |"


def spectrum_table() -> list[str]:
    """Time the whole spectrum of a tanh network against the published loop."""
    model, states = started(RNN(hidden=30), ENSEMBLE, scale=3.0)
    weight, bias = model.weight[0].detach(), model.bias[0, 0].detach()  # type: ignore[index]  # of AutonomousRNN
    methods: list[Callable[[], Tensor]] = [
        lambda: published_spectrum(weight, bias, states[0], STEPS),
        *(lambda every=every: lyapunov_spectrum(model, states, steps=STEPS, every=every)[0] for every in (1, 5, 6, 10)),
        lambda: lyapunov_spectrum(model, states, steps=STEPS, every=5, exponents=5)[0],
    ]
    exact = methods[0]().sort(dim=-1, descending=True).values
    names = ("published loop, 1", "1", "5", "6", "10", "5, top five")
    seconds = rounds(list(methods))
    rows = []
    for name, method, times in zip(names, methods, seconds, strict=True):
        ratio = median(a / b for a, b in zip(seconds[0], times, strict=True))
        spectrum = method().sort(dim=-1, descending=True).values
        error = float((spectrum.mean(0) - exact.mean(0)[: spectrum.shape[-1]]).abs().max())
        rows.append(f"| {name} | {median(times):.3f} | {ratio:.1f} | {error:.0e} |")
    return [
        f"## Lyapunov spectrum of a tanh network, M = 30, {ENSEMBLE} conditions, {STEPS} steps",
        "",
        "The published loop steps torch's own layer, forms each Jacobian and makes the diagonal of R positive. Ours",
        "starts from other tangents, so finite runs differ by 2e-3. More than that is precision lost between two",
        "decompositions, in the lowest exponents. The last column is the largest difference [1 / step].",
        "",
        "| steps from one QR to the next | time [s] | ratio | difference |",
        "|---|---|---|---|",
        *rows,
    ]


def started(spec: ModelSpec, conditions: int, *, scale: float = 1.0) -> tuple[Forecaster, Tensor]:
    """Return a model of a single seed in float64 with scaled recurrent weights, and initial states."""
    model = spec.build(3, (0,)).double()
    with torch.no_grad():
        if scale != 1.0:
            model.get_parameter("weight").mul_(scale)
        draws = torch.randn(1, conditions, 3, dtype=torch.float64, generator=seed_generator(0, "benchmark"))
        return model, model.initial_state(draws.unsqueeze(2))


def check_growth(model: Forecaster, states: Tensor) -> None:
    """Assert that our norm equals that of the rival's Jacobian."""
    expected = torch.linalg.matrix_norm(backward_per_dimension(model, states, 20), ord=2).log()
    growth = jacobian_growth(model, states, steps=20, horizons=(20,))[..., 0]
    torch.testing.assert_close(growth, expected, rtol=1e-9, atol=1e-9)


def rounds(methods: list[Callable[[], object]]) -> list[list[float]]:
    """Return the CPU times of each method over interleaved rounds [s]."""
    for method in methods[1:]:
        method()  # the first call allocates
    seconds: list[list[float]] = [[] for _ in methods]
    for _ in range(ROUNDS):
        for times, method in zip(seconds, methods, strict=True):
            begun = process_time()
            method()
            times.append(process_time() - begun)
    return seconds


if __name__ == "__main__":
    main()
