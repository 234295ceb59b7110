"""Theory against measurement: does a run's gradient growth agree with its exponents, and if not, what is to blame?"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from chaosbench.dynamics import Regime, map_regime

Theorem = Literal["grow", "vanish", "neither", "none"]
Finding = Regime | Literal["undecided"]

# Both intervals are of 95 %; half as much again is passed by one sound run in three hundred.
_DOUBT = 1.5
_NEAR = 0.1  # two ratios that are that close are taken for the same
_MOST = 4.5  # of the whole factors by which a dt is taken for wrong: among larger ones every ratio is near one
_FAR = 1.6  # an exponent off by this factor is no longer a matter of training a little longer


@dataclass(frozen=True)
class Evidence:
    """What a verdict is reached from, of one run; rates in [1 / system time].

    Attributes:
        gamma, gamma_interval: slope of log ||dz_T/dz_0|| against T, -inf where gradients vanish altogether, NaN where
            the orbits blew up on the way.
        exponent, exponent_interval: the largest exponent of the free run; NaN where it is not finite.
        resolution: exponents smaller than this cannot be told from zero by runs as long.
        period: of the free run [steps]; 0: it does not come back.
        returning: share of free runs that come back.
        bounded: share of free runs that stayed finite.
        loss_gamma, loss_gamma_interval: of log ||dL_T/dtheta||; None: not measured.
        data_exponent: of the data's system; None: not known.
        window: over which gradients pass, in Lyapunov times of the data; None: a step or none, or no chaos.
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
    data_exponent: float | None = None
    window: float | None = None


@dataclass(frozen=True)
class Verdict:
    """What theory says of a run, and whether it is so.

    Attributes:
        regime: of the free run; "undecided" where its exponent cannot be told from zero, nor zero from the data's.
        expected: what the theorem for that regime says of dz_T/dz_0; "none" where there is none: for a run that
            diverged, is undecided, or rests on a point or cycle that attracts nothing.
        growth_ratio: gamma / lambda_1(model), 1 by theory where the run is chaotic; None elsewhere, or not measured.
        exponent_ratio: lambda_1(model) / lambda_1(data); None where the data are not chaotic, or not known.
        consistent: whether what was measured is what the theorem says, within the errors; None where these are too wide
            to tell or not known, where free runs end on different attractors, or where there is no theorem.
        suspects: what to look at first.
    """

    regime: Finding
    expected: Theorem
    growth_ratio: float | None
    exponent_ratio: float | None
    consistent: bool | None
    suspects: tuple[str, ...]


def verdict(found: Evidence) -> Verdict:
    """Judge a run.

    Source:
        Mikhaeil, Monfared & Durstewitz 2022, NeurIPS (2110.07238): Theorem 1 for fixed points and cycles, 2 for chaos,
        3 for quasi-periodic orbits.
    """
    width = found.exponent_interval if math.isfinite(found.exponent_interval) else 0.0
    kind = _regime(found, width)
    expected = _theorem(found, kind, width)
    data = found.data_exponent
    ratio = found.exponent / data if data is not None and data > 0 and math.isfinite(found.exponent) else None
    growth_ratio = found.gamma / found.exponent if kind == "chaotic" and math.isfinite(found.gamma) else None
    comparable = expected != "none" and not math.isnan(found.gamma) and found.returning in (0.0, 1.0)
    consistent = _agree(found, expected) if comparable else None
    return Verdict(
        regime=kind,
        expected=expected,
        growth_ratio=growth_ratio,
        exponent_ratio=ratio,
        consistent=consistent,
        suspects=tuple(_suspects(found, kind, ratio, consistent)),
    )


def _regime(found: Evidence, width: float) -> Finding:
    """As the exponent tells, unless zero and the data's exponent lie within its errors alike."""
    told = map_regime(found.exponent, width + found.resolution, period=found.period, bounded=found.bounded >= 0.5)
    data = found.data_exponent or 0.0
    blurred = told == "quasi-periodic" and data > 0 and width + found.resolution > data / 2
    return "undecided" if blurred else told


