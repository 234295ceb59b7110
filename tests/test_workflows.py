"""The workflows of leaderboards: what they may do, and their own commands in a repository with a proposed change."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from made_submissions import board_with, claimed, method, written

from chaosbench.boards import publish

FOLDER = Path(__file__).parents[1] / ".github" / "workflows"
REVIEW, COMMENT = (
    yaml.safe_load((FOLDER / f"{name}.yml").read_text()) for name in ("leaderboards", "leaderboards-comment")
)
BASH, GIT = shutil.which("bash"), shutil.which("git")
pytestmark = pytest.mark.skipif(not (BASH and GIT), reason="needs bash and git")
FAKE_GH = """#!/bin/sh
echo "$@" >> "$CALLS"
case "$1" in
  api) echo 7 ;;
  pr) while [ "$1" != --body-file ]; do shift; done; cp "$2" "$CALLS.body" ;;
esac
"""


def steps(workflow: dict) -> list[dict]:
    """Return the steps of the only job of a workflow."""
    (job,) = workflow["jobs"].values()
    return job["steps"]


def triggers(workflow: dict) -> dict:
    """Return what starts a workflow; YAML reads its key `on` as true."""
    return workflow[True]


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    done = subprocess.run([GIT, *identity, *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """Return a repository with a board, and with pull request 7, which adds a submission, as GitHub keeps it."""
    folder = tmp_path / "origin"
    folder.mkdir()
    git(folder, "init", "--quiet")
    (folder / "leaderboards").mkdir()
    board = board_with(tmp_path, [method(one, 7) for one in claimed(seed=1)]).rename(folder / "leaderboards" / "maps")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "board")
    git(folder, "checkout", "--quiet", "-b", "theirs")
    publish.add(board, written(tmp_path / "packed", [method(one, 99) for one in claimed(seed=2)], name="theirs"))
    publish.build(board)
    propose(folder)
    return folder


def propose(folder: Path) -> str:
    """Commit what lies in the repository as the head of pull request 7, merge it as GitHub does, return the head."""
    git(folder, "checkout", "--quiet", "-B", "theirs")
    git(folder, "add", "--all", ".")
    git(folder, "commit", "--quiet", "-m", "theirs")
    head = git(folder, "rev-parse", "HEAD")
    git(folder, "checkout", "--quiet", "--detach", "main")
    git(folder, "merge", "--quiet", "--no-ff", "-m", "merge", head)
    git(folder, "update-ref", "refs/pull/7/merge", "HEAD")
    git(folder, "checkout", "--quiet", "theirs")
    return head


def run(workflow: dict, origin: Path, work: Path) -> dict[str, int]:
    """Run the commands of a workflow but for the installation, and return the exit code of each step by its name."""
    work.mkdir()
    checkout = work / "repository"
    git(work, "clone", "--quiet", "--branch", "main", origin.as_uri(), "repository")
    if workflow is REVIEW:
        git(checkout, "fetch", "--quiet", "--depth=2", "origin", "refs/pull/7/merge")
        git(checkout, "checkout", "--quiet", "--detach", "FETCH_HEAD")
    tools = work / "tools"
    tools.mkdir()
    (tools / "gh").write_text(FAKE_GH)
    (tools / "chaosbench").write_text(f'#!/bin/sh\nexec {sys.executable} -m chaosbench "$@"\n')
    for tool in tools.iterdir():
        tool.chmod(0o755)
    environment = {
        **os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "CALLS": str(work / "calls"),
        "GITHUB_STEP_SUMMARY": str(work / "summary"), "REPOSITORY": "chaos/bench",
        "HEAD_SHA": git(origin, "rev-parse", "theirs"), "PYTHONPATH": str(Path(__file__).parents[1]),
    }  # fmt: skip
    codes: dict[str, int] = {}
    for step in steps(workflow):
        if "run" in step and "pip install" not in step["run"] and (not any(codes.values()) or "if" in step):
            command = [BASH, "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]  # as GitHub calls it
            codes[step["name"]] = subprocess.run(command, cwd=work, env=environment, check=False).returncode
    return codes


@pytest.mark.parametrize("workflow", [REVIEW, COMMENT], ids=["review", "comment"])
def test_no_expression_stands_in_a_script_and_no_secret_is_used(workflow: dict):
    scripts = [step["run"] for step in steps(workflow) if "run" in step]
    assert scripts
    assert not any("${{" in script for script in scripts)
    assert "secrets." not in str(workflow)
    checkouts = [step for step in steps(workflow) if step.get("uses", "").startswith("actions/checkout@")]
    assert [step["with"]["persist-credentials"] for step in checkouts] == [False]


def test_the_workflow_of_strangers_can_only_read():
    assert REVIEW["permissions"] == {"contents": "read"}
    assert triggers(REVIEW) == {"pull_request": {"paths": ["leaderboards/**"]}}
    assert "permissions" not in next(iter(REVIEW["jobs"].values()))


def test_the_workflow_that_comments_takes_neither_artifacts_nor_code_of_the_proposal():
    assert COMMENT["permissions"] == {"contents": "read", "pull-requests": "write"}
    assert triggers(COMMENT)["workflow_run"]["workflows"] == [REVIEW["name"]]
    assert not any("download-artifact" in step.get("uses", "") for step in steps(COMMENT))
    assert not any("ref" in step.get("with", {}) for step in steps(COMMENT)), "the default branch is checked out"
    (install,) = [step["run"] for step in steps(COMMENT) if "pip install" in step.get("run", "")]
    assert "proposed" not in install


def test_a_valid_proposal_is_reviewed_and_commented(origin: Path, tmp_path: Path):
    assert set(run(REVIEW, origin, tmp_path / "review").values()) == {0}
    review = (tmp_path / "review" / "review.md").read_text()
    assert "**Valid.**" in review
    assert "rnn(hidden=99)" in review
    assert (tmp_path / "review" / "summary").read_text() == review
    assert set(run(COMMENT, origin, tmp_path / "comment").values()) == {0}
    assert (tmp_path / "comment" / "calls.body").read_text() == review
    assert re.search(r"^pr comment 7 .*--repo chaos/bench", (tmp_path / "comment" / "calls").read_text(), re.M)


def test_a_proposal_that_is_not_valid_fails_the_check_and_the_comment_says_why(origin: Path, tmp_path: Path):
    board = origin / "leaderboards" / "maps"
    (submission,) = board.glob("submissions/*-theirs-*")
    (submission / "runs.parquet").unlink()
    (submission / "runs.parquet").symlink_to("/etc/passwd")
    propose(origin)
    codes = run(REVIEW, origin, tmp_path / "review")
    assert codes["Review"] == 1
    assert "Not valid" in (tmp_path / "review" / "summary").read_text()
    assert set(run(COMMENT, origin, tmp_path / "comment").values()) == {0}
    body = (tmp_path / "comment" / "calls.body").read_text()
    assert "runs.parquet" in body
    assert "root" not in body, "the link was not followed"


def test_a_proposal_that_changed_meanwhile_is_not_commented(origin: Path, tmp_path: Path):
    head = git(origin, "rev-parse", "theirs")
    (origin / "leaderboards" / "README.md").write_text("later")
    propose(origin)
    git(origin, "checkout", "--quiet", "--detach", head)
    git(origin, "branch", "--quiet", "--force", "theirs", head)
    codes = run(COMMENT, origin, tmp_path / "comment")
    assert codes["Take both states"] != 0
    assert not (tmp_path / "comment" / "calls.body").exists()
