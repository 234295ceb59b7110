"""The theorem that applies to a trained network, compared with the gradients that were measured."""

import math
from collections.abc import Iterator

from chaosbench.explain.quantities import RATE, is_finite, with_interval
from chaosbench.explain.regimes import describe_regime
from chaosbench.explain.seed_result import SeedResult
from chaosbench.formats import ratio

_THEOREMS = {
    "grow": "Theorem 2: on a chaotic orbit, gradients grow as e^(lambda_1 T) in every architecture",
    "vanish": "Theorem 1: near an attracting fixed point or cycle, gradients of the state vanish at the rate of its "
    "exponent, and loss gradients stay bounded",
    "neither": "Theorem 3: on a quasi-periodic orbit, gradients grow or shrink more slowly than any exponential",
}
_STATEMENTS = {
    "grow": "that it grows at lambda_1",
    "vanish": "that it stays bounded",
    "neither": "that it grows at most as a power of T",
}


def theory_check(result: SeedResult) -> Iterator[str]:
    """Yield sentences on the theorem, the measured rates, their agreement, and the network before training."""
    verdict, diagnosis = result.verdict, result.diagnosis
    if verdict.regime == "divergent":
        yield "The theorems apply to bounded orbits only."
        return
    if verdict.expected == "none":
        undecided = verdict.regime == "undecided"
        yield f"No theorem applies: {'the regime is undecided' if undecided else 'the orbit is not an attractor'}."
        return
    yield f"{_THEOREMS[verdict.expected]}."
    gamma = diagnosis.gradient_growth
    if is_finite(gamma):
        rate = f"The measured growth rate is gamma = {with_interval(gamma, diagnosis.gradient_growth_interval)} {RATE}"
        yield f"{rate}, {ratio(verdict.growth_ratio)} lambda_1." if verdict.growth_ratio is not None else f"{rate}."
    else:
        yield (
            "The measured gradients vanish completely." if gamma == -math.inf else "Their growth could not be measured."
        )
    yield _self_consistency(result)
    yield from _loss_gradient(result)
    yield from _before_training(result)


def _loss_gradient(result: SeedResult) -> Iterator[str]:
    """Yield sentences on the loss gradient by autograd, the measurement that does not use tangent steps."""
    verdict, diagnosis = result.verdict, result.diagnosis
    slope, power, excess = (
        (diagnosis.loss_gradient_growth, diagnosis.loss_gradient_growth_interval),
        (diagnosis.loss_gradient_power, diagnosis.loss_gradient_power_interval),
        (diagnosis.loss_gradient_excess, diagnosis.loss_gradient_excess_interval),
    )
    name = "The loss gradient, measured independently by autograd,"
    if verdict.expected == "grow" and is_finite(slope[0]):
        yield f"{name} grows at {with_interval(slope[0], slope[1])} {RATE}."
    elif verdict.expected == "vanish" and is_finite(power[0]):
        yield f"{name} grows as T^p with p = {with_interval(power[0], power[1])}."
    elif verdict.expected == "neither" and is_finite(excess[0]):
        yield f"{name} grows at {with_interval(excess[0], excess[1])} {RATE} beside a power of T."
    else:
        yield "No independent measurement by autograd is stored, so that the theorem is not tested."
        return
    statement = f"the theorem {_STATEMENTS[verdict.expected]}"
    if verdict.consistent is None:
        yield f"It is too imprecise to test {statement}, or belongs to runs on different attractors."
    else:
        yield f"This {'confirms' if verdict.consistent else 'CONTRADICTS'} {statement}."


def _self_consistency(result: SeedResult) -> str:
    consistent, diagnosis = result.verdict.self_consistent, result.diagnosis
    if consistent is not None:
        agreement = "agree within" if consistent else "DISAGREE beyond"
        return f"Growth rate and exponent, both from tangent steps, {agreement} their errors."
    if diagnosis.gradient_growth is None or math.isnan(diagnosis.gradient_growth):
        reason = "the orbits along which gradients were followed blew up"
    elif 0 < (diagnosis.returning_share or 0.0) < 1:
        reason = "free runs end on different attractors"
    else:
        reason = "their errors are too large"
    return f"Agreement of growth rate and exponent is undecided, because {reason}."


def _before_training(result: SeedResult) -> Iterator[str]:
    verdict, exponent = result.initial_verdict, result.initial.largest_exponent
    if verdict is None:
        return
    rate = "" if verdict.regime == "divergent" else ", with lambda_1 = -inf"
    if rate and exponent is not None and is_finite(exponent.value):
        rate = f", with lambda_1 = {with_interval(*exponent)}"
    yield f"Before training, the network was {describe_regime(verdict, result.initial)}{rate}."