def _theorem(found: Evidence, kind: Finding, width: float) -> Theorem:
    if kind == "chaotic":
        return "grow"
    if kind == "quasi-periodic":
        return "neither"
    if kind in ("periodic", "fixed point"):  # Theorem 1 is of those that attract
        return "vanish" if found.exponent < -width - found.resolution or found.exponent == -math.inf else "none"
    return "none"


def tolerance(*widths: float | None, resolution: float) -> float:
    """By how much two measured rates may differ: their intervals, added as errors are, and what is not resolved."""
    known = [width for width in widths if width is not None and math.isfinite(width)]
    return _DOUBT * math.hypot(*known) + resolution


def _agree(found: Evidence, expected: Theorem) -> bool | None:
    """Whether gamma is what the theorem says, of an orbit with that exponent."""
    if found.gamma == -math.inf or found.exponent == -math.inf:
        return found.gamma < 0 and found.exponent < 0
    if math.isnan(found.gamma_interval) or math.isnan(found.exponent_interval):
        return None
    allowed = tolerance(found.gamma_interval, found.exponent_interval, resolution=found.resolution)
    if expected == "neither":
        # What is small enough to pass for zero, the data's exponent says; without one, what runs as long can show.
        scale = found.data_exponent if found.data_exponent else 4 * found.resolution
        return None if allowed > scale / 2 else abs(found.gamma) <= allowed
    if allowed > max(abs(found.gamma), abs(found.exponent)) / 2:
        return None
    return abs(found.gamma - found.exponent) <= allowed


def _suspects(found: Evidence, kind: Finding, ratio: float | None, consistent: bool | None) -> Iterator[str]:
    chaotic_data = found.data_exponent is not None and found.data_exponent > 0
    if kind == "divergent":
        yield "numbers that blow up in free running: too large a learning rate, or a map that nothing keeps bounded"
        return
    if 0 < found.returning < 1:
        yield f"free runs that end on different attractors: {found.returning:.0%} of them come back to where they were"
    elif consistent is False:
        yield "a long transient, or free runs from different conditions that do not share one attractor"
    if kind == "chaotic" and found.loss_gamma is not None and math.isfinite(found.loss_gamma):
        allowed = tolerance(found.loss_gamma_interval, found.gamma_interval, resolution=found.resolution)
        if found.gamma - found.loss_gamma > allowed:
            yield "a detached state: the loss gradient grows more slowly than the state's own derivative"
    if not chaotic_data:
        if kind == "chaotic" and found.data_exponent is not None:
            yield "chaos that the data do not have: too few data, or noise learned as dynamics"
        return
    if kind == "undecided":
        yield "runs too short, or too few, to tell zero from the data's exponent: raise exponent_steps or _conditions"
    elif kind == "periodic" and found.period:
        yield f"a model that learned a cycle of {found.period} steps in place of chaos"
    elif kind == "periodic":
        yield "a model that settles, on a point or a cycle, in place of chaos"
    elif kind == "fixed point":
        yield "a model that comes to rest in place of chaos"
    elif kind == "quasi-periodic":
        yield "a model that learned a closed curve or a torus in place of chaos"
    elif ratio is not None and not 1 / _FAR < ratio < _FAR:
        factor = max(ratio, 1 / ratio)
        known = found.exponent_interval < _NEAR * found.exponent
        if known and factor < _MOST and abs(factor / round(factor) - 1) < _NEAR:
            part = f"{round(factor)} times" if ratio > 1 else f"1/{round(factor)} of"
            yield f"a wrong dt: the exponent is {part} the data's"
        else:
            yield f"an exponent {ratio:.2g} times the data's"
    if found.window is not None and found.window < 1 and (kind != "chaotic" or (ratio or 1) < 1 / _FAR):
        yield (
            f"gradients that pass {found.window:.2g} Lyapunov times, less than 1 / lambda_1: "
            "nothing on their way shows that orbits part"
        )
