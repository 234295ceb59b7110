"""The guide to choosing a method mentions every model and trainer, and quotes committed results correctly."""

import re
from pathlib import Path

import pytest

from chaosbench import registry

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/choosing-a-method.md").read_text(encoding="utf-8")
DOCUMENTED = r"chaosbench\.|chaosbench_(sindy|reservoir|dynamix|foundation)"
KINDS = {
    noun: {name: spec for name, spec in kinds.items() if re.match(DOCUMENTED, spec.__module__)}
    for noun, kinds in registry.load().kinds.items()
}  # a kind from any other plug-in is not documented here


def section(title: str) -> str:
    return GUIDE.partition(f"## {title}\n")[2].partition("\n## ")[0]


def pairs(text: str) -> list[tuple[str, list[str]]]:
    """Return the first cell and the other cells of each row of the Markdown tables in a text."""
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    return [(first, others) for first, *others in cells]


def rows(text: str) -> dict[str, list[str]]:
    """Return the other cells of each row by its first cell."""
    return dict(pairs(text))


@pytest.mark.parametrize("kind", sorted(KINDS["trainer"]))
def test_every_trainer_has_a_row(kind: str):
    assert f"`{kind}`" in rows(section("Trainers"))


@pytest.mark.parametrize("kind", sorted(KINDS["model"]))
def test_every_model_has_a_row_that_names_its_trainers(kind: str):
    """The last cell is `gradients`, or lists the trainers whose `learning` is the model's."""
    *_, trained_by = rows(section("Models"))[f"`{kind}`"]
    learning = KINDS["model"][kind].learning
    expected = {name for name, trainer in KINDS["trainer"].items() if trainer.learning == learning}
    assert trained_by == "gradients" if learning == "gradients" else set(re.findall(r"`(\w+)`", trained_by)) == expected


def test_scores_are_those_of_the_page_with_published_results():
    page = (ROOT / "docs/faithfulness.md").read_text(encoding="utf-8")
    committed = {(name, cells[0]) for name, cells in pairs(page)}
    quoted = {(name, cells[0]) for name, cells in pairs(section("What the evidence is")) if re.match(r"\d", cells[0])}
    assert len(quoted) > 10
    assert quoted <= committed
