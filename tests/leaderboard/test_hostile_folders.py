"""Results that were written by somebody else, by another program, or by a process that failed."""

import json
import logging
import os
import time
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chaosbench.errors import StoreError
from chaosbench.execution import Finished, carry_on
from chaosbench.leaderboard import store
from chaosbench.leaderboard.folder import MANIFEST, read

ESCAPE = "\x1b[31m\u202e\udcff"  # red, written from right to left, and a byte of a file name that is not UTF-8


def rehash(folder, name: str, content: bytes) -> None:
    """Replace a file and its hash, as a forger would."""
    (folder / name).write_bytes(content)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"][name] = sha256(content).hexdigest()
    (folder / MANIFEST).write_text(json.dumps(manifest))


def test_texts_that_would_steer_a_terminal_or_cannot_be_encoded_are_escaped(make_result, tmp_path):
    result = make_result([0.5])
    run = replace(result.runs[0], message=f"bad {ESCAPE}", provenance={ESCAPE: ESCAPE})
    record = replace(result.records[0], unit=ESCAPE)
    stored = read(store.write(replace(result, runs=(run,), records=(record,)), tmp_path))
    texts = [stored.runs[0]["message"], *stored.runs[0]["provenance"].items(), stored.records[0]["unit"]]
    assert all(text.isprintable() for one in texts for text in ([one] if isinstance(one, str) else one))
    assert stored.runs[0]["message"].startswith("bad \\x1b")


def test_a_damaged_folder_is_left_out_and_named_and_the_rest_is_read(make_result, tmp_path, caplog):
    good, bad = (store.write(make_result([0.5], model=model), tmp_path) for model in ("wide", "rnn"))
    (bad / "runs.parquet").write_bytes(b"PAR1")
    assert [stored.folder for stored in store.read_all(tmp_path)] == [good]
    assert bad.name in caplog.text


@pytest.mark.parametrize("name", ["weights.safetensors", "forecast.safetensors"])
def test_a_flipped_bit_in_a_file_that_no_ranking_reads_is_found_on_request(make_result, tmp_path, name, caplog):
    good, bad = (store.write(make_result([0.5], model=model), tmp_path) for model in ("wide", "rnn"))
    content = bytearray((bad / name).read_bytes())
    content[-1] ^= 1
    (bad / name).write_bytes(content)
    assert len(store.read_all(tmp_path)) == 2
    assert [stored.folder for stored in store.read_all(tmp_path, every_file=True)] == [good]
    assert name in caplog.text


def test_a_damaged_folder_is_kept_aside_when_its_experiment_is_published_again(make_result, tmp_path, caplog):
    result = make_result([0.5])
    folder = store.write(result, tmp_path)
    (folder / "runs.parquet").write_bytes(b"PAR1")
    assert read(store.write(result, tmp_path)).runs[0]["status"] == "ok"
    (aside,) = tmp_path.glob(".damaged-*")
    assert (aside / "runs.parquet").read_bytes() == b"PAR1"
    assert aside.name in caplog.text


@pytest.mark.parametrize(
    "spec", [b"[]", b"{}", b"null", b"[" * 5000, b'{"schema": 1}', b'{"schema": 1, "identity": [], "experiment": 3}']
)
def test_nonsense_with_the_right_hash_is_an_error_that_names_the_folder(make_result, tmp_path, spec):
    folder = store.write(make_result([0.5]), tmp_path)
    rehash(folder, "spec.json", spec)
    with pytest.raises(StoreError, match=folder.name):
        read(folder)


def test_a_small_file_that_unfolds_to_gigabytes_is_refused(make_result, tmp_path):
    """Parquet stores a repeated text once; 100,000 rows of 100,000 letters are 10 GB in memory."""
    folder = store.write(make_result([0.5]), tmp_path)
    table = pq.read_table(str(folder / "records.parquet")).slice(0, 1)
    rows = table.take(pa.array(np.zeros(100_000, np.int64)))
    at = rows.column_names.index("unit")
    units = pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(rows), np.int32)), pa.array(["x" * 100_000]))
    bomb = tmp_path / "bomb.parquet"
    pq.write_table(rows.set_column(at, "unit", units), str(bomb), write_page_checksum=True)
    assert bomb.stat().st_size < 2**20
    rehash(folder, "records.parquet", bomb.read_bytes())
    with pytest.raises(StoreError, match="unfolds"):
        read(folder)


@pytest.mark.parametrize("manifest", ['{"name": "an app", "icons": []}', "[1, 2]", '"text"'])
def test_the_folder_of_another_program_is_skipped(make_result, tmp_path, manifest, caplog):
    store.write(make_result([0.5]), tmp_path)
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / MANIFEST).write_text(manifest)
    assert len(store.read_all(tmp_path)) == 1
    assert caplog.text == ""


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
@pytest.mark.parametrize("name", [MANIFEST, "spec.json", "runs.parquet"])
def test_a_named_pipe_in_a_folder_does_not_block_the_reader(make_result, tmp_path, name):
    store.write(make_result([0.5], model="wide"), tmp_path)
    folder = store.write(make_result([0.5], model="rnn"), tmp_path)
    (folder / name).unlink()
    os.mkfifo(folder / name)
    assert len(store.read_all(tmp_path)) == 1


def test_only_folders_that_chaosbench_named_are_removed(tmp_path):
    own, other = tmp_path / f".tmp-{'0a' * 16}", tmp_path / ".tmp-notes"
    for folder in (own, other):
        folder.mkdir()
        os.utime(folder, (time.time() - 2 * store.STALE,) * 2)
    store.prepare(tmp_path)
    assert not own.exists()
    assert other.exists()


def test_a_result_that_cannot_be_stored_becomes_failed_runs_and_the_campaign_goes_on(
    make_result, tmp_path, monkeypatch, caplog
):
    caplog.set_level(logging.WARNING)
    strange, good = make_result([0.5], model="wide"), make_result([0.25], model="rnn")
    odd = replace(strange, records=(replace(strange.records[0], value=1j),))
    events = [Finished(odd.experiment, odd), Finished(good.experiment, good)]

    def finished(*_, **__):
        yield from events

    monkeypatch.setattr("chaosbench.execution.campaign.run_all", finished)
    list(carry_on([], tmp_path, device="cpu", workers=1))
    rows = {stored.runs[0]["model"]: stored.runs[0] for stored in store.read_all(tmp_path)}
    statuses = {label: row["status"] for label, row in rows.items()}
    assert sorted(statuses.values()) == ["failed", "ok"]
    assert "complex" in next(row["message"] for row in rows.values() if row["status"] == "failed")
