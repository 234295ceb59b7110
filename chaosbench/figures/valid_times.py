"""A picture of valid prediction times: the trained models beside the perturbed true system."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from typing_extensions import override

from chaosbench.figures.base import SEED, Arguments, Array, Axis, ExperimentPicture, Layout, Quantity
from chaosbench.figures.panels import STYLES, legend, new_figure
from chaosbench.figures.records import seeds, title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from chaosbench.leaderboard.folder import Stored

_BINS = 20
_CONDITION = Axis("condition", "", "", "number of the test condition")


class ValidTimes(ExperimentPicture):
    """Histograms of the valid prediction times of all seeds, and of the true system started with a small error."""

    kind: Literal["valid_times"] = "valid_times"
    needs: ClassVar[frozenset[str]] = frozenset({"valid_times"})
    layout: ClassVar[Layout] = Layout(
        "valid prediction times over the test conditions",
        {
            "model": Quantity("Lyapunov times", "valid prediction time of a model", (SEED, _CONDITION)),
            "twin": Quantity(
                "Lyapunov times", "valid prediction time of the true system started with a small error", (_CONDITION,)
            ),
            "threshold": Quantity("std", "largest error of a valid forecast"),
        },
    )

    @override
    def arguments(self, stored: "Stored", arrays: Mapping[str, Array]) -> Arguments | None:
        if not np.isfinite(arrays["valid_times"]).any():  # the system has no Lyapunov time
            return None
        twin = arrays.get("twin_valid_times")
        return {"model": arrays["valid_times"], "twin": twin, "seeds": seeds(stored), "label": title(stored)}

    @override
    def figure(self, arguments: Arguments) -> "Figure":
        return valid_times(**arguments)


def valid_times(
    model: Array,
    *,
    twin: Array | None = None,
    threshold: float = 0.4,
    seeds: Sequence[int] = (),
    label: str = "",
) -> "Figure":
    """Draw histograms of valid prediction times over the test conditions.

    Args:
        model: `(K, C)`; zero where the first step is wrong, so a seed that diverged has zeros [Lyapunov times].
        twin: `(C,)`, the true system started with a small error: the longest time one can hope for [Lyapunov times].
        threshold: largest error of a valid forecast [std].
        seeds: seed of each row; not drawn.
        label: title of the run.
    """
    del seeds
    figure = new_figure(6.4, 3.8, label)
    axes = figure.subplots()
    times = model if twin is None else np.concatenate([model, twin[None]])
    finite = times[np.isfinite(times)]
    longest = float(finite.max()) if finite.size and finite.max() > 0 else 1.0
    edges = np.linspace(0, longest, _BINS + 1)
    shares = np.stack([_shares(row, edges) for row in model])
    median = f"median {np.nanmedian(model):.2g}" if np.isfinite(model).any() else "none finite"
    axes.stairs(shares.mean(axis=0), edges, fill=True, color="#56B4E9", alpha=0.6, label=f"model, all seeds: {median}")
    for share in shares if len(shares) > 1 else ():
        axes.stairs(share, edges, label="each seed", **STYLES["seed histogram"])
    if twin is not None:
        name = f"true system, perturbed: median {np.nanmedian(twin):.2g}"
        axes.stairs(_shares(twin, edges), edges, label=name, **STYLES["free run"])
    axes.set(
        xlabel=f"valid prediction time, error up to {threshold:g} std [Lyapunov times]",
        ylabel="share of the conditions",
        xlim=(0, longest),
    )
    legend(axes)
    return figure


def _shares(times: Array, edges: Array) -> Array:
    """Return the share of all conditions in each bin; times that are not finite are in no bin."""
    counts: Array = np.histogram(times[np.isfinite(times)], edges)[0] / max(1, times.size)
    return counts
