"""Explanation of a run: paragraphs whose sentences are computed from its stored numbers."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from chaosbench.explain.gradient_path import gradient_path
from chaosbench.explain.learned_dynamics import learned_dynamics
from chaosbench.explain.quantities import is_finite
from chaosbench.explain.regimes import describe_regime
from chaosbench.explain.seed_result import SeedResult, seed_results
from chaosbench.explain.theory_check import theory_check
from chaosbench.explain.training_history import training_history
from chaosbench.formats import duration, number, percent, ratio
from chaosbench.labels import title
from chaosbench.leaderboard.folder import FINISHED, Stored
from chaosbench.leaderboard.schema import Row
from chaosbench.theory.run_diagnosis import PREFIX

# Introduces the message of a seed, by its status.
_ENDS = {
    "ok": "Warning",
    "diverged": "The run diverged",
    "failed": "The run failed",
    "crashed": "The run crashed",
    "timeout": "The run exceeded its time limit",
    "oom": "The run ran out of memory",
    "skipped": "The run was skipped",
}


@dataclass(frozen=True)
class Explanation:
    """An explained experiment: one seed in paragraphs, the others in one line each.

    Attributes:
        title: trainer, model and system of the experiment.
        seed: the seed that the paragraphs explain.
        paragraphs: pairs of heading and text.
        others: one line for each other seed.
        figures: numbers and verdicts of all seeds, for programs.
    """

    title: str
    seed: int
    paragraphs: tuple[tuple[str, str], ...]
    others: tuple[str, ...]
    figures: dict[str, Any]


def explain(stored: Stored, seed: int | None = None) -> Explanation:
    """Explain an experiment by one of its seeds; None: the median seed by the first metric."""
    results = seed_results(stored)
    index = stored.median_run if seed is None else [result.seed for result in results].index(seed)
    result, run = results[index], stored.runs[index]
    paragraphs = [("outcome", _outcome(result, results, median=seed is None))]
    paragraphs += (
        [("diagnosis", _undiagnosed(result))] if result.diagnosis.empty else _diagnosed(result, stored.training_of(run))
    )
    paragraphs.append(("search", _search(stored, run)))
    return Explanation(
        title=title(run),
        seed=result.seed,
        paragraphs=tuple((heading, text) for heading, text in paragraphs if text),
        others=tuple(f"seed {other.seed}: {brief(other)}" for other in results if other is not result),
        figures=figures(stored),
    )


def brief(result: SeedResult) -> str:
    """Summarise a run in one line."""
    diagnosis = result.diagnosis
    outcome = f"{result.status}: {_one_line(result.message)}" if result.message else result.status
    if diagnosis.empty:
        return f"{outcome}; not diagnosed" if result.status in FINISHED else outcome
    if not diagnosis.has_dynamics:
        return f"{outcome}; replays training data"
    return "; ".join([outcome, *_brief_verdict(result), *_brief_clipping(result), *_brief_suspicion(result)])


def _brief_verdict(result: SeedResult) -> Iterator[str]:
    verdict = result.verdict
    if verdict.regime != "divergent":  # the first suspect names divergence
        yield describe_regime(verdict, result.diagnosis)
    if verdict.exponent_ratio is not None and verdict.regime == "chaotic":
        yield f"lambda_1 is {ratio(verdict.exponent_ratio)} the data's"
    if verdict.growth_ratio is not None:
        yield f"gradients grow at {ratio(verdict.growth_ratio)} lambda_1"
    if verdict.loss_ratio is not None:
        yield f"loss gradients grow at {ratio(verdict.loss_ratio)} lambda_1"


def _brief_clipping(result: SeedResult) -> Iterator[str]:
    norms, entries = result.diagnosis.clipped_share, result.diagnosis.clipped_entries_share
    if is_finite(norms):
        yield f"clipped in {percent(norms)} of updates"
    if is_finite(entries):
        yield f"entries clipped in {percent(entries)} of updates"


def _brief_suspicion(result: SeedResult) -> Iterator[str]:
    if result.verdict.self_consistent is False:
        yield "growth rate and exponent disagree"
    if result.verdict.consistent is False:
        yield "the loss gradient disagrees with the theorem"
    yield from result.verdict.suspects[:1]


def figures(stored: Stored) -> dict[str, Any]:
    """Return the numbers and the verdict of every seed, without those that are not finite."""
    return {
        "folder": stored.folder.name,
        **{noun: stored.runs[0][noun] for noun in ("system", "data", "model", "trainer")},
        "seeds": [
            {
                "seed": result.seed,
                "status": result.status,
                "message": result.message,
                "verdict": _finite(asdict(result.verdict)) if result.diagnosis.has_dynamics else None,
                "numbers": _stored_numbers(stored, result.seed, update=None),
                "initial": _stored_numbers(stored, result.seed, update=0),
                "truth": _stored_numbers(stored, result.seed, update=None, column="floor"),
                "scores": {
                    row["name"]: {
                        "value": row["value"],
                        "floor": row["floor"],
                        "details": {name: share["value"] for name, share in result.details[row["name"]].items()},
                    }
                    for row in result.scores
                },
            }
            for result in seed_results(stored)
        ],
    }


def _stored_numbers(stored: Stored, seed: int, *, update: int | None, column: str = "value") -> dict[str, float]:
    """Return the stored numbers of a diagnosis by name, including those that only other versions store."""
    return {
        row["name"].removeprefix(PREFIX): row[column]
        for row in stored.records
        if row["seed"] == seed
        and row["update"] == update
        and row["name"].startswith(PREFIX)
        and row[column] is not None
    }


def _outcome(result: SeedResult, results: Sequence[SeedResult], *, median: bool) -> str:
    counts = Counter(other.status for other in results)
    tally = ", ".join(f"{count} {status}" for status, count in sorted(counts.items(), reverse=True))
    first = result.scores[0]["name"].partition("(")[0] if result.scores else ""
    middle = "the better" if len(results) == 2 else "the median"
    role = f", {middle} by {first}" if median and len(results) > 1 and first else ""
    scores = [_score(row, result.details.get(row["name"], {})) for row in result.scores[:3]]
    message = f" {_ENDS.get(result.status, result.status)}: {_one_line(result.message)}." if result.message else ""
    seeds = f"{len(results)} seed{'s' if len(results) > 1 else ''}"
    return f"{seeds}: {tally}. Seed {result.seed}{role}: {'; '.join(scores) or 'no scores'}.{message}"


def _score(row: Row, details: Mapping[str, Row]) -> str:
    value = "is undefined" if row["value"] is None else f"= {number(row['value'])}"
    remarks = [] if row["floor"] is None else [f"between two true orbits: {number(row['floor'])}"]
    for name, detail in details.items():
        share = (detail["value"] or 0.0) if name.endswith("_share") else 0.0
        if share >= max(0.01, detail["floor"] or 0.0):
            remarks.append(f"{percent(share)} {name.removesuffix('_share').replace('_', ' ')}")
    joined = f" ({'; '.join(remarks)})" if remarks else ""
    return f"{row['name']} {value}{joined}"


def _diagnosed(result: SeedResult, training: tuple[int, float | None]) -> list[tuple[str, str]]:
    if not result.diagnosis.has_dynamics:
        replay = "This forecaster replays its training data, so the theory of gradients does not apply."
        return [("learned dynamics", replay), ("cost", _cost(result))]
    history = training_history(result, updates=training[0], seconds=training[1])
    suspects = result.verdict.suspects
    return [
        ("gradients in training", " ".join(gradient_path(result))),
        ("training", " ".join(history)),
        ("learned dynamics", " ".join(learned_dynamics(result))),
        ("theory", " ".join(theory_check(result))),
        ("suspects", " ".join(f"{suspect[0].upper()}{suspect[1:]}." for suspect in suspects)),
        ("cost", _cost(result)),
    ]


def _undiagnosed(result: SeedResult) -> str:
    if result.status in FINISHED:  # finished results are never replaced
        return (
            "No diagnosis is stored (results of an older version). Rerun the suite into another directory to get one."
        )
    if result.status == "skipped":
        return "The run was skipped, so there is nothing to diagnose."
    return "The run did not finish. Run the same command again to retry it."


def _search(stored: Stored, run: Row) -> str:
    """Return what the search before the training tried and cost; empty without one."""
    updates, seconds = stored.training_of(run)
    if updates == run["updates"] or seconds is None:
        return ""
    searched = stored.experiment["search"]
    fields = ", ".join(f"{noun}.{name}" for noun in ("model", "trainer") for name in searched[noun])
    return (
        f"A search of {searched['trials']} trials over {fields} came first: {run['updates'] - updates} updates, "
        f"{duration(run['train_seconds'] - seconds)} per seed, which count as training in tables."
    )


def _cost(result: SeedResult) -> str:
    share, seconds = result.diagnosis.cost_share, result.diagnosis.diagnosis_seconds
    if not is_finite(share) or not is_finite(seconds):
        return ""
    page = duration(seconds + (result.initial.diagnosis_seconds or 0.0))
    return f"All diagnostics took {percent(share)} of the training time; the diagnosis shown here took {page} per seed."


def _one_line(message: str) -> str:
    """Return a message on one line, without its full stop."""
    return " ".join(message.split()).removesuffix(".")


def _finite(content: dict[str, Any]) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in content.items()
    }
