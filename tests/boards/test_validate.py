"""Validation lets honest submissions pass, and refuses each kind of cheat with its reason."""

import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch
from made_submissions import LOCK, RUNS, best, chosen, claimed, written

from chaosbench.boards.validate import validate
from chaosbench.leaderboard.folder import Stored, content_digest
from chaosbench.leaderboard.submissions import read_submission
from chaosbench.metrics import MixtureDivergence, median_over_runs


def found(tmp_path: Path, experiments: list[Stored], others=(), **settings) -> set[str]:
    """Return the names of the checks that find something."""
    folder = written(tmp_path, experiments, **settings)
    return {finding.check for finding in validate(read_submission(folder), LOCK, others)}


def edited(name: str, change, *, seeds=(0,)) -> list[Stored]:
    """Return the honest experiments with one number of some seeds of the first changed."""
    first, *rest = claimed()
    records = tuple(
        {**row, "value": change(row["value"])} if row["name"] == name and row["seed"] in seeds else row
        for row in first.records
    )
    return [replace(first, records=records), *rest]


def with_runs(**fields) -> list[Stored]:
    first, *rest = claimed()
    return [replace(first, runs=({**first.runs[0], **fields}, *first.runs[1:])), *rest]


def test_an_honest_submission_is_valid(tmp_path: Path):
    assert found(tmp_path, claimed()) == set()


def without(*names: str) -> list[Stored]:
    """Return the honest experiments without some numbers."""
    return [replace(one, records=tuple(row for row in one.records if row["name"] not in names)) for one in claimed()]


def renamed(name: str, other: str) -> list[Stored]:
    """Return the honest experiments with a number under another name; `{}` stands for that of the first metric."""
    old, new = (text.format("state_space_divergence") for text in (name, other))
    return [
        replace(one, records=tuple({**row, "name": new} if row["name"] == old else row for row in one.records))
        for one in claimed()
    ]


def lost(seed: int, orbits: int) -> list[Stored]:
    """Return the honest experiments with some free runs of a seed undefined, and the score that is computed then."""
    first, *rest = claimed()
    name = "state_space_divergence"
    gone = [f"orbit.{orbit}.{name}" for orbit in range(orbits)]
    runs = [row["value"] for row in first.records if row["seed"] == seed and row["name"].endswith(f".{name}")]
    score = median_over_runs(
        torch.tensor([math.nan] * orbits + runs[orbits:], dtype=torch.float64), better="lower"
    ).item()
    changed = dict.fromkeys(gone) | {name: score if math.isfinite(score) else None}
    records = (
        {**row, "value": changed[row["name"]]} if row["seed"] == seed and row["name"] in changed else row
        for row in first.records
    )
    return [replace(first, records=tuple(records)), *rest]


@pytest.mark.parametrize("orbits", [1, 2, 4])
def test_a_free_run_without_a_score_counts_as_the_worst_in_the_median(tmp_path: Path, orbits: int):
    assert found(tmp_path, lost(0, orbits)) == set()


def hidden(name: str) -> list[Stored]:
    """Return the honest experiments with halved scores, and behind each the honest one as if recorded in training."""
    changed = []
    for one in claimed():
        honest = [row for row in one.records if row["name"] == name]
        others = [row for row in one.records if row["name"] != name]
        halved = [{**row, "value": 0.5 * row["value"]} for row in honest]
        recorded = [{**row, "update": 1} for row in honest]
        changed.append(replace(one, records=(*halved, *others, *recorded)))
    return changed


