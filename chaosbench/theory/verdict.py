"""Comparison of a run's gradient growth with its exponents, and the likely causes where they disagree."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from chaosbench.dynamics import Regime, map_regime
from chaosbench.formats import percent
from chaosbench.formats import ratio as formatted

Theorem = Literal["grow", "vanish", "neither", "none"]
Finding = Regime | Literal["undecided"]

# For two 95 % intervals, 1.5 times their root sum of squares is exceeded by chance in one of three hundred runs.
_TOLERANCE = 1.5
_NEAR = 0.1  # a ratio this close to a whole number counts as that number
_MOST = 4.5  # largest factor that is attributed to a wrong dt; any larger factor is near a whole number
_BOUNDED = 0.25  # a gradient that grows with a smaller power of T counts as bounded; the next case is T^1
_FAR = 1.6  # an exponent that is wrong by more than this factor is reported as a suspect


@dataclass(frozen=True)
class Evidence:
    """The numbers of one run from which its verdict follows; rates in [1 / system time].

    Attributes:
        gamma, gamma_interval: slope of log ||dz_T/dz_0|| against T; -inf where gradients vanish completely, NaN where
            the orbits blew up.
        exponent, exponent_interval: largest exponent of the free run; NaN where it is not finite.
        resolution: smallest exponent that runs of this length can distinguish from zero.
        period: period of the free run [steps]; 0: it is not periodic.
        returning: share of free runs that settle on a fixed point or a cycle.
        bounded: share of free runs that stayed finite.
        loss_gamma, loss_gamma_interval: slope of log ||dL_T/dtheta|| against T; None: not measured. Autograd computes
            this gradient from the steps alone, gamma and the exponent come from tangent steps.
        loss_power, loss_power_interval: slope of log ||dL_T/dtheta|| against ln T [1]; None: not measured.
        loss_excess, loss_excess_interval: exponential growth rate of ||dL_T/dtheta|| beside a power of T; None: not
            measured.
        data_exponent: largest exponent of the data's system; None: unknown.
        window: time over which gradients can show that orbits separate, in Lyapunov times of the data; None: the
            method does not need to show it, or the data are not chaotic.
    """

    gamma: float
    gamma_interval: float
    exponent: float
    exponent_interval: float
    resolution: float
    period: int
    returning: float
    bounded: float
    loss_gamma: float | None = None
    loss_gamma_interval: float | None = None
    loss_power: float | None = None
    loss_power_interval: float | None = None
    loss_excess: float | None = None
    loss_excess_interval: float | None = None
    data_exponent: float | None = None
    window: float | None = None


@dataclass(frozen=True)
class Verdict:
    """The theorem that applies to a run, and whether the run agrees with it.

    Attributes:
        regime: regime of the free run; "undecided" where its error includes both zero and the data's exponent.
        expected: behaviour of dz_T/dz_0 by the theorem for that regime; "none" where no theorem applies: the run
            diverged, its regime is undecided, or it rests on a point or cycle that is not an attractor.
        growth_ratio: gamma / lambda_1(model), 1 by theory; None where the run is not chaotic or gamma was not measured.
        exponent_ratio: lambda_1(model) / lambda_1(data); None where the data are not known to be chaotic.
        loss_ratio: growth rate of the loss gradient / lambda_1(model), 1 by Theorem 2 (ii); None as for growth_ratio.
        self_consistent: True if gamma agrees with the exponent within the errors. Both come from the same tangent
            steps, so that this tests their computation, not the theorem. None where the errors are too large or
            unknown, where free runs end on different attractors, or where no theorem applies.
        consistent: True if the loss gradient by autograd, an independent measurement, agrees with the theorem: it grows
            at lambda_1 ("grow"), stays bounded ("vanish"), or grows at most as a power of T ("neither"). None as for
            self_consistent, and where no loss gradient was measured.
        suspects: likely causes of a failure, in the order in which to check them.
    """

    regime: Finding
    expected: Theorem
    growth_ratio: float | None
    loss_ratio: float | None
    exponent_ratio: float | None
    self_consistent: bool | None
    consistent: bool | None
    suspects: tuple[str, ...]


def verdict(evidence: Evidence) -> Verdict:
    """Return the verdict on a run.

    Source:
        Mikhaeil, Monfared & Durstewitz 2022, NeurIPS (2110.07238): Theorem 1 for fixed points and cycles, 2 for chaos,
        3 for quasi-periodic orbits. Theorem 2 (ii), and the boundedness in Theorem 1, are about loss gradients.
    """
    width = evidence.exponent_interval if math.isfinite(evidence.exponent_interval) else 0.0
    regime = _regime(evidence, width)
    expected = _theorem(evidence, regime, width)
    data = evidence.data_exponent
    ratio = evidence.exponent / data if data is not None and data > 0 and math.isfinite(evidence.exponent) else None
    comparable = expected != "none" and evidence.returning in (0.0, 1.0)
    self_consistent = _tangents_agree(evidence, expected) if comparable else None
    consistent = _loss_agrees(evidence, expected) if comparable else None
    return Verdict(
        regime=regime,
        expected=expected,
        growth_ratio=_ratio(evidence.gamma, evidence, regime),
        loss_ratio=_ratio(evidence.loss_gamma, evidence, regime),
        exponent_ratio=ratio,
        self_consistent=self_consistent,
        consistent=consistent,
        suspects=tuple(_suspects(evidence, regime, ratio, (self_consistent, consistent))),
    )


def _ratio(rate: float | None, evidence: Evidence, regime: Finding) -> float | None:
    return rate / evidence.exponent if regime == "chaotic" and rate is not None and math.isfinite(rate) else None


def _regime(evidence: Evidence, width: float) -> Finding:
    """Return the regime of the exponent, undecided if its error includes both zero and the data's exponent."""
    error = width + evidence.resolution
    regime = map_regime(evidence.exponent, error, period=evidence.period, bounded=evidence.bounded >= 0.5)
    data = evidence.data_exponent or 0.0
    blurred = regime == "quasi-periodic" and data > 0 and error > data / 2
    return "undecided" if blurred else regime


