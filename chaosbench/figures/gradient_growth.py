"""A picture of how gradients grow with the horizon, beside the exponents at which theory expects them to grow."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from typing_extensions import override

from chaosbench.figures.base import SEED, Arguments, Array, Axis, ExperimentPicture, Layout, Quantity
from chaosbench.figures.panels import STYLES, annotate, count_diverged, legend, new_figure
from chaosbench.figures.records import diagnosed, seeds, system_exponents, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from chaosbench.leaderboard.folder import Stored

_STATE = "log ‖∂z(T) / ∂z(0)‖ [nats]"
_PARAMETERS = "log ‖∂L(T) / ∂θ‖ [nats]"
_SPANS = (
    1.0  # the y range extends beyond the median curve by at most this multiple of its range, so as not to flatten it
)


def _horizon(argument: str) -> Axis:
    return Axis("horizon", argument, "steps", "horizon T of the gradient")


_OF_STATE, _OF_PARAMETERS = "mean of log ||dz_T/dz_0||", "mean of log ||dL_T/dtheta||"


class GradientGrowth(ExperimentPicture):
    """The growth of the gradients of each seed with the horizon, with measured slopes and Lyapunov exponents."""

    kind: Literal["growth"] = "growth"
    needs: ClassVar[frozenset[str]] = frozenset({"growth_horizons", "growth_state", "dt"})
    layout: ClassVar[Layout] = Layout(
        "growth of the gradients of the trained models with the horizon",
        {
            "state": Quantity("nats", f"{_OF_STATE}, free run", (SEED, _horizon("horizons"))),
            "slopes": Quantity("1 / step", "slope of `state`", (SEED,)),
            "parameters": Quantity("nats", f"{_OF_PARAMETERS}, free run", (SEED, _horizon("parameter_horizons"))),
            "parameter_slopes": Quantity("1 / step", "slope of `parameters`", (SEED,)),
            "initial": Quantity("nats", f"{_OF_STATE}, before training", (SEED, _horizon("initial_horizons"))),
            "forced": Quantity("nats", f"{_OF_STATE} under forcing; -inf: zero", (SEED, _horizon("forced_horizons"))),
            "chain": Quantity("steps", "number of steps after which forcing cuts gradients"),
            "exponents": Quantity("1 / step", "largest Lyapunov exponent of each model", (SEED,)),
            "data_exponent": Quantity("1 / step", "largest Lyapunov exponent of the system"),
        },
    )

    @override
    def arguments(self, stored: "Stored", arrays: Mapping[str, Array]) -> Arguments:
        dt, exponents = float(arrays["dt"].item()), arrays.get("exponents_running")
        system = system_exponents(stored)
        chain = diagnosed(stored, lambda run: run.chain_length)
        return {
            "horizons": arrays["growth_horizons"],
            "state": arrays["growth_state"],
            "slopes": diagnosed(stored, lambda run: run.gradient_growth, scale=dt),
            "parameter_horizons": arrays.get("growth_parameters_horizons"),
            "parameters": arrays.get("growth_parameters"),
            "parameter_slopes": diagnosed(stored, lambda run: run.loss_gradient_growth, scale=dt),
            "initial_horizons": arrays.get("growth_initial_horizons"),
            "initial": arrays.get("growth_initial"),
            "forced_horizons": arrays.get("growth_forced_horizons"),
            "forced": arrays.get("growth_forced"),
            "chain": None if chain is None else float(chain[0]),
            "exponents": None if exponents is None else dt * exponents[:, :, -1, 0].mean(axis=1),
            "data_exponent": dt * system[0] if system else None,
            "seeds": seeds(stored),
            "label": title(stored),
        }

    @override
    def figure(self, arguments: Arguments) -> "Figure":
        return gradient_growth(**arguments)


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
    """Draw the logarithm of gradient norms against the horizon, a thin line per seed.

    The seed with the median slope is drawn thick, beside straight lines whose slopes are the Lyapunov exponents.

    Args:
        horizons: `(H,)`, T [steps]; the horizons of other curves are `(G,)`, where G differs between curves.
        state: `(K, H)`, mean of log ||dz_T/dz_0|| over free runs of the trained models [nats]; NaN for diverged seeds.
        slopes: `(K,)`, slope gamma of `state` [1 / step]; None computes it with `measured_slopes`.
        parameters, parameter_slopes: `(K, G)` [nats] and `(K,)` [1 / step], the same for ||dL_T/dtheta||.
        initial: `(K, G)`, `state` before training [nats].
        forced: `(K, G)`, `state` along data, forced as in training [nats]; -inf where forcing cuts the product to zero.
        chain: number of steps after which forcing cuts gradients [steps].
        exponents: `(K,)`, largest Lyapunov exponent of each model [1 / step].
        data_exponent: largest Lyapunov exponent of the system [1 / step].
        seeds: seed of each row.
        label: title of the run.

    Source:
        Mikhaeil, Monfared & Durstewitz 2022, Advances in Neural Information Processing Systems 35, Theorem 2: in a
        chaotic free run both norms grow as exp(lambda_1 T) for almost every state. Theorem 1: near a fixed point or
        cycle the gradient with respect to the state decays, and that with respect to the parameters stays bounded.
    """
    shown = 1 + (parameters is not None) + (forced is not None)
    figure = new_figure(1.2 + 4.2 * shown, 4.2, label)
    panels = list(figure.subplots(1, shown, squeeze=False)[0])
    slopes = measured_slopes(horizons, state) if slopes is None else slopes
    median = _median_index(slopes)
    name = f"seed {seeds[median] if len(seeds) else median}"
    rates = {"model": None if exponents is None else float(exponents[median]), "system": data_exponent}
    if initial is not None and initial_horizons is not None:
        _curves(panels[0], initial_horizons, initial, "start")
    _curves(panels[0], horizons, state, "seed")
    _lines(panels[0], horizons, state[median], float(slopes[median]), rates, name=name)
    panels[0].set(title="free run, states", ylabel=_STATE, xlim=(0, horizons.max()))
    if parameters is not None and parameter_horizons is not None:
        slopes = measured_slopes(parameter_horizons, parameters) if parameter_slopes is None else parameter_slopes
        # Where states converge, old terms of the sum decay and the most recent ones keep the gradient constant.
        _curves(panels[1], parameter_horizons, parameters, "seed")
        slope = float(slopes[median])
        _lines(panels[1], parameter_horizons, parameters[median], slope, rates, name=name, lowest=0.0)
        panels[1].set(title="free run, parameters", ylabel=_PARAMETERS, xlim=(0, parameter_horizons.max()))
    if forced is not None and forced_horizons is not None:
        _forced(panels[-1], forced_horizons, forced, chain)
    for axes, curves in zip(
        panels, (values for values in (state, parameters, forced) if values is not None), strict=True
    ):
        axes.set_xlabel("horizon T [steps]")
        if (curves == -np.inf).all():
            annotate(axes, "zero at every horizon")
        count_diverged(axes, np.asarray(np.isnan(curves).any(axis=1)))
        legend(axes)
    return figure


def measured_slopes(horizons: Array, growth: Array) -> Array:
    """Return the slope gamma of each curve `(K, H)`, computed as in the diagnosis.

    Returns:
        `(K,)` [1 / step]; NaN for a curve that diverged, -inf for one that vanishes.
    """
    import torch  # only drawing needs it

    from chaosbench.theory.growth import growth_rate  # imports torch

    slopes: Array = growth_rate(horizons.tolist(), torch.from_numpy(growth)[:, None]).slope.numpy()
    return slopes


def _median_index(values: Array) -> int:
    """Return the index of the lower median of the finite values; 0 if none is finite."""
    finite = np.flatnonzero(np.isfinite(values))
    return int(finite[np.argsort(values[finite], kind="stable")[(len(finite) - 1) // 2]]) if len(finite) else 0


def _curves(axes: "Axes", horizons: Array, curves: Array, style: str) -> None:
    """Draw a line per seed, with gaps where the product is zero."""
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
    """Draw the curve `(H,)` of one seed, and lines for its own and the system's exponent from a common start.

    Slopes below `lowest` [1 / step] are raised to it.
    """
    late = _late(horizons)
    if not np.isfinite(slope) or not np.isfinite(curve[late]).all():
        return
    axes.plot(horizons, curve, label=f"{name}, slope γ = {slope:.3g} / step", **STYLES["median"])
    model = slope if (exponent := rates["model"]) is None or not np.isfinite(exponent) else exponent
    start = float(curve[late].mean() - max(model, lowest) * horizons[late].mean())
    ends = np.array([0.0, horizons.max()])
    for owner, rate in rates.items():
        if rate is not None and np.isfinite(rate):
            text = f"λ₁ = {rate:.3g} / step" if rate >= lowest else "λ₁ < 0: no growth"
            line = start + max(rate, lowest) * ends
            axes.plot(ends, line, label=f"{owner}'s {text}", **STYLES[f"{owner} slope"])
    axes.set_ylim(_limits(axes, curve[np.isfinite(curve)], start))


def _limits(axes: "Axes", curve: Array, start: float) -> tuple[float, float]:
    """Return a y range that shows everything drawn, cut off where it would flatten the curve."""
    lowest, highest = axes.dataLim.intervaly
    low, high = min(start, curve.min()), max(start, curve.max())
    span = max(high - low, 1.0)
    bottom, top = max(lowest, low - _SPANS * span), min(highest, high + _SPANS * span)
    return float(bottom - 0.05 * span), float(top + 0.05 * span)


def _forced(axes: "Axes", horizons: Array, forced: Array, chain: float | None) -> None:
    """Draw the growth along forced data up to the horizon at which every product is zero."""
    _curves(axes, horizons, forced, "seed")
    axes.set(title="forced as in training", xlim=(0, horizons.max()), ylabel=_STATE)
    if chain is not None and chain < horizons.max():
        axes.axvline(chain, label=f"cut after {chain:g} steps", **STYLES["limit"])
    zero = np.asarray((forced == -np.inf).all(axis=0))
    if zero.any():
        hatched: dict[str, Any] = {"facecolor": "none", "edgecolor": "#999999", "hatch": "//", "linewidth": 0}
        axes.axvspan(horizons[np.argmax(zero)], horizons.max(), label="zero", **hatched)


def _late(horizons: Array) -> Array:
    """Return a mask of the horizons at which the slope is fitted."""
    from chaosbench.theory.growth import linear_range  # imports torch, which only drawing needs

    late: Array = linear_range(horizons.tolist()).numpy()
    return late
