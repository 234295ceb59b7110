"""Write the table of spoiled runs into docs/metrics.md: `python -m docs.generate.score_table`."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from chaosbench import metrics
from chaosbench.builtin import chaosbench_metrics
from chaosbench.formats import number, percent
from chaosbench.metrics import Evaluation, MetricSpec
from docs.generate.markdown import replace_section
from docs.generate.spoiled_runs import DESCRIPTIONS, spoiled_evaluation

PAGE = Path(__file__).parents[1] / "metrics.md"
NAME = "table of spoiled runs"

# The scores before each free run was scored by itself: all free runs joined, or the mean over them.
POOLED: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "state_space_divergence": lambda a, b: metrics.state_space_divergence(a, b, convention="gtf_published"),
    "mixture_divergence": metrics.mixture_divergence,
    "sliced_wasserstein_distance": metrics.sliced_wasserstein_distance,
    "kernel_discrepancy": metrics.kernel_discrepancy,
    "hausdorff_distance": metrics.hausdorff_distance,
    "correlation_dimension_error": lambda a, b: (
        metrics.correlation_dimension(a, points=5_000, window=100)
        - metrics.correlation_dimension(b, points=5_000, window=100)
    ).abs(),
}
AVERAGED: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "power_spectrum_distance": metrics.power_spectrum_distance,
    "power_spectrum_correlation": metrics.power_spectrum_correlation,
}
_TABLES = {
    "Scores of free runs": ("free_run",),
    "Scores of forecasts": ("forecast",),
    "Scores of exponents": ("exponents",),
}


def before(kind: str, evaluation: Evaluation) -> Tensor | None:
    """Return the scores `(K,)` of a metric as it was; None where it has not changed."""
    if kind in POOLED:
        return POOLED[kind](*evaluation.standardised().pooled())
    if kind in AVERAGED:
        return AVERAGED[kind](evaluation.free_run, evaluation.truth).mean(-1)
    return None


def section(evaluation: Evaluation) -> str:
    """Return the tables in Markdown."""
    specs = sorted((metric() for metric in chaosbench_metrics()), key=lambda spec: spec.kind)
    listed = "\n".join(f"- *{name}*: {text}." for name, text in DESCRIPTIONS.items())
    tables = [
        f"{title}.\n\n{_table([spec for spec in specs if spec.judges in judged], evaluation)}"
        for title, judged in _TABLES.items()
    ]
    return "\n\n".join([listed, *tables, f"What is stored beside the scores.\n\n{_outcomes(evaluation)}"])


def _table(specs: Sequence[MetricSpec], evaluation: Evaluation) -> str:
    columns = [_column(spec, evaluation) for spec in specs]
    return _markdown([spec.kind.replace("_", " ") for spec in specs], columns)


def _column(spec: MetricSpec, evaluation: Evaluation) -> list[str]:
    """Return a metric's scores, with the former one before an arrow where it differs, and a star above the truth."""
    scores, former = spec.score(evaluation), before(spec.kind, evaluation)
    sign = -1 if spec.better == "higher" else 1
    cells = []
    for index, value in enumerate(scores):
        text = _number(value)
        if former is not None and _number(former[index]) != text:
            text = f"{_number(former[index])} → {text}"
        # Differences of rounding are no difference.
        cells.append(f"{text} \\*" if sign * (value - scores[0]) < -1e-9 else text)
    return cells


def _outcomes(evaluation: Evaluation) -> str:
    escaped = evaluation.escaped().any(1)
    divergence = metrics.StateSpaceDivergence()
    undefined = (before("state_space_divergence", evaluation) * 0 != 0) | ~evaluation.free_run.isfinite().flatten(
        1
    ).all(1)
    status = [f"{_status(bool(was))} → {_status(bool(now))}" for was, now in zip(undefined, escaped, strict=True)]
    shares = divergence.details(evaluation) | metrics.ValidPredictionTime().details(evaluation)
    names = [name for name in shares if name != "lost_share"]
    columns = [[percent(float(share)) for share in shares[name]] for name in names]
    return _markdown(["status", *(name.replace("_", " ") for name in names)], [status, *columns])


def _status(diverged: bool) -> str:
    return "diverged" if diverged else "ok"


def _number(value: Tensor) -> str:
    return number(round(float(value), 12)) if torch.isfinite(value) else "null"


def _markdown(headers: Sequence[str], columns: Sequence[Sequence[str]]) -> str:
    rows = zip(DESCRIPTIONS, *columns, strict=True)
    lines = [["run", *headers], ["---"] * (1 + len(headers)), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Replace the tables on the page."""
    replace_section(PAGE, NAME, section(spoiled_evaluation()))


if __name__ == "__main__":
    main()
