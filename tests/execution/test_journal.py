"""The journal of a campaign: whole lines, at a bounded rate, in the folder of each experiment at the end."""

import itertools
import json
import threading
from math import log
from pathlib import Path

import pytest
from misbehaving import Misbehaving
from small import experiment

from chaosbench.execution import Advanced, Published, Started, alone, carry_on
from chaosbench.execution.journal import Journal
from chaosbench.leaderboard import store
from chaosbench.leaderboard.folder import EVENTS, hashes, verify
from chaosbench.models import RNN
from chaosbench.monitor.lines import FOLDER, append, lines
from chaosbench.progress import Progress


def journal(folder: Path, seconds: float = 0.0) -> Journal:
    """Return a journal of one experiment, whose clock advances by `seconds` at each reading."""
    ticks = itertools.count()
    return Journal(folder, alone([experiment()]), device="cpu", workers=1, clock=lambda: seconds * next(ticks))


def test_a_published_folder_tells_its_course_from_start_to_end(tmp_path: Path):
    first, lost = experiment(), experiment(Misbehaving(fault="exit"))
    before = tmp_path / FOLDER / f"{first.digest()[:12]}.jsonl"
    before.parent.mkdir()
    before.write_text('{"event": "start"}\n{"event": "progress", "upd')  # what a killed process left
    published = [
        event.stored
        for event in carry_on(alone([first, lost]), tmp_path, device="cpu", workers=2)
        if isinstance(event, Published)
    ]
    folders = {stored.runs[0]["status"]: stored.folder for stored in published}
    events, _ = lines(folders["ok"] / EVENTS)
    names = [event["event"] for event in events]
    assert names[:2] == ["start", "start"]
    assert names[-1] == "end"
    assert events[-1]["statuses"] == {"ok": 2}
    trained = [event for event in events if event["event"] == "progress"]
    assert trained[-1]["update"] == trained[-1]["updates"] == 10
    assert all(event["loss"] > 0 and event["gradient_norm"] > 0 for event in trained)
    phases = [event["phase"] for event in events if "phase" in event]
    assert sorted(set(phases), key=phases.index) == ["data", "diagnosis", "training", "forecasts", "scores"]
    assert lines(folders["crashed"] / EVENTS)[0][-1]["statuses"] == {"crashed": 2}
    assert EVENTS in hashes(folders["ok"])
    verify(folders["ok"])
    assert [path.name.partition("-")[0] for path in (tmp_path / FOLDER).iterdir()] == ["campaign"]


def test_the_file_of_a_campaign_has_its_plan_and_what_is_left(tmp_path: Path):
    ran, waits = experiment(), experiment(RNN(hidden=6))
    events = carry_on(alone([ran, waits]), tmp_path, device="cpu", workers=1)
    for event in events:
        if isinstance(event, Published):
            break
    events.close()
    (file,) = (tmp_path / FOLDER).glob("campaign-*.jsonl")
    plan, *ends, last = lines(file)[0]
    assert [one["folder"] for one in plan["experiments"]] == [store.folder_name(one) for one in (ran, waits)]
    assert [end["experiment"] for end in ends] == [ran.digest()[:12]]
    assert (last["event"], last["left"]) == ("campaign_end", 1)


def test_a_file_cut_anywhere_loses_one_line_at_most_and_goes_on(tmp_path: Path):
    file = tmp_path / "events.jsonl"
    for number in range(3):
        append(file, "progress", update=number, text="ü\n")
    content = file.read_bytes()
    for size in range(len(content) + 1):
        file.write_bytes(content[:size])
        whole = content[:size].count(b"\n")
        assert [event["update"] for event in lines(file)[0]] == list(range(whole))
        append(file, "end")
        seen = lines(file)[0]
        complete = content[size - 1 : size] == b"}"  # only the line break was lost
        assert [event.get("update") for event in seen] == [*range(whole + complete), None]


def test_a_reader_that_goes_on_sees_each_event_once(tmp_path: Path):
    file, position, seen = tmp_path / "events.jsonl", 0, []
    assert lines(file) == ([], 0)
    content = b"".join(json.dumps({"event": "progress", "update": n}).encode() + b"\n" for n in range(20))
    for size in range(0, len(content) + 1, 7):
        file.write_bytes(content[:size])
        events, position = lines(file, position)
        seen += [event["update"] for event in events]
    file.write_bytes(content)
    seen += [event["update"] for event in lines(file, position)[0]]
    assert seen == list(range(20))


def test_writers_at_once_do_not_mix_their_lines(tmp_path: Path):
    file = tmp_path / "events.jsonl"

    def write(name: str) -> None:
        for number in range(200):
            append(file, name, number=number)

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in "abcd":
        assert [event["number"] for event in lines(file)[0] if event["event"] == name] == list(range(200))


def test_a_long_training_writes_few_lines(tmp_path: Path):
    """Lines s apart at time 200 s, for s from 1 to 30 seconds, are 200 (1 + ln 30) in 6,000 s, and then one in 30 s."""
    updates, hours = 2_000, 6
    writer = journal(tmp_path, hours * 3_600 / updates)
    for update in range(1, updates + 1):
        writer.see(Advanced(experiment(), Progress("training", update, updates, 0.5)))
    written = [event["update"] for event in lines(writer.file(experiment()))[0]]
    assert written[0] == 1
    assert written[-1] == updates
    assert len(written) <= 200 * (1 + log(30)) + (hours * 3_600 - 6_000) / 30 + 2
    writer.close()


def test_numbers_that_are_not_finite_are_null(tmp_path: Path):
    writer = journal(tmp_path)
    writer.see(Started(experiment()))
    writer.see(Advanced(experiment(), Progress("training", 1, 9, float("inf"), float("nan"))))
    last = writer.file(experiment()).read_text().splitlines()[-1]
    found = json.loads(last, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert (found["loss"], found["gradient_norm"]) == (None, None)
    writer.close()


def test_a_folder_that_cannot_be_written_costs_no_result(tmp_path: Path):
    (tmp_path / FOLDER).write_text("a file where the folder should be")
    events = list(carry_on(alone([experiment()]), tmp_path, device="cpu", workers=1))
    assert [run["status"] for run in events[-1].stored.runs] == ["ok", "ok"]
