"""A picture of power spectra: the truth and a free run."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from typing_extensions import override

from chaosbench.figures.base import DIVERGED, OBSERVABLE, Arguments, Array, Axis, ExperimentPicture, Layout, Quantity
from chaosbench.figures.panels import (
    STYLES,
    annotate_diverged,
    diverged_after,
    legend,
    new_figure,
    observables,
    sparse_ticks,
)
from chaosbench.figures.records import title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from chaosbench.leaderboard.folder import Stored

_SHOWN = 3  # observables


def _power(description: str, frequencies: str) -> Quantity:
    axes = (Axis("frequency", frequencies, "1 / system time", "frequency"), OBSERVABLE)
    return Quantity("share of the total", description, axes)


class PowerSpectrum(ExperimentPicture):
    """The smoothed power spectra of a true orbit and of the free run of the median seed."""

    kind: Literal["spectrum"] = "spectrum"
    needs: ClassVar[frozenset[str]] = frozenset({"truth", "free_run", "dt"})
    layout: ClassVar[Layout] = Layout(
        "smoothed power spectra of a true orbit and of a free run of the trained model",
        {
            "truth": _power("power of a true orbit", "frequencies"),
            "free_run": _power("power of a free run", "run_frequencies"),
            "diverged": DIVERGED,
        },
    )

    @override
    def arguments(self, stored: "Stored", arrays: Mapping[str, Array]) -> Arguments:
        run = stored.median_run
        curves = spectra(arrays["truth"], arrays["free_run"][run], float(arrays["dt"].item()))
        return {**curves, "label": title(stored, run=run)}

    @override
    def figure(self, arguments: Arguments) -> "Figure":
        return spectrum(**arguments)


def spectra(truth: Array, free_run: Array, dt: float) -> dict[str, Any]:
    """Compute the arguments of `spectrum` from a true orbit and a free run.

    Args:
        truth, free_run: `(T, D)`; the free run is NaN from the step at which it diverged.
        dt: time per step [system time].
    """
    from chaosbench.metrics import power_spectrum  # imports torch, which only drawing needs

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
    """Draw the smoothed power spectra of the truth and of a free run, one panel per observable.

    Args:
        frequencies, run_frequencies: `(F,)` [1 / system time].
        truth, free_run: `(F, D)`, power [share of the total]; None for a free run that diverged.
        diverged: number of steps after which the free run diverged [steps]; None if it did not.
        names: names of the observables.
        label: title of the run.
    """
    shown = truth.shape[1]
    figure = new_figure(2.9 * shown + 1.2, 3.5, label)
    panels = figure.subplots(1, shown, sharey=True, squeeze=False)[0]
    for index, (name, axes) in enumerate(zip(observables(names, shown), panels, strict=False)):
        axes.loglog(frequencies, truth[:, index], label="truth", **STYLES["truth"])
        if free_run is not None:
            axes.loglog(run_frequencies, free_run[:, index], label="free run", **STYLES["free run"])
        axes.set(xlabel="frequency [1 / system time]", title=name)
        sparse_ticks(axes, "xy")
        annotate_diverged(axes, diverged)
    panels[0].set_ylabel("power [share of the total]")
    legend(panels[0], loc="lower left")
    return figure
