"""A picture of how the orbits move in time: their power spectra."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from chaosbench.figures.base import DIVERGED, OBSERVABLE, Picture
from chaosbench.figures.panels import (
    STYLES,
    Array,
    diverged_after,
    legend,
    new_figure,
    observables,
    say_diverged,
    sparse_ticks,
)
from chaosbench.leaderboard.tidy import Axis, Layout, Quantity

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SHOWN = 3  # observables


def spectra(truth: Array, free_run: Array, dt: float) -> dict[str, Any]:
    """What `spectrum` draws of the truth and of a free run.

    Args:
        truth, free_run: `(T, D)`; the free run is NaN from where it diverged.
        dt: [system time] per step.
    """
    from chaosbench.metrics import power_spectrum  # brings torch, which a ranking does without

    shown, steps = slice(min(_SHOWN, truth.shape[1])), diverged_after(free_run)
    return {
        "frequencies": np.fft.rfftfreq(len(truth), dt)[1:],
        "truth": power_spectrum(truth[:, shown])[1:],
        "run_frequencies": None if steps is not None else np.fft.rfftfreq(len(free_run), dt)[1:],
        "free_run": None if steps is not None else power_spectrum(free_run[:, shown])[1:],
        "diverged": steps,
    }


def spectrum(
    frequencies: Array,
    truth: Array,
    run_frequencies: Array | None = None,
    free_run: Array | None = None,
    *,
    diverged: float | None = None,
    names: Sequence[str] = (),
    label: str = "",
) -> "Figure":
    """The smoothed power spectra of the truth and of a free run, a panel for each observable.

    Args:
        frequencies, run_frequencies: `(F,)` [1 / system time].
        truth, free_run: `(F, D)`, power [share of the total]; None for a free run that diverged.
        diverged: after how many steps [steps]; None where it did not.
        names: of the observables.
        label: of what ran.
    """
    shown = truth.shape[1]
    figure = new_figure(2.9 * shown + 1.2, 3.5, label)
    panels = figure.subplots(1, shown, sharey=True, squeeze=False)[0]
    for place, (name, axes) in enumerate(zip(observables(names, shown), panels, strict=False)):
        axes.loglog(frequencies, truth[:, place], label="truth", **STYLES["truth"])
        if free_run is not None:
            axes.loglog(run_frequencies, free_run[:, place], label="free run", **STYLES["free run"])
        axes.set(xlabel="frequency [1 / system time]", title=name)
        sparse_ticks(axes, "xy")
        say_diverged(axes, diverged)
    panels[0].set_ylabel("power [share of the total]")
    legend(panels[0], loc="lower left")
    return figure


SPECTRUM = Picture(
    spectrum,
    Layout(
        "spectrum",
        "smoothed power spectra of a true orbit and of the free run of the trained model",
        {
            "truth": Quantity(
                "share of the total",
                "power of a true orbit",
                (Axis("frequency", "frequencies", "1 / system time", "frequency"), OBSERVABLE),
            ),
            "free_run": Quantity(
                "share of the total",
                "power of a free run",
                (Axis("frequency", "run_frequencies", "1 / system time", "frequency"), OBSERVABLE),
            ),
            "diverged": DIVERGED,
        },
    ),
)
