"""Measure energy error and time of each method of integration: `python -m benchmarks.integration_methods`."""

import time
from collections.abc import Callable

import torch

from chaosbench.dynamics import Method, finite_time_exponents, orbit
from chaosbench.exponents.conservation import energy_drift
from chaosbench.systems import HenonHeiles

_CASES: tuple[tuple[Method, float], ...] = (
    ("dop853", 0.1),
    ("dop853", 0.25),
    ("dop853", 0.5),
    ("adaptive", 0.5),
    ("gauss", 0.25),
    ("gauss", 0.5),
)
_TIME = 250.0  # [system time]


def main() -> None:
    """Print a row per method and step, as docs/flows.md has them."""
    start = torch.tensor([HenonHeiles.start], dtype=torch.float64)
    for method, dt in _CASES:
        system, steps = HenonHeiles(method=method, dt=dt), round(_TIME / dt)
        drift = float(energy_drift(system, start, steps=steps, samples=1000))
        alone = _milliseconds(lambda s=system, n=steps: orbit(s, start, steps=n))  # type: ignore[misc]
        carried = _milliseconds(lambda s=system, n=steps: finite_time_exponents(s, start, steps=n))  # type: ignore[misc]
        print(f"| `{method}` | {dt} | {drift:.0e} | {alone / _TIME:.2g} | {carried / _TIME:.2g} |", flush=True)


def _milliseconds(work: Callable[[], object]) -> float:
    """Return the least processor time of two repetitions behind one that is not counted [ms]."""
    times = []
    for _ in range(3):
        began = time.process_time()
        work()
        times.append(1000 * (time.process_time() - began))
    return min(times[1:])


if __name__ == "__main__":
    main()
