"""The theorem that applies to a trained network, compared with the gradients that were measured."""

import math
from collections.abc import Iterator

from chaosbench.explain.quantities import RATE, is_finite, ratio, with_interval
from chaosbench.explain.regimes import describe_regime
from chaosbench.explain.seed_result import SeedResult

_THEOREMS = {
    "grow": "Theorem 2: gradients of a chaotic orbit grow as e^(lambda_1 T), whatever the architecture",
    "vanish": "Theorem 1: gradients near a fixed point or a cycle vanish exponentially, at the rate of its exponent",
    "neither": "Theorem 3: gradients of a quasi-periodic orbit grow or shrink more slowly than any exponential",
}


def theory_check(result: SeedResult) -> Iterator[str]:
    """Yield the theorem, the measured rates, whether they agree, and the state of the network before training."""
    verdict, diagnosis = result.verdict, result.diagnosis
    if verdict.regime == "divergent":
        yield "Theory speaks of bounded orbits, and this one is not."
        return
    if verdict.expected == "none":
        yield "No theorem speaks of it" + (
            " yet." if verdict.regime == "undecided" else ": nothing attracts the orbit."
        )
        return
    yield f"{_THEOREMS[verdict.expected]}."
    gamma = diagnosis.gradient_growth
    if is_finite(gamma):
        rate = f"Measured rate gamma = {with_interval(gamma, diagnosis.gradient_growth_interval)} {RATE}"
        yield f"{rate}, {ratio(verdict.growth_ratio)} lambda_1." if verdict.growth_ratio is not None else f"{rate}."
    else:
        yield "Measured: they vanish altogether." if gamma == -math.inf else "Their rate could not be measured."
    if is_finite(diagnosis.loss_gradient_growth):
        slope = with_interval(diagnosis.loss_gradient_growth, diagnosis.loss_gradient_growth_interval)
        yield f"Loss gradients of the parameters grow at {slope}."
    yield _agreement(result)
    yield from _before_training(result)


def _agreement(result: SeedResult) -> str:
    consistent, diagnosis = result.verdict.consistent, result.diagnosis
    if consistent is not None:
        return f"Growth and exponent {'agree within' if consistent else 'DISAGREE beyond'} their errors."
    if diagnosis.gradient_growth is None or math.isnan(diagnosis.gradient_growth):
        reason = "the orbits that gradients were followed along blew up"
    elif 0 < (diagnosis.returning_share or 0.0) < 1:
        reason = "free runs end on different attractors"
    else:
        reason = "errors are too wide"
    return f"Whether growth and exponent agree cannot be told: {reason}."


def _before_training(result: SeedResult) -> Iterator[str]:
    verdict, exponent = result.initial_verdict, result.initial.largest_exponent
    if verdict is None:
        return
    rate = "" if verdict.regime == "divergent" else ", lambda_1 = -inf"
    if rate and exponent is not None and is_finite(exponent.value):
        rate = f", lambda_1 = {with_interval(*exponent)}"
    yield f"Before training the network was {describe_regime(verdict, result.initial)}{rate}."
