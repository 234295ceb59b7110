"""The command `chaosbench explain`."""

import json
from math import isfinite
from pathlib import Path

import pytest
from stored_runs import BLOWN, CHAOS, FREE, REST, StoredSeed, publish

from chaosbench.models import RNN


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Store two experiments, one with three regimes and one without numbers, and return the directory."""
    lost = StoredSeed(BLOWN, divergence=None, status="diverged", message="the free run is not finite")
    publish(tmp_path, StoredSeed(CHAOS | FREE), StoredSeed(REST, divergence=0.2), lost)
    publish(tmp_path, StoredSeed({}, status="failed", message="no luck"), model=RNN())
    return tmp_path


def values(content):
    """Yield every number of a nested structure."""
    if isinstance(content, dict | list):
        for entry in content.values() if isinstance(content, dict) else content:
            yield from values(entry)
    elif isinstance(content, float):
        yield content


def test_all_runs_are_explained_in_lines_and_one_in_paragraphs(call, results: Path):
    code, out, err = call("explain", results)
    assert (code, err) == (0, "")
    assert out.count("seed ") == 4
    assert "seed 0: failed: no luck" in out
    for name in (["bptt", "lstm"], ["bptt lstm"], [next(results.glob("lstm*")).name[:9]]):
        code, out, err = call("explain", results, *name)
        assert (code, err) == (0, "")
        assert {"e^1.80", "e^1.90."} <= set(out.split())
    _, out, _ = call("explain", results, "lstm", "--seed", 2)
    assert "diverged: the free run is not finite." in " ".join(out.split())


def test_json_has_verdicts_and_finite_numbers(call, results: Path):
    code, out, _ = call("explain", results, "--json")
    assert code == 0
    lstm, rnn = sorted(json.loads(out), key=lambda row: row["model"])
    chaotic, resting, blown = lstm["seeds"]
    assert (chaotic["numbers"]["chain_growth"], chaotic["verdict"]["regime"]) == (1.9, "chaotic")
    assert chaotic["verdict"]["growth_ratio"] == pytest.approx(0.88 / 0.87)
    assert (chaotic["verdict"]["self_consistent"], chaotic["verdict"]["consistent"]) == (True, None)
    assert (resting["verdict"]["regime"], resting["verdict"]["growth_ratio"]) == ("fixed point", None)
    assert (blown["status"], blown["verdict"]["expected"]) == ("diverged", "none")
    assert blown["scores"] == {"state_space_divergence": {"value": None, "floor": 0.05, "details": {}}}
    assert (rnn["seeds"][0]["verdict"], rnn["seeds"][0]["message"]) == (None, "no luck")
    assert all(isfinite(value) for value in values([lstm, rnn]))
    _, out, _ = call("explain", results, "lstm", "--seed", "1", "--json")
    assert [[seed["seed"] for seed in row["seeds"]] for row in json.loads(out)] == [[1]]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["bptt"], "'bptt' matches 2 experiments"),
        (["lstn"], "did you mean 'lstm'"),
        (["lstm", "rnn"], "'lstm rnn'"),
        (["lstm", "--seed", "7"], "bptt on lstm, lorenz63 has no seed 7; seeds: 0, 1, 2"),
        (["lstm", "--seed", "7", "--json"], "bptt on lstm, lorenz63 has no seed 7; seeds: 0, 1, 2"),
    ],
)
def test_a_name_of_no_run_or_of_several_gives_one_line_and_exit_code_2(call, results: Path, words, message):
    code, out, err = call("explain", results, *words)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize("options", [[], ["--json"], ["lstm"]])
def test_an_empty_or_missing_directory_gives_one_line_and_exit_code_2(call, tmp_path: Path, options):
    for directory in (tmp_path, tmp_path / "nowhere"):
        code, out, err = call("explain", directory, *options)
        assert (code, out) == (2, "")
        assert f"there are no results in '{directory}'" in err
        assert len(err.strip().splitlines()) == 1
