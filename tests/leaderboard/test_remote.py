"""Remote stores hold what is pushed, whole, once and unchanged, and campaigns outlive a store that is not reached."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import fsspec
import pytest

from chaosbench.errors import StoreError
from chaosbench.leaderboard import mirror, store
from chaosbench.leaderboard.folder import MANIFEST
from chaosbench.leaderboard.remote import Remote, Unreachable


@pytest.fixture(params=["memory", "file"])
def url(request: pytest.FixtureRequest, tmp_path: Path):
    if request.param == "file":
        yield f"file://{tmp_path}/far"
    else:
        yield "memory://far/results"
        fsspec.filesystem("memory").store.clear()


@pytest.fixture
def mirrors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHAOSBENCH_MIRRORS", str(tmp_path / "mirrors"))
    return tmp_path / "mirrors"


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_is_pushed_is_pulled_to_the_last_byte(make_result, tmp_path, url):
    folders = [store.write(make_result([0.1], model=model), tmp_path / "near") for model in ("lstm", "rnn")]
    assert Remote(url).push_all(folders) == {"pushed": 2}
    assert Remote(url).push_all(folders) == {"present": 2}
    (tmp_path / "other").mkdir()
    Remote(url).pull(tmp_path / "other")
    for folder in folders:
        assert files(folder) == files(tmp_path / "other" / folder.name)


def test_of_two_results_of_one_experiment_the_first_stays_and_the_other_is_kept_aside(make_result, tmp_path, url):
    first = store.write(make_result([0.1]), tmp_path / "a")
    second = store.write(make_result([0.2]), tmp_path / "b")
    assert [Remote(url).push(first), Remote(url).push(second)] == ["pushed", "other"]
    Remote(url).pull(tmp_path / "b")
    assert files(tmp_path / "b" / second.name) == files(first)
    (kept,) = tmp_path.glob("b/.kept-*")
    assert store.read(kept).records != store.read(first).records


def test_a_result_succeeds_one_without_a_result_and_not_the_reverse(make_result, tmp_path, url):
    failed = store.write(make_result([None], statuses=["failed"]), tmp_path / "a")
    done = store.write(make_result([0.2]), tmp_path / "b")
    remote = Remote(url)
    assert [remote.push(failed), remote.push(done), remote.push(failed)] == ["pushed", "pushed", "other"]
    remote.pull(tmp_path / "a")
    assert files(tmp_path / "a" / done.name) == files(done)


def test_a_result_that_waits_to_be_pushed_survives_an_update(make_result, tmp_path, url):
    Remote(url).push(store.write(make_result([None], statuses=["failed"]), tmp_path / "a"))
    done = store.write(make_result([0.2]), tmp_path / "b")
    before = files(done)
    Remote(url).pull(tmp_path / "b")
    assert files(done) == before


def test_a_flipped_bit_on_the_store_is_never_pulled(make_result, tmp_path, caplog):
    folder = store.write(make_result([0.1]), tmp_path / "near")
    Remote(f"file://{tmp_path}/far").push(folder)
    for stored in (tmp_path / "far" / folder.name).iterdir():
        content = stored.read_bytes()
        stored.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        (tmp_path / "other").mkdir(exist_ok=True)
        Remote(f"file://{tmp_path}/far").pull(tmp_path / "other")
        assert not (tmp_path / "other" / folder.name).exists() or stored.suffix == ".json"
        assert not list(tmp_path.glob("other/.tmp-*"))
        stored.write_bytes(content)
    assert "damaged" in caplog.text


@pytest.mark.parametrize("name", ["../../escaped", "/escaped", ".hidden", MANIFEST])
def test_a_manifest_cannot_name_files_elsewhere(make_result, tmp_path, name, caplog):
    folder = store.write(make_result([0.1]), tmp_path / "near")
    Remote(f"file://{tmp_path}/far").push(folder)
    manifest = tmp_path / "far" / folder.name / "0001.json"
    content = json.loads(manifest.read_text())
    content["files"][name] = next(iter(content["files"].values()))
    manifest.write_text(json.dumps(content))
    Remote(f"file://{tmp_path}/far").pull(tmp_path / "other")
    assert not list(tmp_path.rglob("*escaped*"))
    assert not (tmp_path / "other" / folder.name).exists()
    assert "damaged" in caplog.text


def test_a_damaged_folder_is_not_pushed(make_result, tmp_path, url, caplog):
    folder = store.write(make_result([0.1]), tmp_path / "near")
    (folder / "weights.safetensors").write_bytes(b"flipped")
    assert not Remote(url).push_all([folder])
    assert "not pushed" in caplog.text
    assert Remote(url).manifests() == {}


def test_commands_read_a_store_through_its_mirror(make_result, tmp_path, url, mirrors):
    folder = store.write(make_result([0.1]), tmp_path / "near")
    Remote(url).push(folder)
    opened = mirror.opened(url)
    assert opened.is_relative_to(mirrors)
    assert [one.runs for one in store.read_all(opened)] == [store.read(folder).runs]
    assert mirror.opened(url) == opened
    assert mirror.remote_of(opened).url == url
    assert mirror.opened("results") == Path("results")
    assert mirror.remote_of(tmp_path) is None


def test_a_campaign_goes_on_while_the_store_is_away_and_pushes_when_it_is_back(
    make_result, tmp_path, mirrors, monkeypatch, caplog
):
    url = f"file://{tmp_path}/far"
    results, away = mirror.opened(url), True
    put = Remote._put

    def unreliable(self: Remote, path: str, content: bytes) -> None:
        if away:
            raise Unreachable("no route")
        put(self, path, content)

    def events():
        nonlocal away
        for model in ("lstm", "rnn", "wide"):
            folder = store.write(make_result([0.1], model=model), results)
            away = model != "wide"
            yield type("Published", (), {"stored": store.read(folder)})()

    monkeypatch.setattr(Remote, "_put", unreliable)
    assert len(list(mirror.pushed(events(), results))) == 3
    assert len(Remote(url).manifests()) == 3
    assert "no route" in caplog.text


def test_the_command_pushes_a_directory_and_says_how_many(make_result, tmp_path, url, mirrors, monkeypatch, capsys):
    from chaosbench import cli

    store.write(make_result([0.1]), tmp_path / "near")
    for expected in ("1 pushed", "0 pushed"):
        monkeypatch.setattr(sys, "argv", ["chaosbench", "push", str(tmp_path / "near"), url])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert not ended.value.code
        assert expected in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["chaosbench", "rank", url, "--json"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    assert "lstm" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["chaosbench", "push", str(tmp_path / "near")])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2


def test_an_unknown_protocol_is_one_line(mirrors):
    with pytest.raises(StoreError, match="nosuch://x"):
        Remote("nosuch://x").manifests()


def _server(port: int) -> subprocess.Popen[bytes]:
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return server
        time.sleep(0.1)
    server.kill()
    raise TimeoutError("moto does not answer")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_an_s3_store_goes_down_and_comes_back(make_result, tmp_path, mirrors, monkeypatch, caplog):
    """The endpoint is stopped, so that nothing listens, and goes on later with what it held."""
    pytest.importorskip("s3fs", reason="s3fs is not installed")
    pytest.importorskip("moto", reason="moto is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    url, server = "s3://bucket/results", _server(port)
    try:
        fsspec.filesystem("s3", skip_instance_cache=True).mkdir("bucket")
        results = mirror.opened(url)
        first = store.write(make_result([0.1]), results)
        assert Remote(url).push(first) == "pushed"
        assert Remote(url).push(store.write(make_result([0.2]), tmp_path / "other")) == "other"
        server.send_signal(signal.SIGKILL)
        server.wait()
        second = store.write(make_result([0.1], model="rnn"), results)
        with pytest.raises(Unreachable):
            Remote(url).push(second)
        assert len(store.read_all(mirror.opened(url))) == 2  # the mirror, with a warning
        assert "cannot be used" in caplog.text
        server = _server(port)  # moto keeps nothing, so that all must be pushed again
        fsspec.filesystem("s3", skip_instance_cache=True).mkdir("bucket")
        assert Remote(url).push_all(store.folders(results)) == {"pushed": 2}
        monkeypatch.setenv("CHAOSBENCH_MIRRORS", str(tmp_path / "elsewhere"))
        assert len(store.read_all(mirror.opened(url))) == 2
    finally:
        server.kill()
        server.wait()
        os.environ.pop("AWS_ENDPOINT_URL", None)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_of_many_writers_on_s3_exactly_one_wins(make_result, tmp_path, mirrors, monkeypatch):
    pytest.importorskip("s3fs", reason="s3fs is not installed")
    pytest.importorskip("moto", reason="moto is not installed")
    from concurrent.futures import ThreadPoolExecutor

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    server = _server(port)
    try:
        fsspec.filesystem("s3", skip_instance_cache=True).mkdir("bucket")
        folders = [store.write(make_result([k / 10]), tmp_path / f"{k}") for k in range(8)]
        with ThreadPoolExecutor(8) as pool:
            outcomes = list(pool.map(lambda folder: Remote("s3://bucket/race").push(folder), folders))
        assert sorted(outcomes) == 7 * ["other"] + ["pushed"]
        winner = folders[outcomes.index("pushed")]
        assert Remote("s3://bucket/race").manifests() == {winner.name: (winner / MANIFEST).read_bytes()}
    finally:
        server.kill()
        server.wait()
