"""Pictures of a trained model beside the truth; matplotlib is imported when something is drawn."""

import math
import statistics
import uuid
from collections.abc import Collection, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from chaosbench.leaderboard.folder import Stored, forecast, read
from chaosbench.report.divergence import divergence
from chaosbench.report.panels import STYLES, Array, generated_panel, new_figure, paired_panels, say_diverged, true_panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Curve = Mapping[int, float | None]  # value by update; None where the seed had diverged


def available() -> bool:
    """Whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def draw(folder: Path) -> list[Path]:
    """Draw `attractor.png`, `spectrum.png` and `gradients.png` of a published experiment beside its numbers.

    Returns:
        What was drawn: nothing without matplotlib, and only what there are arrays and records for.
    """
    if not available():
        return []
    stored, arrays = read(folder), forecast(folder)
    run = stored.runs[0]
    label = f"{run['trainer']} on {run['model']}, {run['system']}"
    drawn: dict[str, Figure] = {}
    if {"truth", "free_run", "dt"} <= arrays.keys():
        place = median_seed(stored)
        truth, free_run = arrays["truth"], arrays["free_run"][place]
        of_seed = f"{label}, seed {stored.runs[place]['seed']}"
        drawn["attractor.png"] = attractor(arrays.get("measured", truth), free_run, label=of_seed)
        drawn["spectrum.png"] = spectrum(truth, free_run, float(arrays["dt"].item()), label=of_seed)
    if {"divergence", "divergence_times", "divergence_fit"} <= arrays.keys():
        slope, interval, start, stop = arrays["divergence_fit"].tolist()
        drawn["divergence.png"] = divergence(
            arrays["divergence_times"],
            arrays["divergence"],
            slope=slope,
            interval=interval,
            fit=(start, stop),
            dt=float(arrays["dt"].item()),
            label=run["system"],
        )
    if norms := gradient_norms(stored):
        clip = stored.experiment["trainer"].get("clip_norm")
        drawn["gradients.png"] = gradients(norms, clip=clip, label=label)
    return [_saved(figure, folder / name) for name, figure in drawn.items()]


def median_seed(stored: Stored) -> int:
    """The place among the runs of the seed that is median by the first metric; a diverged seed is worse than any."""
    finals = [row for row in stored.records if row["update"] is None and row["better"]]
    named = [row for row in finals if row["name"] == finals[0]["name"]]
    sign = -1 if named and named[0]["better"] == "higher" else 1
    costs = {row["seed"]: sign * row["value"] for row in named if row["value"] is not None}
    order = sorted(range(len(stored.runs)), key=lambda place: costs.get(stored.runs[place]["seed"], math.inf))
    return order[(len(order) - 1) // 2]


def gradient_norms(stored: Stored) -> dict[int, Curve]:
    """By seed, the recorded gradient norms by update."""
    norms: dict[int, dict[int, float | None]] = {}
    for row in stored.records:
        if row["update"] is not None and row["name"].partition("(")[0] == "gradient_norm":
            norms.setdefault(row["seed"], {})[row["update"]] = row["value"]
    return dict(norms)


def attractor(truth: Array, free_run: Array, *, names: Sequence[str] = (), label: str = "") -> "Figure":
    """The true orbit beside a generated one, in the same ranges.

    From three observables on a curve in the first three, of two the points of the plane, of one the next value over
    this one.

    Args:
        truth, free_run: `(T, D)`, standardised; the free run is NaN from where it diverged.
        names: of the observables.
        label: of what ran.
    """
    names = _names(names, truth)
    figure = new_figure(8.4, 4.3, label)
    left, right = paired_panels(figure, solid=truth.shape[1] > 2)
    true_panel(left, truth, names)
    generated_panel(right, free_run, truth, names)
    return figure


def spectrum(truth: Array, free_run: Array, dt: float, *, names: Sequence[str] = (), label: str = "") -> "Figure":
    """The smoothed power spectra of the truth and of a free run, a panel for each of the first three observables.

    Args:
        truth, free_run: `(T, D)`; the free run is NaN from where it diverged.
        dt: [system time] per step.
        names: of the observables.
        label: of what ran.
    """
    from chaosbench.metrics import power_spectrum  # brings torch, which a ranking does without

    shown = min(3, truth.shape[1])
    figure = new_figure(2.9 * shown + 1.2, 3.5, label)
    panels = figure.subplots(1, shown, sharey=True, squeeze=False)[0]
    series = {"truth": truth, "free run": free_run}
    for name, values in series.items():
        if not np.isfinite(values).all():
            continue
        frequencies, power = np.fft.rfftfreq(len(values), dt)[1:], power_spectrum(values)[1:]
        for place, axes in enumerate(panels):
            axes.loglog(frequencies, power[:, place], label=name, **STYLES[name])
    for name, axes in zip(_names(names, truth), panels, strict=False):
        axes.set(xlabel="frequency [1 / system time]", title=name)
        say_diverged(axes, free_run)
    panels[0].set_ylabel("power [share of the total]")
    panels[0].legend()
    return figure


def gradients(norms: Mapping[int, Curve], *, clip: float | None = None, label: str = "") -> "Figure":
    """The gradient norm before clipping over training: a thin line per seed, a thick one for their median.

    Args:
        norms: by seed, the norms by update.
        clip: norm at which the trainer clips, drawn as a line.
        label: of what ran.
    """
    figure = new_figure(6.4, 3.8, label)
    axes = figure.subplots()
    axes.set(xlabel="training [updates]", ylabel="gradient norm before clipping [1]", yscale="log")
    curves = [sorted(curve.items()) for curve in norms.values()]
    finite = [[(update, value) for update, value in curve if value is not None and value > 0] for curve in curves]
    for curve in finite:
        axes.plot(*_columns(curve), label="each seed", **STYLES["seed"])
    axes.plot(*_columns(_median_curve(norms.values())), label="median over seeds", **STYLES["median"])
    if clip is not None:
        axes.axhline(clip, label=f"clipped at {clip:g}", **STYLES["limit"])
    ends = [drawn[-1] for curve, drawn in zip(curves, finite, strict=True) if drawn and curve[-1][1] is None]
    if ends:
        axes.plot(*_columns(ends), label="diverged from here", **STYLES["end"])
    if not any(finite):
        say_diverged(axes, np.full((1, 1), np.nan))
    lines, labels = axes.get_legend_handles_labels()
    once = dict(zip(labels, lines, strict=True))  # the seeds' lines share one entry
    axes.legend(once.values(), once.keys())
    return figure


def _columns(points: Sequence[tuple[int, float]]) -> tuple[list[int], list[float]]:
    return [update for update, _ in points], [value for _, value in points]


def _median_curve(curves: Collection[Curve]) -> list[tuple[int, float]]:
    """The median over seeds by update, as long as most seeds live."""
    middle = []
    for update in sorted({update for curve in curves for update in curve}):
        values = [curve[update] for curve in curves if update in curve]
        middle.append((update, statistics.median([math.inf if value is None else value for value in values])))
    return [(update, value) for update, value in middle if 0 < value < math.inf]


def _names(names: Sequence[str], truth: Array) -> Sequence[str]:
    return names or [f"$x_{{{place + 1}}}$" for place in range(truth.shape[1])]


def _saved(figure: "Figure", path: Path) -> Path:
    """Write beside, then rename: a reader sees the whole picture or none."""
    beside = path.with_name(f".{uuid.uuid4().hex}.png")
    try:
        figure.savefig(beside, dpi=150)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return path
