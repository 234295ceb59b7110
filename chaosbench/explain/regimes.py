"""Regimes of a network's free run in words."""

from chaosbench.formats import percent
from chaosbench.theory.run_diagnosis import RunDiagnosis
from chaosbench.theory.verdict import Verdict


def describe_regime(verdict: Verdict, diagnosis: RunDiagnosis) -> str:
    """Return the regime as a predicate: "the network is ..."."""
    if verdict.regime == "periodic":
        return f"on a {diagnosis.period}-cycle" if diagnosis.period else "converging to a fixed point or a cycle"
    if verdict.regime == "divergent":
        lost = 1 - (diagnosis.bounded_share or 0.0)
        return f"divergent: {'its' if lost == 1 else f'{percent(lost)} of its'} free runs blow up"
    if verdict.regime == "fixed point":
        return "at a fixed point"
    return "of undecided regime" if verdict.regime == "undecided" else verdict.regime
