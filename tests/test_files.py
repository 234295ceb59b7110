"""The folder of the cache, for users with a home folder and without."""

import os
import tempfile
from pathlib import Path

import pytest

from chaosbench import files, provenance


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Take away everything that names a home folder, as in a container with an unknown user."""
    for name in ("HOME", "XDG_CACHE_HOME", "CHAOSBENCH_CACHE"):
        monkeypatch.delenv(name, raising=False)

    def unknown(_: int) -> None:
        raise KeyError("uid not found")

    pwd = pytest.importorskip("pwd")
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    files._temporary_cache.cache_clear()
    yield tmp_path
    files._temporary_cache.cache_clear()


def test_without_a_home_the_cache_is_a_private_folder_that_stays(homeless: Path):
    folder = files.cache_folder()
    assert folder.parent == homeless
    assert folder.stat().st_mode & 0o077 == 0
    files._temporary_cache.cache_clear()
    assert files.cache_folder() == folder
    assert provenance.of_command()["command"]


@pytest.mark.parametrize("trap", ["writable", "link"])
def test_a_folder_that_others_can_write_is_not_used(homeless: Path, trap: str):
    """Compiled code is loaded from the cache."""
    planted, elsewhere = homeless / f"chaosbench-{os.getuid()}", homeless / "elsewhere"
    elsewhere.mkdir()
    if trap == "link":
        planted.symlink_to(elsewhere)
    else:
        planted.mkdir()
        planted.chmod(0o777)
    folder = files.cache_folder()
    assert folder not in (planted, elsewhere)
    assert folder.stat().st_mode & 0o077 == 0