def _theorem(evidence: Evidence, regime: Finding, width: float) -> Theorem:
    if regime == "chaotic":
        return "grow"
    if regime == "quasi-periodic":
        return "neither"
    if regime in ("periodic", "fixed point"):  # Theorem 1 needs an attractor
        attracting = evidence.exponent < -width - evidence.resolution or evidence.exponent == -math.inf
        return "vanish" if attracting else "none"
    return "none"


def tolerance(*widths: float | None, resolution: float) -> float:
    """Return the allowed difference of two rates: 1.5 times the root of the sum of squared intervals, plus resolution.

    Args:
        widths: half widths of 95 % confidence intervals [1 / system time]; None and NaN are ignored.
        resolution: smallest rate that is distinguished from zero [1 / system time].
    """
    finite = [width for width in widths if width is not None and math.isfinite(width)]
    return _TOLERANCE * math.hypot(*finite) + resolution


def _tangents_agree(evidence: Evidence, expected: Theorem) -> bool | None:
    """Return True if gamma and the exponent agree; None if the errors are too large to decide."""
    if math.isnan(evidence.gamma):
        return None
    if evidence.gamma == -math.inf or evidence.exponent == -math.inf:
        return evidence.gamma < 0 and evidence.exponent < 0
    if expected == "neither":
        widths = evidence.gamma_interval, evidence.exponent_interval
        return _is_zero(evidence, evidence.gamma, *widths, coarsest=2 * evidence.resolution)
    return _equals_exponent(evidence, evidence.gamma, evidence.gamma_interval)


def _loss_agrees(evidence: Evidence, expected: Theorem) -> bool | None:
    """Return True if the loss gradient agrees with the theorem; None if it is unknown, or its errors too large."""
    if expected == "grow":
        return _equals_exponent(evidence, evidence.loss_gamma, evidence.loss_gamma_interval)
    if expected == "neither":
        # Beside a power the rate is known half as precisely as gamma: both terms are fitted to one curve.
        coarsest = 4 * evidence.resolution
        return _is_zero(evidence, evidence.loss_excess, evidence.loss_excess_interval, coarsest=coarsest)
    power, width = evidence.loss_power, evidence.loss_power_interval
    if power is None or width is None or not math.isfinite(power) or not math.isfinite(width):
        return None
    allowed = tolerance(width, resolution=_BOUNDED)
    return None if allowed > 2 * _BOUNDED else power <= allowed


