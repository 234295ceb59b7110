"""A picture of successive maxima, which reduce a flow to a map (Lorenz 1963)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from typing_extensions import override

from chaosbench.figures.base import DIVERGED, Arguments, Array, Axis, ExperimentPicture, Layout, Quantity
from chaosbench.figures.panels import STYLES, annotate, annotate_diverged, diverged_after, new_figure, numbered
from chaosbench.figures.records import title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from chaosbench.leaderboard.folder import Stored

_JUMPS = 0.5  # lag-1 autocorrelation below which a series jumps like that of a map
_FEW = 3  # with this many pairs or fewer, nothing is drawn
_MARGIN = 0.1  # [std] around the truth's range
_PLURALS = {"maximum": "maxima", "value": "values"}
_NUMBER = Axis("number", "", "", "position in time")


class ReturnMap(ExperimentPicture):
    """Return map: each maximum, or value for a map, against the previous one; a true orbit and the median free run."""

    kind: Literal["return_map"] = "return_map"
    needs: ClassVar[frozenset[str]] = frozenset({"truth", "free_run", "dt"})
    layout: ClassVar[Layout] = Layout(
        "successive maxima, or values, of one observable; each point of the picture is a number against the previous",
        {
            "truth": Quantity("std", "maxima or values of a true orbit", (_NUMBER,)),
            "free_run": Quantity("std", "maxima or values of a free run", (_NUMBER,)),
            "observable": Quantity("", "number of the observable, from 1"),
            "diverged": DIVERGED,
        },
        ("label", "what"),
    )

    @override
    def arguments(self, stored: "Stored", arrays: Mapping[str, Array]) -> Arguments:
        run = stored.median_run
        return {**returns(arrays["truth"], arrays["free_run"][run]), "label": title(stored, run=run)}

    @override
    def figure(self, arguments: Arguments) -> "Figure":
        return return_map(**arguments)


def returns(truth: Array, free_run: Array) -> dict[str, Any]:
    """Compute the arguments of `return_map`: successive maxima of one observable, or its values if the series jumps.

    The observable is the one whose pairs lie closest to a curve; in the Lorenz system this is the third.

    Args:
        truth, free_run: `(T, D)`; the free run is NaN from the step at which it diverged.
    """
    jumps = bool(np.median(_autocorrelations(truth)) < _JUMPS)
    candidates = [values if jumps else maxima(values) for values in truth.T]
    observable = int(np.argmin([_roughness(values) for values in candidates]))
    steps = diverged_after(free_run)
    run = free_run[:steps, observable]
    return {
        "truth": candidates[observable],
        "free_run": run if jumps else maxima(run),
        "diverged": steps,
        "observable": observable + 1.0,
        "what": "value" if jumps else "maximum",
    }


def maxima(series: Array) -> Array:
    """Return the local maxima of a series `(T,)`, each the peak of the parabola through three samples."""
    if len(series) < 3:
        return np.empty(0)
    before, here, after = (part.astype(np.float64) for part in (series[:-2], series[1:-1], series[2:]))
    top = (here > before) & (here >= after)
    before, here, after = before[top], here[top], after[top]
    heights: Array = here + (after - before) ** 2 / (8 * (2 * here - before - after))
    return heights


def return_map(
    truth: Array,
    free_run: Array,
    *,
    observable: float = 1.0,
    what: str = "maximum",
    diverged: float | None = None,
    label: str = "",
) -> "Figure":
    """Draw each maximum, or value, against the previous one: the truth alone, and the free run on top of the truth.

    Args:
        truth, free_run: `(P,)`, `(Q,)`, successive maxima or values [std].
        observable: number of the observable, from 1.
        what: "maximum" or "value".
        diverged: number of steps after which the free run diverged [steps]; None if it did not.
        label: title of the run.

    Source:
        Lorenz 1963, Journal of the Atmospheric Sciences 20, 130, figure 4.
    """
    figure = new_figure(8.4, 4.3, label)
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    name = f"{what} of {numbered('x', round(observable))} [std]"
    for axes, heading in ((left, "truth"), (right, "free run")):
        axes.set(title=heading, xlabel=name, ylabel=f"next {name}", box_aspect=1)
    _pairs(left, truth, STYLES["truth"]["color"])
    outside = _pairs(right, free_run, STYLES["free run"]["color"], beneath=truth)
    if outside >= 0.005:
        right.set_title(f"free run ({100 * outside:.0f} % out of range)")
    for axes, series, steps in ((left, truth, None), (right, free_run, diverged)):
        annotate_diverged(axes, steps)
        if len(series) <= _FEW and steps != 0:
            annotate(axes, f"too few to draw: {len(series)} {_PLURALS[what]}", height=0.3)
    return figure


def _pairs(axes: "Axes", series: Array, color: str, *, beneath: Array | None = None) -> float:
    """Draw the pairs in the truth's range; return the share of pairs outside it."""
    frame = series if beneath is None or len(beneath) <= _FEW else beneath
    if beneath is not None:
        _dots(axes, beneath, "#BBBBBB")
    _dots(axes, series, color)
    if len(frame) <= 1:
        return 0.0
    low, high = float(frame.min()), float(frame.max())
    limits = low - _MARGIN, high + _MARGIN
    axes.set(xlim=limits, ylim=limits)
    inside = (series >= limits[0]) & (series <= limits[1])
    pairs = inside[1:] & inside[:-1]
    return float(1 - pairs.mean()) if pairs.size else 0.0


def _dots(axes: "Axes", series: Array, color: str) -> None:
    """Draw a dot per pair: small where thousands form a curve, large where few distinct ones must be visible."""
    distinct = len(np.unique(np.round(series, 2)))
    size = 9.0 if distinct < 30 else 4.0 if len(series) < 1_000 else 1.5
    axes.plot(series[:-1], series[1:], color=color, linestyle="", marker=".", markersize=size)


def _autocorrelations(series: Array) -> Array:
    """Return the autocorrelation of each observable over one step, `(T, D) -> (D,)`."""
    import torch  # only drawing needs it

    from chaosbench.dynamics import autocorrelation

    correlations: Array = autocorrelation(torch.tensor(series)[None])[1].numpy()
    return correlations


def _roughness(values: Array) -> float:
    """Return von Neumann's ratio of the next values, sorted by the present ones: 0 on a smooth curve, 2 for noise.

    Source:
        von Neumann 1941, Annals of Mathematical Statistics 12, 367.
    """
    if len(values) <= _FEW or float(np.ptp(values)) == 0:
        return np.inf
    following = values[1:][np.argsort(values[:-1], kind="stable")].astype(np.float64)
    return float(np.square(np.diff(following)).mean() / max(following.var(), 1e-30))
