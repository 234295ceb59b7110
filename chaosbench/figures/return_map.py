"""A picture of one maximum after another: Lorenz's way to see a map in a flow."""

from typing import TYPE_CHECKING, Any

import numpy as np

from chaosbench.figures.base import DIVERGED, Picture
from chaosbench.figures.panels import STYLES, Array, diverged_after, new_figure, say, say_diverged
from chaosbench.leaderboard.tidy import Axis, Layout, Quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_JUMPS = 0.5  # autocorrelation over one step below which a series jumps, as that of a map does
_FEW = 3  # pairs that a picture needs
_MARGIN = 0.1  # [std] around the truth's range
_PLURALS = {"maximum": "maxima", "value": "values"}


def returns(truth: Array, free_run: Array) -> dict[str, Any]:
    """What `return_map` draws: the successive maxima of one observable, or its values where the series jumps.

    The observable is the one whose pairs lie nearest to a curve: of the Lorenz system the third.

    Args:
        truth, free_run: `(T, D)`; the free run is NaN from where it diverged.
    """
    jumps = bool(np.median(_next_correlations(truth)) < _JUMPS)
    found = [values if jumps else maxima(values) for values in truth.T]
    place = int(np.argmin([_roughness(values) for values in found]))
    steps = diverged_after(free_run)
    run = free_run[:steps, place]
    return {
        "truth": found[place],
        "free_run": run if jumps else maxima(run),
        "diverged": steps,
        "observable": place + 1.0,
        "what": "value" if jumps else "maximum",
    }


def maxima(series: Array) -> Array:
    """The local maxima of a series `(T,)`, each read off the parabola through its three highest values."""
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
    """Each maximum, or value, over the one before it: the truth's alone, and the free run's on top of the truth's.

    Args:
        truth, free_run: `(P,)`, `(Q,)`, successive maxima or values [std].
        observable: its number, from 1.
        what: "maximum" or "value".
        diverged: after how many steps the free run did [steps]; None where it did not.
        label: of what ran.

    Source:
        Lorenz 1963, Journal of the Atmospheric Sciences 20, 130, figure 4.
    """
    figure = new_figure(8.4, 4.3, label)
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    name = f"{what} of $x_{{{observable:.0f}}}$ [std]"
    for axes, title in ((left, "truth"), (right, "free run")):
        axes.set(title=title, xlabel=name, ylabel=f"next {name}", box_aspect=1)
    _pairs(left, truth, STYLES["truth"]["color"])
    outside = _pairs(right, free_run, STYLES["free run"]["color"], beneath=truth)
    if outside >= 0.005:
        right.set_title(f"free run ({100 * outside:.0f} % outside)")
    for axes, series, steps in ((left, truth, None), (right, free_run, diverged)):
        say_diverged(axes, steps)
        if len(series) <= _FEW and steps != 0:
            say(axes, f"too few to draw: {len(series)} {_PLURALS[what]}", height=0.3)
    return figure


def _pairs(axes: "Axes", series: Array, color: str, *, beneath: Array | None = None) -> float:
    """Draw the pairs in the truth's range; the share of them that lies outside."""
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
    """A dot for each pair: thousands are a curve when they are small, few distinct ones must be seen."""
    distinct = len(np.unique(np.round(series, 2)))
    size = 9.0 if distinct < 30 else 4.0 if len(series) < 1_000 else 1.5
    axes.plot(series[:-1], series[1:], color=color, linestyle="", marker=".", markersize=size)


def _next_correlations(series: Array) -> Array:
    """Return the autocorrelation of each observable over one step, `(T, D) -> (D,)`."""
    import torch  # slow to import, and a ranking does without

    from chaosbench.dynamics import autocorrelation

    correlations: Array = autocorrelation(torch.tensor(series)[None])[1].numpy()
    return correlations


def _roughness(values: Array) -> float:
    """Von Neumann's ratio of what follows, ordered by what came before: 0 on a smooth curve, 2 where nothing is told.

    Source:
        von Neumann 1941, Annals of Mathematical Statistics 12, 367.
    """
    if len(values) <= _FEW or float(np.ptp(values)) == 0:
        return np.inf
    following = values[1:][np.argsort(values[:-1], kind="stable")].astype(np.float64)
    return float(np.square(np.diff(following)).mean() / max(following.var(), 1e-30))


_NUMBER = Axis("number", "", "", "place in the order of time")

RETURN_MAP = Picture(
    return_map,
    Layout(
        "return_map",
        "successive maxima, or values, of one observable; a point of the picture is a number over the one before it",
        {
            "truth": Quantity("std", "of a true orbit", (_NUMBER,)),
            "free_run": Quantity("std", "of a free run", (_NUMBER,)),
            "observable": Quantity("", "number of the observable, from 1"),
            "diverged": DIVERGED,
        },
        ("label", "what"),
    ),
)
