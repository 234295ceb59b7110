"""Panels and styles shared by pictures: readable without colour and by the colour-blind (Okabe and Ito's palette)."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from chaosbench.figures.base import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLES: dict[str, dict[str, Any]] = {
    "truth": {"color": "#000000", "linestyle": "-", "linewidth": 1.4},
    "free run": {"color": "#D55E00", "linestyle": (0, (4, 1.5)), "linewidth": 1.4},
    "seed": {"color": "#56B4E9", "linestyle": "-", "linewidth": 0.7},
    "seed histogram": {"color": "#0072B2", "linestyle": "-", "linewidth": 0.6},
    "median": {"color": "#0072B2", "linestyle": "-", "linewidth": 2.0},
    "start": {"color": "#999999", "linestyle": (0, (1, 1.2)), "linewidth": 1.0},
    "limit": {"color": "#000000", "linestyle": (0, (4, 2)), "linewidth": 1.0},
    "model slope": {"color": "#D55E00", "linestyle": (0, (5, 1.5)), "linewidth": 2.6, "zorder": 1.5},
    "system slope": {"color": "#000000", "linestyle": (0, (5, 1.5, 1, 1.5)), "linewidth": 1.4, "zorder": 4},
    "end": {"color": "#D55E00", "linestyle": "", "marker": "X", "markersize": 7, "zorder": 5},
}

# Styles of curves in one panel; each has its own colour, dashes and marker.
CURVES: list[dict[str, Any]] = [
    {"color": "#0072B2", "linestyle": "-", "marker": "o"},
    {"color": "#D55E00", "linestyle": (0, (5, 1.5)), "marker": "s"},
    {"color": "#009E73", "linestyle": (0, (1, 1)), "marker": "^"},
    {"color": "#000000", "linestyle": (0, (5, 1.5, 1, 1.5)), "marker": "D"},
    {"color": "#CC79A7", "linestyle": (0, (3, 1, 1, 1, 1, 1)), "marker": "v"},
    {"color": "#E69F00", "linestyle": (0, (8, 2)), "marker": "P"},
]

_MARGIN = 0.1  # shown around the truth, as a share of its range


def new_figure(width: float, height: float, label: str) -> "Figure":
    """Return an empty figure with the title of the run; width and height in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    if label:
        # Labels are plain text and may be longer than the picture is wide.
        title = textwrap.fill(label, max(40, int(width * 13)))
        figure.suptitle(title, fontsize=9, parse_math=False)
    return figure


def paired_panels(figure: "Figure", *, solid: bool) -> tuple["Axes", "Axes"]:
    """Return two panels side by side, three-dimensional if `solid`."""
    if not solid:
        left, right = figure.subplots(1, 2)
        return left, right
    # The layout engine ignores the labels of 3-D axes: leave room for them.
    figure.set_layout_engine("constrained", rect=(0.0, 0.0, 0.94, 1.0), wspace=0.12)
    left, right = figure.subplots(1, 2, subplot_kw={"projection": "3d"})
    for axes in (left, right):
        axes.tick_params(labelsize=8)
    return left, right


def true_panel(axes: "Axes", truth: Array, names: Sequence[str]) -> None:
    """Draw the true orbit `(T, D)`."""
    _orbit(axes, truth, truth, names, "truth")
    axes.set_title("truth")


def generated_panel(axes: "Axes", free_run: Array, truth: Array, names: Sequence[str]) -> None:
    """Draw the free run in the truth's ranges; the title reports the share outside, and a note if it diverged."""
    outside = _orbit(axes, free_run, truth, names, "free run")
    axes.set_title(f"free run ({100 * outside:.0f} % out of range)" if outside >= 0.005 else "free run")
    annotate_diverged(axes, diverged_after(free_run))


def diverged_after(series: Array) -> int | None:
    """Return the number of finite steps before the series `(T, D)` diverged; None if all are finite."""
    finite = np.isfinite(series).all(axis=1)
    return None if finite.all() else int(np.argmin(finite))


def annotate_diverged(axes: "Axes", steps: float | None) -> None:
    """Write across the panel after how many steps a run diverged; do nothing for None."""
    if steps is not None:
        annotate(axes, f"diverged after {steps:.0f} steps" if steps else "diverged")


def annotate(axes: "Axes", text: str, *, height: float = 0.5) -> None:
    """Write a text across the panel, at a height given as a share of the panel."""
    box = {"facecolor": "white", "edgecolor": "#D55E00", "boxstyle": "round"}
    centred: dict[str, Any] = {"transform": axes.transAxes, "ha": "center", "va": "center"}
    # On 3-D axes text() expects a depth, and text2D() does not.
    getattr(axes, "text2D", axes.text)(0.5, height, text, bbox=box, **centred)


