"""A picture of how gradients grow with the horizon, and of the exponent that Theorem 2 says they grow with."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from chaosbench.figures.base import SEED, Picture
from chaosbench.figures.panels import STYLES, Array, legend, new_figure, say, tell_diverged
from chaosbench.leaderboard.tidy import Axis, Layout, Quantity
from chaosbench.theory.growth import growth_rate, linear_range

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_STATE = r"$\log\,\Vert\partial z_T / \partial z_0\Vert$ [nats]"
_PARAMETERS = r"$\log\,\Vert\partial L_T / \partial\theta\Vert$ [nats]"
_SPANS = 1.0  # of the median's range, beyond which another curve leaves the picture instead of flattening it


def gradient_growth(
    horizons: Array,
    state: Array,
    *,
    slopes: Array | None = None,
    parameter_horizons: Array | None = None,
    parameters: Array | None = None,
    parameter_slopes: Array | None = None,
    initial_horizons: Array | None = None,
    initial: Array | None = None,
    forced_horizons: Array | None = None,
    forced: Array | None = None,
    chain: float | None = None,
    exponents: Array | None = None,
    data_exponent: float | None = None,
    seeds: Sequence[int] = (),
    label: str = "",
) -> "Figure":
    """Logarithms of gradients against the horizon, a thin line per seed.

    The seed of the median slope is drawn thick, with the straight lines that the exponents foretell.

    Args:
        horizons: `(H,)`, T [steps]; those of other curves are `(G,)`, each with a G of its own.
        state: `(K, H)`, mean of log ||dz_T/dz_0|| of the trained models' free runs [nats]; NaN where diverged.
        slopes: `(K,)`, gamma, measured on it [1 / step]; None: by `measured_slopes`.
        parameters, parameter_slopes: the same of ||dL_T/dtheta||, `(K, G)` [nats], `(K,)` [1 / step].
        initial: `(K, G)`, `state` before training [nats].
        forced: `(K, G)`, `state` along data as forced in training [nats]; -inf where the product is cut to zero.
        chain: how far gradients reach before they are cut [steps].
        exponents: `(K,)`, largest Lyapunov exponent of each model [1 / step].
        data_exponent: the system's own [1 / step].
        seeds: the seeds that the rows are of.
        label: of what ran.

    Source:
        Mikhaeil, Monfared & Durstewitz 2022, Advances in Neural Information Processing Systems 35, Theorem 2: in a
        chaotic free run both norms grow as exp(lambda_1 T) for almost every state. Theorem 1: to a fixed point or
        cycle the states' gradient falls, and the parameters' stays bounded.
    """
    shown = 1 + (parameters is not None) + (forced is not None)
    figure = new_figure(1.2 + 4.2 * shown, 4.2, label)
    panels = list(figure.subplots(1, shown, squeeze=False)[0])
    slopes = measured_slopes(horizons, state) if slopes is None else slopes
    place = _median_place(slopes)
    name = f"seed {seeds[place] if len(seeds) else place}"
    rates = {"model": None if exponents is None else float(exponents[place]), "system": data_exponent}
    if initial is not None and initial_horizons is not None:
        _curves(panels[0], initial_horizons, initial, "start")
    _curves(panels[0], horizons, state, "seed")
    _lines(panels[0], horizons, state[place], float(slopes[place]), rates, name=name)
    panels[0].set(title="free run", ylabel=_STATE, xlim=(0, horizons.max()))
    if parameters is not None and parameter_horizons is not None:
        own = measured_slopes(parameter_horizons, parameters) if parameter_slopes is None else parameter_slopes
        # Where states converge the older terms of the sum fade, and the youngest keep the gradient as it is.
        _curves(panels[1], parameter_horizons, parameters, "seed")
        _lines(panels[1], parameter_horizons, parameters[place], float(own[place]), rates, name=name, lowest=0.0)
        panels[1].set(title="free run", ylabel=_PARAMETERS, xlim=(0, parameter_horizons.max()))
    if forced is not None and forced_horizons is not None:
        _forced(panels[-1], forced_horizons, forced, chain)
    for axes, curves in zip(panels, (one for one in (state, parameters, forced) if one is not None), strict=True):
        axes.set_xlabel("horizon T [steps]")
        if (curves == -np.inf).all():
            say(axes, "zero at every horizon")
        tell_diverged(axes, np.asarray(np.isnan(curves).any(axis=1)))
        legend(axes)
    return figure


def measured_slopes(horizons: Array, growth: Array) -> Array:
    """Gamma of each curve `(K, H)`, as a diagnosis reads it.

    Returns:
        `(K,)` [1 / step]; NaN for a curve that diverged, -inf for one that vanishes.
    """
    slopes: Array = growth_rate(horizons.tolist(), torch.from_numpy(growth)[:, None]).slope.numpy()
    return slopes


def _median_place(values: Array) -> int:
    """Where the lower median of the finite values is; 0 where none is."""
    finite = np.flatnonzero(np.isfinite(values))
    return int(finite[np.argsort(values[finite], kind="stable")[(len(finite) - 1) // 2]]) if len(finite) else 0


def _curves(axes: "Axes", horizons: Array, curves: Array, style: str) -> None:
    """A line per seed; a product of zero has none."""
    name = "each seed, before training" if style == "start" else "each seed, trained"
    for curve in curves:
        axes.plot(horizons, np.where(np.isfinite(curve), curve, np.nan), label=name, **STYLES[style])


def _lines(
    axes: "Axes",
    horizons: Array,
    curve: Array,
    slope: float,
    rates: Mapping[str, float | None],
    *,
    name: str,
    lowest: float = -np.inf,
) -> None:
    """The curve `(H,)` of the named seed, and lines of the exponents: its own, and the system's from the same start.

    A line falls no more steeply than `lowest` [1 / step].
    """
    late = _late(horizons)
    if not np.isfinite(slope) or not np.isfinite(curve[late]).all():
        return
    axes.plot(horizons, curve, label=f"{name}, slope γ = {slope:.3g} / step", **STYLES["median"])
    model = slope if (own := rates["model"]) is None or not np.isfinite(own) else own
    start = float(curve[late].mean() - max(model, lowest) * horizons[late].mean())
    ends = np.array([0.0, horizons.max()])
    for whose, rate in rates.items():
        if rate is not None and np.isfinite(rate):
            text = f"$\\lambda_1$ = {rate:.3g} / step" if rate >= lowest else r"$\lambda_1 < 0$: no growth"
            line = start + max(rate, lowest) * ends
            axes.plot(ends, line, label=f"{whose}'s {text}", **STYLES[f"{whose} slope"])
    axes.set_ylim(_limits(axes, curve[np.isfinite(curve)], start))


def _limits(axes: "Axes", curve: Array, start: float) -> tuple[float, float]:
    """The range of what is drawn, as far as it does not flatten the curve."""
    lowest, highest = axes.dataLim.intervaly
    low, high = min(start, curve.min()), max(start, curve.max())
    span = max(high - low, 1.0)
    bottom, top = max(lowest, low - _SPANS * span), min(highest, high + _SPANS * span)
    return float(bottom - 0.05 * span), float(top + 0.05 * span)


def _forced(axes: "Axes", horizons: Array, forced: Array, chain: float | None) -> None:
    """Growth along data as forced in training, which ends where every product is zero."""
    _curves(axes, horizons, forced, "seed")
    axes.set(title="as forced in training", xlim=(0, horizons.max()), ylabel=_STATE)
    if chain is not None and chain < horizons.max():
        axes.axvline(chain, label=f"cut after {chain:g} steps", **STYLES["limit"])
    zero = np.asarray((forced == -np.inf).all(axis=0))
    if zero.any():
        hatched: dict[str, Any] = {"facecolor": "none", "edgecolor": "#999999", "hatch": "//", "linewidth": 0}
        axes.axvspan(horizons[np.argmax(zero)], horizons.max(), label="zero", **hatched)


def _late(horizons: Array) -> Array:
    """Which horizons count for the slope."""
    late: Array = linear_range(horizons.tolist()).numpy()
    return late


def _horizon(argument: str) -> Axis:
    return Axis("horizon", argument, "steps", "T, over which the gradient reaches")


_OF_STATE, _OF_PARAMETERS = "mean of log ||dz_T/dz_0||", "mean of log ||dL_T/dtheta||"

GROWTH = Picture(
    gradient_growth,
    Layout(
        "growth",
        "how gradients of the trained models grow with the horizon",
        {
            "state": Quantity("nats", f"{_OF_STATE}, free run", (SEED, _horizon("horizons"))),
            "slopes": Quantity("1 / step", "slope of that", (SEED,)),
            "parameters": Quantity("nats", f"{_OF_PARAMETERS}, free run", (SEED, _horizon("parameter_horizons"))),
            "parameter_slopes": Quantity("1 / step", "slope of that", (SEED,)),
            "initial": Quantity("nats", f"{_OF_STATE}, before training", (SEED, _horizon("initial_horizons"))),
            "forced": Quantity("nats", f"{_OF_STATE} under forcing; -inf: zero", (SEED, _horizon("forced_horizons"))),
            "chain": Quantity("steps", "how far gradients reach before they are cut"),
            "exponents": Quantity("1 / step", "largest Lyapunov exponent of each model", (SEED,)),
            "data_exponent": Quantity("1 / step", "largest Lyapunov exponent of the system"),
        },
    ),
)
