"""The theorem that applies to a trained network, compared with the gradients that were measured."""

import math
from collections.abc import Iterator

from chaosbench.explain.quantities import RATE, is_finite, ratio, with_interval
from chaosbench.explain.regimes import describe_regime
from chaosbench.explain.seed_result import SeedResult

_THEOREMS = {
    "grow": "Theorem 2: on a chaotic orbit, gradients grow as e^(lambda_1 T) in every architecture",
    "vanish": "Theorem 1: near an attracting fixed point or cycle, gradients vanish at the rate of its exponent",
    "neither": "Theorem 3: on a quasi-periodic orbit, gradients grow or shrink more slowly than any exponential",
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
    if is_finite(diagnosis.loss_gradient_growth):
        slope = with_interval(diagnosis.loss_gradient_growth, diagnosis.loss_gradient_growth_interval)
        yield f"Gradients of the loss with respect to the parameters grow at {slope}."
    yield _agreement(result)
    yield from _before_training(result)


def _agreement(result: SeedResult) -> str:
    consistent, diagnosis = result.verdict.consistent, result.diagnosis
    if consistent is not None:
        return f"Growth rate and exponent {'agree within' if consistent else 'DISAGREE beyond'} their errors."
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