def count_diverged(axes: "Axes", diverged: Array) -> None:
    """Add the number of diverged seeds to the title, and a note if all diverged; `diverged` is a mask `(K,)`."""
    if diverged.any():
        count = f"{int(diverged.sum())} of {len(diverged)} seeds diverged"
        axes.set_title(f"{axes.get_title()}: {count}" if axes.get_title() else count)
    if diverged.all():
        annotate(axes, "diverged")


def observables(names: Sequence[str], count: int) -> Sequence[str]:
    """Return the names of the observables, or x₁, x₂, ... if there are none."""
    return names if len(names) else [numbered("x", index + 1) for index in range(count)]


def numbered(letter: str, number: int) -> str:
    """Return a letter with its index below the line, such as λ₁; formulas are slow to draw."""
    return letter + str(number).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))


def sparse_ticks(axes: "Axes", directions: str) -> None:
    """Use few ticks on the logarithmic axes in `directions`, "x", "y" or "xy", with plain labels.

    Ticks without labels, and powers as formulas, are slow to draw.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator, StrMethodFormatter

    for direction in directions:
        axis = getattr(axes, f"{direction}axis")
        low, high = getattr(axes, f"get_{direction}lim")()
        if high >= 100 * low:
            axis.set_minor_locator(NullLocator())
            axis.set_major_formatter(FuncFormatter(lambda value, _: _power_of_ten(value)))
        else:
            axis.set_minor_locator(LogLocator(subs=(2, 5)))
            axis.set_minor_formatter(StrMethodFormatter("{x:g}"))
            axis.set_major_formatter(StrMethodFormatter("{x:g}"))


def _power_of_ten(value: float) -> str:
    """Return 0.001 as 10⁻³; any other number, as an ordinary one."""
    exponent = round(float(np.log10(value)))
    if not np.isclose(value, 10.0**exponent, rtol=1e-9):
        return f"{value:g}"
    return "10" + str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def legend(axes: "Axes", **settings: Any) -> None:
    """Add a legend with one entry per label, if there are labels; curves of several seeds share a label.

    Give `loc` for curves of thousands of points: finding the best location takes seconds there.
    """
    lines, labels = axes.get_legend_handles_labels()
    unique = dict(zip(labels, lines, strict=True))
    if unique:
        axes.legend(unique.values(), unique.keys(), fontsize=8, **settings)


def _orbit(axes: Any, series: Array, truth: Array, names: Sequence[str], style: str) -> float:
    """Draw a series within the truth's ranges; return the share of its finite steps outside them."""
    points, frame = _embedded(series), _embedded(truth)
    low, high = frame.min(axis=0), frame.max(axis=0)
    margin = _MARGIN * np.where(high > low, high - low, 1.0)
    finite = np.isfinite(points).all(axis=1)
    inside = finite & (np.abs(points - (low + high) / 2) <= (high - low) / 2 + margin).all(axis=1)
    shown = np.where(inside[:, None], points, np.nan)  # 3-D axes do not clip at their limits
    color = STYLES[style]["color"]
    if points.shape[1] == 3:
        axes.plot(*shown.T, color=color, linewidth=0.4)
    if points.shape[1] < 3 or _settled(shown, margin):
        size = 7.0 if _settled(shown, margin) else 1.5
        axes.plot(*shown.T, color=color, linestyle="", marker=".", markersize=size)
    for axis, name, bottom, top in zip("xyz", _labels(names, series), low - margin, high + margin, strict=False):
        axes.set(**{f"{axis}lim": (bottom, top), f"{axis}label": name})
    return float(1 - inside.sum() / finite.sum()) if finite.any() else 0.0


def _settled(points: Array, margin: Array) -> bool:
    """Return True if the second half is a fixed point or a short cycle, which thin lines and small dots would hide."""
    late = points[len(points) // 2 :]
    return len(np.unique(np.round(late[np.isfinite(late).all(axis=1)] / margin, 1), axis=0)) < 30


def _embedded(series: Array) -> Array:
    """Return the points to draw: the first three observables, or pairs of successive values of a single one."""
    if series.shape[1] == 1:
        return np.column_stack([series[:-1, 0], series[1:, 0]])
    return series[:, :3]


def _labels(names: Sequence[str], series: Array) -> list[str]:
    if series.shape[1] == 1:
        return [f"{names[0]} [std]", f"next {names[0]} [std]"]
    return [f"{name} [std]" for name in names[:3]]
