"""The page on writing a plug-in, followed word for word in a fresh environment outside the repository."""

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(sh|diff)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def edited(folder: Path, change: str) -> None:
    """Apply a change of lines to the single file that holds the old ones."""
    old = "\n".join(line[1:] for line in change.splitlines() if line.startswith("-"))
    new = "\n".join(line[1:] for line in change.splitlines() if line.startswith("+"))
    (path,) = [path for path in folder.rglob("*.py") if old in path.read_text(encoding="utf-8")]
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_page_ends_in_a_ranked_table_with_the_new_model(tmp_path: Path):
    """A fresh environment with the wheel of chaosbench; its dependencies are those of this environment."""
    environment = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    python = environment / "bin/python"
    wheels = tmp_path / "wheels"
    wheel = [python, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", wheels, ROOT]
    subprocess.run(wheel, check=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", *wheels.glob("*.whl")], check=True)
    (site,) = (environment / "lib").glob("python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "CHAOSBENCH"))}
    variables |= {"PATH": f"{environment / 'bin'}{os.pathsep}{variables['PATH']}", "COLUMNS": "160"}
    variables |= {"CHAOSBENCH_CACHE": str(tmp_path / "cache"), "CHAOSBENCH_PLUGINS": "leaky"}
    folder, printed = tmp_path, ""
    for language, text in BLOCK.findall((ROOT / "docs/writing-a-plugin.md").read_text(encoding="utf-8")):
        if language == "diff":
            edited(folder, text)
            continue
        for command in text.splitlines():
            if command.startswith("cd "):
                folder = folder / command.removeprefix("cd ")
                continue
            if command.startswith("chaosbench plugins new"):
                own = {name: value for name, value in variables.items() if name != "CHAOSBENCH_PLUGINS"}
            else:
                own = variables
            done = subprocess.run(command, shell=True, cwd=folder, env=own, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
            printed = done.stdout
    print(printed)
    assert "leaky" in printed
    assert "rnn" in printed
