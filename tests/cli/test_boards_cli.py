"""Published boards from the command line, on submissions that were made without training."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from made_submissions import board_with, claimed, method


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """Return a board of two submissions, which are two methods on three systems."""
    return board_with(tmp_path, [method(one, 7) for one in claimed(seed=1)])


def test_a_board_is_shown_and_built_without_torch(board: Path):
    """Only `validate` loads the kinds, and torch with them, to judge what a submission says of its experiments."""
    code = (
        "import sys; from typer.testing import CliRunner; from chaosbench.cli import app\n"
        f"for words in (['leaderboard', 'show', {str(board)!r}], ['leaderboard', 'build', {str(board)!r}]):\n"
        "    assert CliRunner().invoke(app, words).exit_code == 0, words\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_valid_submission_passes_on_the_command_line(call, board: Path):
    packed = next((board.parent / "packed").iterdir())
    assert call("validate", packed, "--board", board)[0] == 0


def test_a_board_is_printed_for_papers(call, board: Path):
    code, out, err = call("leaderboard", "show", board, "--format", "latex")
    assert (code, err) == (0, "")
    assert out.count(r"\begin{tabular}") == 4, "three systems, and one table over them"
    code, over, _ = call("leaderboard", "show", board, "--format", "markdown", "--part", "overall")
    assert code == 0
    standings = json.loads(call("leaderboard", "show", board, "--json")[1])["overall"]["standings"]
    assert len([line for line in over.splitlines() if line.startswith("| ")]) == 2 + len(standings)


@pytest.mark.parametrize("layout", [(), ("--json",)], ids=["plain", "json"])
@pytest.mark.parametrize("command", [("leaderboard", "show"), ("rank",)], ids=" ".join)
def test_a_part_without_a_layout_is_refused_and_not_ignored(call, board: Path, command: tuple, layout: tuple):
    code, out, err = call(*command, board, "--part", "overall", *layout)
    assert (code, out) == (2, "")
    assert "--part overall" in err
    assert "--format" in err


def test_a_layout_that_does_not_exist_is_refused(call, board: Path):
    code, _, err = call("leaderboard", "show", board, "--format", "word")
    assert code == 2
    assert "'word'" in err


@pytest.mark.parametrize("form", ["markdown", "json", "arrow"])
@pytest.mark.parametrize("table", ["runs", "records", "board"])
def test_the_fields_of_a_table_are_printed_or_written(call, tmp_path: Path, table: str, form: str):
    code, out, err = call("schema", table, "--format", form, "-o", tmp_path / "fields")
    assert (code, out, err) == (0, "", "")
    assert b"model" in (tmp_path / "fields").read_bytes() or table == "records"
    printed = subprocess.run(
        [sys.executable, "-m", "chaosbench", "schema", table, "--format", form], capture_output=True, check=True
    )
    assert printed.stdout == (tmp_path / "fields").read_bytes()


def test_the_schema_of_suite_files_has_one_form(call):
    code, _, err = call("schema", "--format", "markdown")
    assert code == 2
    assert "suite files" in err
