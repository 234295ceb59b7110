import subprocess
import sys
from pathlib import Path

import pytest

from chaosbench import options, registry, suite
from chaosbench.data import DataSpec, simulate
from chaosbench.errors import ChaosbenchError, DataError, printable
from chaosbench.limits import LARGEST_SEED, physical_memory
from chaosbench.systems import Henon

SUITE = """
suite = "small"
seeds = [0]
[[systems]]
kind = "henon"
[[models]]
kind = "rnn"
[[trainers]]
kind = "bptt"
"""


def loaded(tmp_path: Path, text: str | bytes):
    path = tmp_path / "suite.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return suite.load(str(path), registry.load())


def test_a_byte_order_mark_before_a_suite_is_accepted(tmp_path):
    assert len(loaded(tmp_path, b"\xef\xbb\xbf" + SUITE.encode())) == 1


@pytest.mark.parametrize(
    ("text", "culprit"),
    [
        ("a = " + 900 * "[" + 900 * "]", "nested"),
        (f"a = 1{5000 * '0'}", "digits"),
        (SUITE.encode("utf-16"), "TOML"),
        (SUITE.replace("[0]", f"[{LARGEST_SEED + 1}]"), "seeds"),
        (SUITE.replace("[0]", "[true]"), "seeds"),
        (SUITE.replace("[0]", str(list(range(10_001)))), "10,001 seeds"),
        (SUITE.replace('"rnn"', f'"rnn"\nhidden = {list(range(1, 10_002))}'), "10,001 combinations"),
    ],
    ids=["nested", "digits", "utf-16", "large seed", "true", "many seeds", "large grid"],
)
def test_a_suite_that_no_machine_can_run_is_refused_in_one_line(tmp_path, text, culprit):
    with pytest.raises(ChaosbenchError, match=culprit) as refused:
        loaded(tmp_path, text)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", [300 * "a", f"{300 * 'a'}.toml", "missing.toml", "/dev/null/x.toml"])
def test_a_path_that_cannot_be_read_is_an_error_of_the_user(name):
    with pytest.raises(ChaosbenchError):
        suite.load(name, registry.load())


def test_a_file_named_like_a_shipped_suite_does_not_hide_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("quickstart").write_text("nothing")
    assert len(suite.load("quickstart", registry.load())) == 8


@pytest.mark.parametrize("text", ["0:100000000", "9223372036854775808", "1,1"])
def test_seeds_of_the_command_line_have_the_same_bounds(text):
    with pytest.raises(ChaosbenchError, match="seeds"):
        options.seeds(text)


def test_an_empty_path_of_results_is_refused():
    with pytest.raises(ChaosbenchError, match="empty"):
        options.folder("")


@pytest.mark.skipif(physical_memory() is None, reason="the system does not say how much memory it has")
def test_orbits_that_exceed_the_memory_are_refused_before_they_are_computed():
    with pytest.raises(DataError, match="train_length"):
        simulate(Henon(), DataSpec(train_length=10**12))


def test_printable_text_stays_as_it_is_and_control_characters_are_escaped():
    assert printable("Rössler τ\n\t") == "Rössler τ\n\t"
    assert printable("\x1b[2J\u202e\udc80\x9b") == "\\x1b[2J\\u202e\\udc80\\x9b"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no device that is always full")
def test_a_full_device_is_one_line_and_not_a_traceback():
    command = [sys.executable, "-m", "chaosbench", "--help"]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == 3
    assert len(ended.stderr.strip().splitlines()) == 1
