"""The dynamics that a network learned, compared with the data's: regime, exponents, dimension."""

from collections.abc import Iterator

from chaosbench.explain.quantities import RATE, compare_exponents, is_finite, with_interval
from chaosbench.explain.regimes import describe_regime
from chaosbench.explain.seed_result import SeedResult
from chaosbench.formats import number, percent, ratio

_ORDINALS = ("second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")


def learned_dynamics(result: SeedResult) -> Iterator[str]:
    """Yield sentences that compare the free run of the trained network with the data's system."""
    diagnosis, truth = result.diagnosis, result.truth
    yield f"The trained network is {describe_regime(result.verdict, diagnosis)}{_largest_exponent(result)}."
    if result.verdict.regime == "divergent":
        return
    if diagnosis.bounded_share is not None and diagnosis.bounded_share < 1:
        yield f"{percent(1 - diagnosis.bounded_share)} of its free runs blow up; the numbers here describe the others."
    pairs = zip(diagnosis.lyapunov_exponents[1:], truth.lyapunov_exponents[1:], strict=False)
    for name, (own, true) in zip(_ORDINALS, pairs, strict=False):
        if is_finite(own.value):
            yield compare_exponents(name, own, true, scale=abs(result.data_exponent or 0.0))
    own_dimension, true_dimension = diagnosis.kaplan_yorke_dimension, truth.kaplan_yorke_dimension
    if is_finite(own_dimension) and is_finite(true_dimension):
        yield f"The Kaplan-Yorke dimension is {number(own_dimension)} (data: {number(true_dimension)})."
    if is_finite(diagnosis.spectral_gap):
        gap = f"{number(diagnosis.spectral_gap)} {RATE}"
        yield f"Its additional exponents lie {gap} or more below those that the data's system can have."


def _largest_exponent(result: SeedResult) -> str:
    """Continue the sentence about the regime with lambda_1 of the network and of the data."""
    exponent, verdict, data = result.diagnosis.largest_exponent, result.verdict, result.data_exponent
    if verdict.regime == "divergent":
        return ""
    value = with_interval(*exponent) if exponent is not None and is_finite(exponent.value) else "-inf"
    text = f", with lambda_1 = {value} {RATE}"
    if verdict.regime == "quasi-periodic":
        text += ", which is zero within its error"
    if data is None:
        return text
    if result.chaotic_data:
        if verdict.regime == "chaotic" and verdict.exponent_ratio is not None:
            return f"{text}, {ratio(verdict.exponent_ratio)} the data's {number(data)}"
        return f"{text}; the data are chaotic, with lambda_1 = {number(data)}"
    return f"{text}; the data are not chaotic{'' if verdict.regime == 'chaotic' else ' either'}"