def _equals_exponent(evidence: Evidence, rate: float | None, width: float | None) -> bool | None:
    """Return True if a rate equals the exponent; None if the tolerance exceeds half of the larger one."""
    if rate is None or width is None or not all(map(math.isfinite, (rate, width, evidence.exponent_interval))):
        return None
    allowed = tolerance(width, evidence.exponent_interval, resolution=evidence.resolution)
    if allowed > max(abs(rate), abs(evidence.exponent)) / 2:
        return None
    return abs(rate - evidence.exponent) <= allowed


def _is_zero(evidence: Evidence, rate: float | None, *widths: float | None, coarsest: float) -> bool | None:
    """Return True if a rate is zero; None if the tolerance exceeds half of the data's exponent.

    Args:
        coarsest: largest tolerance where that exponent is unknown or zero [1 / system time].
    """
    if rate is None or not math.isfinite(rate) or any(width is None or not math.isfinite(width) for width in widths):
        return None
    allowed = tolerance(*widths, resolution=evidence.resolution)
    limit = evidence.data_exponent / 2 if evidence.data_exponent else coarsest
    return None if allowed > limit else abs(rate) <= allowed


def _suspects(
    evidence: Evidence, regime: Finding, ratio: float | None, agreement: tuple[bool | None, bool | None]
) -> Iterator[str]:
    """Yield likely causes of a failure, in the order in which to check them."""
    if regime == "divergent":
        yield "the free run blows up: the learning rate is too large, or nothing keeps the map bounded"
        return
    if 0 < evidence.returning < 1:
        settled = f"{percent(evidence.returning)} of them settle on a fixed point or a cycle"
        yield f"free runs end on different attractors: {settled}"
    elif agreement[0] is False:
        yield "transients are long, or free runs do not share one attractor"
    if regime == "chaotic" and _loss_gradient_lags(evidence):
        yield "the state is detached: the loss gradient grows more slowly than dz_T/dz_0"
    elif agreement == (True, False):
        yield "tangent_step is not the derivative of step: autograd's loss gradient contradicts gamma and lambda_1"
    if evidence.data_exponent is not None and evidence.data_exponent > 0:
        yield from _missed_chaos(evidence, regime, ratio)
    elif regime == "chaotic" and evidence.data_exponent is not None:
        yield "the network learned chaos that the data do not have: too few data, or noise learned as dynamics"


def _loss_gradient_lags(evidence: Evidence) -> bool:
    if evidence.loss_gamma is None or not math.isfinite(evidence.loss_gamma):
        return False
    allowed = tolerance(evidence.loss_gamma_interval, evidence.gamma_interval, resolution=evidence.resolution)
    return evidence.gamma - evidence.loss_gamma > allowed


def _missed_chaos(evidence: Evidence, regime: Finding, ratio: float | None) -> Iterator[str]:
    """Yield how the network differs from the chaos of the data, and whether gradients were too short to learn it."""
    instead = {
        "periodic": f"a cycle of {evidence.period} steps" if evidence.period else "a fixed point or a cycle",
        "fixed point": "a fixed point",
        "quasi-periodic": "a closed curve or a torus",
    }
    if regime == "undecided":
        yield (
            "free runs are too short or too few to distinguish zero from the data's exponent: "
            "raise exponent_steps or exponent_conditions"
        )
    elif regime in instead:
        yield f"the network learned {instead[regime]} instead of chaos"
    elif ratio is not None and not 1 / _FAR < ratio < _FAR:
        yield _wrong_exponent(evidence, ratio)
    weak = regime != "chaotic" or (ratio or 1) < 1 / _FAR
    if evidence.window is not None and evidence.window < 1 and weak:
        yield (
            f"gradients pass through {evidence.window:.2g} Lyapunov times, less than 1 / lambda_1: "
            "too short to show that neighbouring orbits separate"
        )


def _wrong_exponent(evidence: Evidence, ratio: float) -> str:
    factor = max(ratio, 1 / ratio)
    precise = evidence.exponent_interval < _NEAR * evidence.exponent
    if precise and factor < _MOST and abs(factor / round(factor) - 1) < _NEAR:
        part = f"{round(factor)} times" if ratio > 1 else f"1/{round(factor)} of"
        return f"the time step dt is wrong: the exponent is {part} the data's"
    return f"the exponent is {formatted(ratio)} the data's"
