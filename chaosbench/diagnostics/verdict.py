"""Theory against measurement: does a run's gradient growth agree with its exponents, and if not, what is to blame?"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from chaosbench.dynamics import Regime, map_regime

Theorem = Literal["grow", "vanish", "neither", "none"]

# Both intervals are of 95 %; half as much again is passed by one sound run in three hundred.
_DOUBT = 1.5
_NEAR = 0.1  # two ratios that are that close are taken for the same
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
        regime: of the free run.
        expected: what the theorem for that regime says of dz_T/dz_0; "none" for a run that diverged.
        growth_ratio: gamma / lambda_1(model), 1 by theory where the run is chaotic; None elsewhere, or not measured.
        exponent_ratio: lambda_1(model) / lambda_1(data); None where the data are not chaotic, or not known.
        consistent: whether growth and exponent agree within their errors; None where the errors are too wide to tell,
            where free runs end on different attractors, or where the run diverged.
        suspects: what to look at first.
    """

    regime: Regime
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
    kind = map_regime(found.exponent, width + found.resolution, period=found.period, bounded=found.bounded >= 0.5)
    theorems: dict[Regime, Theorem] = {
        "chaotic": "grow",
        "periodic": "vanish",
        "fixed point": "vanish",
        "quasi-periodic": "neither",
        "divergent": "none",
    }
    data = found.data_exponent
    ratio = found.exponent / data if data is not None and data > 0 and math.isfinite(found.exponent) else None
    growth_ratio = found.gamma / found.exponent if kind == "chaotic" and math.isfinite(found.gamma) else None
    comparable = kind != "divergent" and not math.isnan(found.gamma) and found.returning in (0.0, 1.0)
    consistent = _agree(found, width) if comparable else None
    return Verdict(
        regime=kind,
        expected=theorems[kind],
        growth_ratio=growth_ratio,
        exponent_ratio=ratio,
        consistent=consistent,
        suspects=tuple(_suspects(found, kind, ratio, consistent)),
    )


def tolerance(*widths: float | None, resolution: float) -> float:
    """By how much two measured rates may differ: their intervals, added as errors are, and what is not resolved."""
    known = [width for width in widths if width is not None and math.isfinite(width)]
    return _DOUBT * math.hypot(*known) + resolution


def _agree(found: Evidence, width: float) -> bool | None:
    """None where intervals are so wide that neither answer means anything."""
    if found.gamma == -math.inf or found.exponent == -math.inf:
        return found.gamma < 0 and found.exponent < 0
    errors = tolerance(found.gamma_interval, width, resolution=0.0)
    if errors > max(found.resolution, max(abs(found.gamma), abs(found.exponent)) / 2):
        return None
    return abs(found.gamma - found.exponent) <= errors + found.resolution


def _suspects(found: Evidence, kind: Regime, ratio: float | None, consistent: bool | None) -> Iterator[str]:
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
    if kind == "periodic":
        length = f" of {found.period} steps" if found.period else ""
        yield f"a model that learned a cycle{length} in place of chaos"
    elif kind == "fixed point":
        yield "a model that comes to rest in place of chaos"
    elif kind == "quasi-periodic" and found.exponent > found.resolution:
        yield "free runs that differ so much between conditions that chaos cannot be told from none"
    elif kind == "quasi-periodic":
        yield "a model that learned a closed curve or a torus in place of chaos"
    elif ratio is not None and not 1 / _FAR < ratio < _FAR:
        factor = max(ratio, 1 / ratio)
        known = found.exponent_interval < _NEAR * found.exponent
        if known and abs(factor / round(factor) - 1) < _NEAR:
            part = f"{round(factor)} times" if ratio > 1 else f"1/{round(factor)} of"
            yield f"a wrong dt: the exponent is {part} the data's"
    if found.window is not None and found.window < 1 and (kind != "chaotic" or (ratio or 1) < 1 / _FAR):
        yield (
            f"gradients that pass {found.window:.2g} Lyapunov times, less than 1 / lambda_1: "
            "nothing on their way shows that orbits part"
        )