CHEATS = {
    "halved-score-behind-one-of-training": (hidden("state_space_divergence"), "consistency"),
    "halved-score": (edited("state_space_divergence", lambda value: 0.5 * value), "consistency"),
    "no-free-runs": (without(*(f"orbit.{n}.state_space_divergence" for n in range(RUNS))), "consistency"),
    "free-runs-of-other-names": (
        renamed("orbit.0.state_space_divergence", "orbit.x.state_space_divergence"),
        "consistency",
    ),
    "a-free-run-twice": (renamed("orbit.1.state_space_divergence", "orbit.00.state_space_divergence"), "consistency"),
    "the-worst-free-run-left-out": (without("orbit.0.state_space_divergence"), "consistency"),
    "negative-divergence": (edited("state_space_divergence", lambda _: -0.1), "values"),
    "distance-above-one": (edited("power_spectrum_distance", lambda _: 1.5), "values"),
    "edited-exponent-error": (edited("largest_exponent_error", lambda value: 0.01 * value), "consistency"),
    "four-seeds": ([chosen(claimed()[0], [0, 1, 2, 3], [0, 1, 2, 3]), *claimed()[1:]], "seeds"),
    "other-seeds": (claimed(seeds=range(5, 10)), "seeds"),
    "too-fast": (with_runs(updates=10**9), "costs"),
    "future": (with_runs(started=datetime(2131, 1, 1, tzinfo=UTC)), "costs"),
    "unknown-status": (with_runs(status="superb"), "status"),
    "other-label": (with_runs(model="transformer"), "labels"),
    "missing-metric": (without("power_spectrum_distance"), "metrics"),
    "number-twice": ([replace(one, records=(*one.records, one.records[0])) for one in claimed()], "duplicates"),
}


@pytest.mark.parametrize(("experiments", "check"), CHEATS.values(), ids=CHEATS)
def test_a_cheat_is_found(tmp_path: Path, experiments: list[Stored], check: str):
    assert check in found(tmp_path, experiments)


def test_a_good_seed_that_was_copied_is_found(tmp_path: Path):
    first, *rest = claimed()
    good = [row for row in first.records if row["seed"] == 0]
    records = [row for row in first.records if row["seed"] not in (1,)] + [{**row, "seed": 1} for row in good]
    assert found(tmp_path, [replace(first, records=tuple(records)), *rest]) == {"copies"}
    nothing = {"parameters": 0, "updates": 1}  # that a seed could change
    fixed = tuple({**run, **nothing} for run in first.runs)
    assert found(tmp_path, [replace(first, records=tuple(records), runs=fixed), *rest], name="fixed") == set()


def test_an_estimated_divergence_may_be_below_zero_by_its_sampling_error(tmp_path: Path):
    """D - 4 sqrt(2 D / n) has its least value -8 / n, at D = 8 / n; below the floor an estimate ranks as the floor."""
    least = -8 / MixtureDivergence().samples

    def shifted(value: float) -> list[Stored]:
        first, *rest = claimed()
        rows = (
            {**row, "value": value} if row["name"].endswith("state_space_divergence") else row for row in first.records
        )
        return [replace(first, records=tuple(rows)), *rest]

    assert found(tmp_path, shifted(0.99 * least)) == set()
    assert found(tmp_path, shifted(1.01 * least), name="worse") == {"values"}


def test_numbers_of_somebody_else_under_a_new_name_are_found(tmp_path: Path):
    theirs = read_submission(written(tmp_path, claimed(), name="theirs"))
    assert found(tmp_path, claimed(), [theirs], name="mine") == {"copies"}
    assert found(tmp_path, claimed(seed=1), [theirs], name="mine") == set()


def test_an_easier_evaluation_is_on_no_board(tmp_path: Path):
    first, *rest = claimed()
    content = {**first.experiment, "evaluation": {**first.experiment["evaluation"], "context": 1}}
    digest = content_digest(content)
    runs, records = (tuple({**row, "experiment": digest} for row in rows) for rows in (first.runs, first.records))
    easier = replace(first, experiment=content, runs=runs, records=records)
    assert "board" in found(tmp_path, [easier, *rest])


def test_picking_the_best_seeds_alone_cannot_be_seen_in_the_numbers(tmp_path: Path):
    picked = [chosen(one, best(one)) for one in claimed(seeds=range(10))]
    assert found(tmp_path, picked) == set(), "only fresh seeds tell, see test_verify.py"
