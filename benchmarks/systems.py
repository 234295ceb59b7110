"""Time orbits and spectra against scipy and dysts: `python benchmarks/systems.py > benchmarks/systems.md`.

All rivals take turns in the same process on one thread; each number is the median of `REPEATS` runs.
"""

import importlib.util
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from scipy.integrate import solve_ivp

from chaosbench.dynamics import finite_time_exponents, orbit
from chaosbench.intervals import half_width
from chaosbench.systems import Lorenz63

REPEATS = 5
POINTS = 100_000
LARGEST = 0.9056  # Sprott 2003, Chaos and Time-Series Analysis


def main() -> None:
    torch.set_num_threads(1)
    lorenz = Lorenz63()
    starts = lorenz.initial_state(1000, torch.Generator().manual_seed(0))
    rivals: dict[str, Callable[[], object]] = {
        "chaosbench, 1,000 orbits of 100 points": lambda: ensemble(lorenz, starts),
        "scipy DOP853, rtol 1e-10, one orbit": lambda: adaptive(starts[0].numpy()),
    }
    if importlib.util.find_spec("dysts"):
        rivals["dysts as it is, one orbit"] = by_dysts
    medians = side_by_side(rivals)
    print("# Speed of orbits and spectra\n")
    print(f"Medians of {REPEATS} runs side by side, one thread, torch {torch.__version__.split('+')[0]}.\n")
    print(f"| {POINTS:,} points of Lorenz-63 | seconds | times as long |\n|---|---|---|")
    fastest = medians["chaosbench, 1,000 orbits of 100 points"]
    for name, median in medians.items():
        print(f"| {name} | {median:.3f} | {median / fastest:.0f} |")
    if not importlib.util.find_spec("dysts"):
        print("\ndysts is not installed here and was not timed.")
    print(f"\nLargest error of those orbits against DOP853 with rtol 1e-13: {error(lorenz, starts):.0e}.\n")
    print_spectrum(lorenz)


def side_by_side(rivals: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Return the median time of each rival [s]; they take turns, so that load affects them alike."""
    seconds: dict[str, list[float]] = {name: [] for name in rivals}
    for _ in range(REPEATS):
        for name, rival in rivals.items():
            began = time.perf_counter()
            rival()
            seconds[name].append(time.perf_counter() - began)
    return {name: statistics.median(values) for name, values in seconds.items()}


def ensemble(lorenz: Lorenz63, starts: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return orbit(lorenz, starts, steps=POINTS // len(starts))


def adaptive(start: np.ndarray, points: int = POINTS, tolerance: float = 1e-10) -> np.ndarray:
    times = 0.01 * np.arange(1, points + 1)
    span = (0.0, times[-1])
    return solve_ivp(field, span, start, method="DOP853", rtol=tolerance, atol=tolerance, t_eval=times).y.T


def field(_: float, state: np.ndarray) -> list[float]:
    x, y, z = state
    return [10.0 * (y - x), x * (28.0 - z) - y, x * y - 8 / 3 * z]


def by_dysts() -> object:
    from dysts.flows import Lorenz

    return Lorenz().make_trajectory(POINTS, dt=0.01)


def error(lorenz: Lorenz63, starts: torch.Tensor) -> float:
    orbits = ensemble(lorenz, starts)[:20].numpy()
    return max(float(np.abs(orbits[i] - adaptive(starts[i].numpy(), 100, 1e-13)).max()) for i in range(20))


def print_spectrum(lorenz: Lorenz63) -> None:
    """Print the spectrum at a coarse step, whose error of 3e-6 per unit of time does not affect the exponents."""
    coarse = lorenz.replaced(dt=0.04)
    began = time.perf_counter()
    states = coarse.initial_state(512, torch.Generator().manual_seed(0))
    each = finite_time_exponents(coarse, states, steps=1500, transient=120, every=5, dt=coarse.dt)
    seconds = time.perf_counter() - began
    mean, interval = each.mean(0), half_width(each.std(0), len(each))
    values = ", ".join(
        f"{value:.4f} ± {width:.4f}" for value, width in zip(mean.tolist(), interval.tolist(), strict=True)
    )
    print(f"Spectrum of Lorenz-63, initial states included, in {seconds:.1f} s: {values} (95 %);")
    print(f"the largest differs from the published {LARGEST} by {abs(float(mean[0]) - LARGEST):.4f}.")


if __name__ == "__main__":
    main()
