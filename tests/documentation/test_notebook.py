"""The notebooks run as they are."""

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def _notebook(text: str) -> str:
    cells = json.loads(text)["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code").replace("%", "# %", 1)


@pytest.mark.parametrize("updates", ["30", pytest.param("3_000", marks=pytest.mark.slow)])
def test_the_notebook_runs(updates: str, capsys: pytest.CaptureFixture[str]) -> None:
    """After the training shown, the network is chaotic like the data; the true spectrum sums to the field's trace.

    Runge-Kutta steps of 0.02 cause an error of 1e-2 in that sum.
    """
    source = _notebook((ROOT / "docs/diagnosis.ipynb").read_text(encoding="utf-8"))
    names: dict[str, Any] = {}
    exec(source.replace("3_000", updates), names)
    assert float((names["truth"].spectrum / 0.02).sum()) == pytest.approx(-(10 + 1 + 8 / 3), abs=1e-2)
    assert names["verdict"].regime
    if updates == "3_000":
        assert (names["verdict"].regime, names["verdict"].consistent) == ("chaotic", True)
        assert names["verdict"].exponent_ratio == pytest.approx(1, abs=0.2)
    assert "exponents" in capsys.readouterr().out


def test_the_notebook_of_a_data_file_ends_in_a_ranked_table_and_pictures(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The two trials have 900 and 1,300 rows; Hénon's exponent 0.419 per step is 0.838 in times of half a step."""
    pytest.importorskip("matplotlib").use("Agg")
    monkeypatch.chdir(Path.cwd())  # the notebook works in a folder of its own
    names: dict[str, Any] = {}
    exec(_notebook((ROOT / "docs/my-data.ipynb").read_text(encoding="utf-8")), names)
    assert [len(trial) for trial in names["series"].trials()] == [900, 1_300]
    assert names["series"].largest_exponent() == pytest.approx(0.838, rel=0.1)
    (board,) = names["ranking"].boards
    assert len(board.entries) == 3
    assert board.entries[0].model.startswith("echo_state_network")
    assert any(path.name == "attractor.png" and path.stat().st_size for path in names["pictures"])
    assert "noise floor" in capsys.readouterr().out
    names["plt"].close("all")


def test_the_notebook_of_predictions_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """The Hénon map is quadratic, so that the fitted quadratic map is found to rounding and beats everything else."""
    names: dict[str, Any] = {}
    exec(_notebook((ROOT / "docs/my-predictions.ipynb").read_text(encoding="utf-8")), names)
    assert abs(names["weights"]["quadratic"][3, 0] + 1.4) < 1e-9
    (board,) = names["scored"].ranking.boards
    assert [entry.model for entry in board.entries] == ["quadratic", "linear"]
    (board,) = names["ranking"].boards
    assert board.entries[0].model == "quadratic map"
    assert "noise floor" in capsys.readouterr().out


def _run(name: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run a notebook with few updates as a module, so that its classes can be pickled; return its names."""
    pytest.importorskip("matplotlib").use("Agg")
    module = ModuleType(name.replace("-", "_"))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    source = _notebook((ROOT / f"docs/{name}.ipynb").read_text(encoding="utf-8"))
    exec(source.replace('"updates": 300', '"updates": 10').replace("updates=400", "updates=20"), module.__dict__)
    return module.__dict__


def test_the_notebook_of_an_equation_finds_its_exponents_and_ranks_two_models(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trace of the field is -1 everywhere; exponents: Sprott 1994, with the error of short orbits."""
    names = _run("my-equation", monkeypatch)
    assert float(names["spectrum"].mean(0).sum()) == pytest.approx(-1, abs=1e-6)
    assert names["spectrum"].mean(0).tolist() == pytest.approx([0.210, 0, -1.210], abs=0.03)
    assert [len(result.rows()) for result in names["results"]] == [3, 3]
    assert "noise floor" in capsys.readouterr().out


def test_the_notebook_of_a_module_trains_and_ranks_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = _run("my-module", monkeypatch)
    assert {row["model"] for row in names["mine"].rows()} == {"my_model"}
    assert "my_model" in capsys.readouterr().out
