"""The command `status`, on results directories that other processes write."""

import json
from pathlib import Path

from execution.small import experiment

from chaosbench.execution import Started, alone
from chaosbench.execution.journal import Journal


def test_a_campaign_is_shown_while_it_runs_and_when_it_has_ended(call, tmp_path: Path):
    writer = Journal(tmp_path, alone([experiment()]), device="cpu", workers=1)
    writer.see(Started(experiment()))
    code, out, err = call("status", tmp_path)
    assert (code, err) == (0, "")
    assert "0 of 1" in out
    assert "sparse_teacher_forcing on rnn" in out
    writer.close()
    code, out, _ = call("status", tmp_path, "--watch")
    assert code == 0
    assert "1 experiment left" in out


def test_json_has_the_counts_of_every_campaign(call, tmp_path: Path):
    writer = Journal(tmp_path, alone([experiment()]), device="cpu", workers=1)
    code, out, _ = call("status", tmp_path, "--json")
    (campaign,) = json.loads(out)["campaigns"]
    assert code == 0
    assert campaign["running"] is True
    assert campaign["counts"] == {"waiting": 1}
    writer.close()


def test_a_directory_without_events_says_so_and_a_path_that_is_none_is_an_error(call, tmp_path: Path):
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "manifest.json").write_text('{"of": "another program"}')
    code, out, _ = call("status", tmp_path)
    assert code == 0
    assert "0 finished experiments" in out
    code, _, err = call("status", tmp_path / "absent")
    assert code == 2
    assert "absent" in err
