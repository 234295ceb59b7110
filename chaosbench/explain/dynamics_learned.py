"""What a trained network does when it runs freely, in words, and what theory says of its gradients."""

import math
from collections.abc import Iterator

from chaosbench.explain.findings import Findings
from chaosbench.explain.wording import RATE, compared, measured, motion, times
from chaosbench.formats import number, percent
from chaosbench.theory.verdict import Verdict

_ORDINALS = ("second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
_THEOREMS = {
    "grow": "Theorem 2: gradients of a chaotic orbit grow as e^(lambda_1 T), whatever the architecture",
    "vanish": "Theorem 1: gradients near a fixed point or a cycle vanish exponentially, at the rate of its exponent",
    "neither": "Theorem 3: gradients of a quasi-periodic orbit grow or shrink more slowly than any exponential",
}


def learned(found: Findings, reached: Verdict) -> Iterator[str]:
    """The motion of the trained network beside the data's."""
    numbers, truth = found.numbers, found.truth
    yield f"The trained network is {motion(reached, numbers)}{_largest(found, reached)}."
    if reached.regime == "divergent":
        return
    if (lost := 1 - numbers.get("bounded_share", 1.0)) > 0:
        yield f"Of its free runs {percent(lost)} blow up; what follows is of the others."
    for place, name in enumerate(_ORDINALS, start=2):
        own, true = numbers.get(f"lyapunov_exponent_{place}"), truth.get(f"lyapunov_exponent_{place}")
        if own is not None and true is not None:
            width, zero = (of.get(f"lyapunov_exponent_{place}_interval", 0.0) for of in (numbers, truth))
            scale = abs(found.data_exponent or 0.0)
            yield compared(name, own, true, width, zero=max(zero, scale / 50))
    if "kaplan_yorke_dimension" in numbers and "kaplan_yorke_dimension" in truth:
        own, true = numbers["kaplan_yorke_dimension"], truth["kaplan_yorke_dimension"]
        yield f"Kaplan-Yorke dimension {number(own)}, the data's {number(true)}."
    if "spectral_gap" in numbers:
        others = "Beside the exponents that the system can have, the network has others"
        yield f"{others}, of which the next is {number(numbers['spectral_gap'])} {RATE} lower."


def _largest(found: Findings, reached: Verdict) -> str:
    """lambda_1, and what the data's is."""
    if reached.regime == "divergent":
        return ""
    name = "lyapunov_exponent_1"
    told = f", with lambda_1 = {measured(found.numbers, name) if name in found.numbers else '-inf'} {RATE}"
    if reached.regime == "quasi-periodic":
        told += ", not to be told from zero"
    if found.chaotic_data and found.data_exponent is not None:
        if reached.regime == "chaotic" and reached.exponent_ratio is not None:
            return f"{told}, {times(reached.exponent_ratio)} the data's {number(found.data_exponent)}"
        return f"{told}; the data are chaotic, with {number(found.data_exponent)}"
    if found.data_exponent is None:
        return told
    return f"{told}; the data are not" if reached.regime == "chaotic" else f"{told}; the data are not chaotic, either"


def theory(found: Findings, reached: Verdict) -> Iterator[str]:
    """What the theorem says, what was measured, and whether they agree."""
    numbers = found.numbers
    if reached.regime == "divergent":
        yield "Theory speaks of bounded orbits, and this one is not."
        return
    if reached.expected == "none":
        yield "No theorem speaks of it" + (
            " yet." if reached.regime == "undecided" else ": nothing attracts the orbit."
        )
        return
    yield f"{_THEOREMS[reached.expected]}."
    gamma = found.evidence().gamma
    if math.isfinite(gamma):
        rate = f"Measured rate gamma = {measured(numbers, 'gradient_growth')} {RATE}"
        yield f"{rate}, {times(reached.growth_ratio)} lambda_1." if reached.growth_ratio is not None else f"{rate}."
    else:
        yield "Their rate could not be measured." if math.isnan(gamma) else "Measured: they vanish altogether."
    if "loss_gradient_growth" in numbers:
        yield f"Loss gradients of the parameters grow at {measured(numbers, 'loss_gradient_growth')}."
    yield _agreement(found, reached)
    yield from _before(found)


def _agreement(found: Findings, reached: Verdict) -> str:
    if reached.consistent is not None:
        return f"Growth and exponent {'agree within' if reached.consistent else 'DISAGREE beyond'} their errors."
    if math.isnan(found.evidence().gamma):
        why = "the orbits that gradients were followed along blew up"
    elif 0 < found.numbers.get("returning_share", 0.0) < 1:
        why = "free runs end on different attractors"
    else:
        why = "errors are too wide"
    return f"Whether growth and exponent agree cannot be told: {why}."


def _before(found: Findings) -> Iterator[str]:
    before, name = found.initial_verdict(), "lyapunov_exponent_1"
    if before is None:
        return
    rate = "" if before.regime == "divergent" else ", lambda_1 = -inf"
    if name in found.initial and rate:
        rate = f", lambda_1 = {measured(found.initial, name)}"
    yield f"Before training the network was {motion(before, found.initial)}{rate}."
