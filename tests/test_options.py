"""Values of options on the command line."""

from pathlib import Path

import pytest

from chaosbench import options
from chaosbench.errors import ChaosbenchError


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("1.5m", 90), ("2h", 7200)])
def test_times_have_units(text: str, seconds: float):
    assert options.seconds(text, "--timeout") == seconds


@pytest.mark.parametrize(
    ("text", "size"), [("1000", 1000), ("500MB", 5 * 10**8), ("4G", 4 * 10**9), ("4gb", 4 * 10**9)]
)
def test_sizes_have_units(text: str, size: int):
    assert options.size(text, "--memory") == size


@pytest.mark.parametrize("text", ["", "0", "-1s", "soon", "inf", "nan", "3d"])
def test_a_wrong_time_or_size_names_its_option(text: str):
    with pytest.raises(ChaosbenchError, match="--timeout"):
        options.seconds(text, "--timeout")
    with pytest.raises(ChaosbenchError, match="--memory"):
        options.size(text, "--memory")


@pytest.mark.parametrize("count", [1, 2, 3, 7, 12])
def test_shards_are_disjoint_and_complete(count: int):
    whole = list(range(10))
    parts = [whole[options.shard(f"{part}/{count}")] for part in range(1, count + 1)]
    assert sorted(number for part in parts for number in part) == whole
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert whole[options.shard(None)] == whole


@pytest.mark.parametrize("text", ["", "1", "0/3", "4/3", "a/b", "1/", "/3", "-1/3", "1/3/5"])
def test_a_wrong_shard_is_refused(text: str):
    with pytest.raises(ChaosbenchError, match="--shard"):
        options.shard(text)


def test_a_status_that_cannot_run_again_is_refused():
    assert options.statuses(["failed", "all"]) == ("failed", "all")
    with pytest.raises(ChaosbenchError, match="failed"):
        options.statuses(["faild"])


def test_a_path_that_is_not_utf8_is_refused_before_anything_runs():
    assert options.folder("Rössler") == Path("Rössler")
    with pytest.raises(ChaosbenchError, match="UTF-8"):
        options.folder("\udcff")
