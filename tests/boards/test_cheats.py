"""Cheats by what stands beside the scores: metrics, directions, floors, digests and names that would move a rank."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from made_submissions import LOCK, claimed, method, written

from chaosbench.boards.validate import validate
from chaosbench.leaderboard.folder import Stored, content_digest
from chaosbench.leaderboard.rank import rank
from chaosbench.leaderboard.submissions import Submission, read_submission


def found(tmp_path: Path, experiments: list[Stored], others: tuple[Submission, ...] = ()) -> set[str]:
    """Return the names of the checks that find something."""
    folder = written(tmp_path, experiments, name="theirs")
    return {finding.check for finding in validate(read_submission(folder), LOCK, others)}


@pytest.fixture
def earlier(tmp_path: Path) -> Submission:
    """Return the submission of somebody else."""
    return read_submission(written(tmp_path / "earlier", claimed(), name="first"))


def mine() -> list[Stored]:
    """Return honest runs of another method."""
    return [method(one, 7) for one in claimed(seed=1)]


def rows(change: Callable[[dict], dict], *, name: str = "state_space_divergence") -> list[Stored]:
    """Return the honest experiments with all rows of one name changed."""
    return [
        replace(one, records=tuple(change(row) if row["name"] == name else row for row in one.records))
        for one in mine()
    ]


def content(change: Callable[[dict], dict]) -> list[Stored]:
    """Return experiments with another content and the digest that it has."""
    changed = []
    for one in mine():
        own = change(one.experiment)
        digest = {"experiment": content_digest(own)}
        runs, records = (tuple(row | digest for row in part) for part in (one.runs, one.records))
        changed.append(replace(one, experiment=own, runs=runs, records=records))
    return changed


def extra(name: str, **fields: object) -> list[Stored]:
    """Return the honest experiments with another row first, a copy of a score of each seed."""
    changed = []
    for one in mine():
        own = tuple(row | {"name": name} | fields for row in one.records if row["name"] == FIRST)
        changed.append(replace(one, records=(*own, *one.records)))
    return changed


FIRST = "state_space_divergence"
CHEATS = {
    "higher-is-better": (rows(lambda row: row | {"better": "higher"}), "scales"),
    "another-unit": (rows(lambda row: row | {"unit": "1"}), "scales"),
    "a-floor-that-hides-every-difference": (rows(lambda row: row | {"floor": 10.0}), "scales"),
    "undefined-beside-a-defined-truth": (rows(lambda row: row | {"floor": None, "value": None}), "scales"),
    "a-metric-of-its-own": (extra("beauty", value=0.0), "metrics"),
    "another-order": ([replace(one, records=one.records[::-1]) for one in mine()], "metrics"),
    "numbers-of-no-run": (extra("beauty", seed=99, better=""), "metrics"),
    "not-a-number-on-an-orbit": (rows(lambda row: row | {"value": float("nan")}, name=f"orbit.0.{FIRST}"), "values"),
    "not-a-number-beside-it": (rows(lambda row: row | {"floor": float("nan")}), "values"),
    "an-infinite-number-in-training": (extra("loss", update=3, better="", value=float("inf")), "values"),
    "an-easier-system": (content(lambda own: own | {"system": own["system"] | {"a": 1.0}}), "sources"),
    "more-data": (content(lambda own: own | {"data": own["data"] | {"train_length": 10**6}}), "sources"),
    "easier-metrics": (content(lambda own: own | {"metrics": own["metrics"][:1]}), "metrics"),
    "a-larger-network": (content(lambda own: own | {"model": own["model"] | {"hidden": 3000}}), "labels"),
    "no-such-setting": (content(lambda own: own | {"model": own["model"] | {"magic": 1}}), "content"),
    "another-name-of-the-system": (
        [replace(one, runs=tuple(run | {"system": f"{run['system']}(b=1)"} for run in one.runs)) for one in mine()],
        "labels",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("experiments", "check"), CHEATS.values(), ids=CHEATS)
def test_a_cheat_is_found(tmp_path: Path, earlier: Submission, experiments: list[Stored], check: str):
    assert check in found(tmp_path, experiments, (earlier,))


def test_honest_runs_beside_those_of_others_are_valid(tmp_path: Path, earlier: Submission):
    assert found(tmp_path, mine(), (earlier,)) == set()


def test_the_truth_may_score_otherwise_on_another_machine(tmp_path: Path, earlier: Submission):
    """Orbits of a chaotic system differ between machines, and so do their floors."""
    assert found(tmp_path, rows(lambda row: row | {"floor": 2 * row["floor"]}), (earlier,)) == set()


@pytest.mark.parametrize("where", ["better", "unit", "floor"])
def test_the_first_submission_of_a_board_has_one_scale_as_well(tmp_path: Path, where: str):
    other = {"better": "higher", "unit": "m", "floor": 10.0}[where]
    first, *rest = rows(lambda row: row | {where: other} if row["seed"] == 3 else row)
    assert found(tmp_path, [first, *rest]) == {"scales"}


def test_numbers_recorded_in_training_and_orbits_without_a_number_change_no_rank():
    honest, name = claimed(), FIRST
    changed = []
    for one in honest:
        scores = [row for row in one.records if row["name"] == name]
        training = [row | {"update": 1, "value": 0.0} for row in one.records]
        training += [row | {"name": f"{name}.at_rest", "update": 1, "value": 1e-9, "better": ""} for row in scores]
        odd = [row | {"name": f"orbit.x.{name}", "value": 0.0, "better": ""} for row in scores]
        changed.append(replace(one, records=(*one.records, *training, *odd)))
    assert rank(changed) == rank(honest)


def with_rest(experiments: list[Stored], score: float) -> list[Stored]:
    """Return experiments with the score of a run at rest beside the first metric, which tells its resolution."""
    changed = []
    for one in experiments:
        scores = [row for row in one.records if row["name"] == FIRST]
        rest = [row | {"name": f"{FIRST}.at_rest", "value": score, "floor": score, "better": ""} for row in scores]
        changed.append(replace(one, records=(*one.records, *rest)))
    return changed


def test_a_metric_that_has_resolution_for_others_cannot_be_said_to_have_none(tmp_path: Path):
    """A low score of a run at rest would move the metric behind all others, for every entry of the board."""
    others = read_submission(written(tmp_path / "earlier", with_rest(claimed(), 10.0), name="first"))
    assert found(tmp_path / "honest", with_rest(mine(), 9.0), (others,)) == set()
    assert found(tmp_path / "cheat", with_rest(mine(), 1e-9), (others,)) == {"scales"}
    twice = [*with_rest(claimed(), 10.0), *with_rest([method(one, 9) for one in claimed(seed=2)], 9.0)]
    (first, *_) = rank([*twice, *with_rest(mine(), 1e-9)]).boards
    assert first.measures[0].name == FIRST
