"""Why a run went as it did, in words: every sentence is computed from its numbers."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from chaosbench.explain.dynamics_learned import learned, theory
from chaosbench.explain.findings import Findings, findings
from chaosbench.explain.training_process import passage, training
from chaosbench.explain.wording import motion, times
from chaosbench.formats import duration, number, percent
from chaosbench.labels import titled
from chaosbench.leaderboard.folder import FINISHED, Stored
from chaosbench.leaderboard.schema import Row

# How it is said that a seed came to that end, before the reason.
_ENDS = {
    "ok": "Beware",
    "diverged": "It diverged",
    "failed": "It failed",
    "crashed": "It crashed",
    "timeout": "It ran out of time",
    "oom": "It ran out of memory",
    "skipped": "It was skipped",
}


@dataclass(frozen=True)
class Explanation:
    """An experiment explained: one seed at length, the others in a line each.

    Attributes:
        title: what ran.
        seed: the one told at length.
        paragraphs: headings and texts.
        others: a line for each other seed.
        figures: the numbers behind the words, for programs.
    """

    title: str
    seed: int
    paragraphs: tuple[tuple[str, str], ...]
    others: tuple[str, ...]
    figures: dict[str, Any]


def explain(stored: Stored, seed: int | None = None) -> Explanation:
    """Explain an experiment by one of its seeds; None: the one that is median by the first metric."""
    every = findings(stored)
    place = stored.median_run if seed is None else [one.seed for one in every].index(seed)
    chosen, run = every[place], stored.runs[place]
    told = [("outcome", _outcome(chosen, every, median=seed is None))]
    told += _diagnosed(chosen, run) if chosen.numbers else [("diagnosis", _undiagnosed(chosen))]
    return Explanation(
        title=titled(run),
        seed=chosen.seed,
        paragraphs=tuple((heading, text) for heading, text in told if text),
        others=tuple(f"seed {one.seed}: {brief(one)}" for one in every if one is not chosen),
        figures=figures(stored),
    )


def brief(found: Findings) -> str:
    """A run in a line."""
    outcome = f"{found.status}: {_line(found.message)}" if found.message else found.status
    if not found.numbers:
        return f"{outcome}; not diagnosed" if found.status in FINISHED else outcome
    if "bounded_share" not in found.numbers:
        return f"{outcome}; replays what it was shown"
    reached = found.verdict()
    parts = [outcome]
    if reached.regime != "divergent":  # else the suspect tells it
        parts.append(motion(reached, found.numbers))
    if reached.exponent_ratio is not None and reached.regime == "chaotic":
        parts.append(f"lambda_1 {times(reached.exponent_ratio)} the data's")
    if reached.growth_ratio is not None:
        parts.append(f"gradients grow at {times(reached.growth_ratio)} lambda_1")
    if "clipped_share" in found.numbers:
        parts.append(f"clipped in {percent(found.numbers['clipped_share'])} of updates")
    if "clipped_entries_share" in found.numbers:
        parts.append(f"entries clipped in {percent(found.numbers['clipped_entries_share'])} of updates")
    if reached.consistent is False:
        parts.append("growth and exponent disagree")
    return "; ".join([*parts, *reached.suspects[:1]])


def figures(stored: Stored) -> dict[str, Any]:
    """The numbers and the verdict of every seed, without what is not finite."""
    return {
        "folder": stored.folder.name,
        **{noun: stored.runs[0][noun] for noun in ("system", "data", "model", "trainer")},
        "seeds": [
            {
                "seed": one.seed,
                "status": one.status,
                "message": one.message,
                "verdict": _finite(asdict(one.verdict())) if "bounded_share" in one.numbers else None,
                "numbers": dict(one.numbers),
                "initial": dict(one.initial),
                "truth": dict(one.truth),
                "scores": {row["name"]: {"value": row["value"], "floor": row["floor"]} for row in one.scores},
            }
            for one in findings(stored)
        ],
    }


def _outcome(found: Findings, every: Sequence[Findings], *, median: bool) -> str:
    counts = Counter(one.status for one in every)
    tally = ", ".join(f"{count} {status}" for status, count in sorted(counts.items(), reverse=True))
    first = found.scores[0]["name"].partition("(")[0] if found.scores else ""
    middle = "the better" if len(every) == 2 else "the median"
    role = f", {middle} by {first}" if median and len(every) > 1 and first else ""
    scores = [
        f"{row['name']} {'undefined' if row['value'] is None else number(row['value'])}"
        + (f" (two true orbits: {number(row['floor'])})" if row["floor"] is not None else "")
        for row in found.scores[:3]
    ]
    message = f" {_ENDS.get(found.status, found.status)}: {_line(found.message)}." if found.message else ""
    seeds = f"{len(every)} seed{'s' if len(every) > 1 else ''}"
    return f"{tally} of {seeds}. Seed {found.seed}{role}: {'; '.join(scores) or 'no scores'}.{message}"


def _diagnosed(found: Findings, run: Row) -> list[tuple[str, str]]:
    reached = found.verdict()
    if "bounded_share" not in found.numbers:
        replayed = "This forecaster replays what it was shown: its steps are no dynamics that theory could speak of."
        return [("what was learned", replayed), ("cost", _cost(found))]
    trained = training(found, updates=run["updates"], seconds=run["train_seconds"])
    return [
        ("what gradients pass through", " ".join(passage(found, reached))),
        ("how training went", " ".join(trained)),
        ("what was learned", " ".join(learned(found, reached))),
        ("theory", " ".join(theory(found, reached))),
        ("look at", "; ".join(reached.suspects) + "." if reached.suspects else ""),
        ("cost", _cost(found)),
    ]


def _undiagnosed(found: Findings) -> str:
    if found.status in FINISHED:  # such a folder is never replaced
        return "None is stored, as of old, and none can be added; to have one, run the suite into another directory."
    if found.status == "skipped":
        return "None: there was nothing to diagnose."
    return "None: the run came to no end. The same command tries it again."


def _cost(found: Findings) -> str:
    share, seconds = found.numbers.get("cost_share"), found.numbers.get("diagnosis_seconds")
    before = found.initial.get("diagnosis_seconds", 0.0)
    if share is None or seconds is None:
        return ""
    page = duration(seconds + before)
    return f"All diagnostics took {percent(share)} of the training time; those of this page {page} for each seed."


def _line(message: str) -> str:
    """A message without the full stop that follows it here, on one line."""
    return " ".join(message.split()).removesuffix(".")


def _finite(content: dict[str, Any]) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in content.items()
    }
