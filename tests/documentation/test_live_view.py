"""The picture of the live view in docs/running.md, and the campaign that it is taken from."""

from pathlib import Path

from chaosbench import registry, suite
from chaosbench.plugin_choice import Choice
from docs.generate import live_view

ROOT = Path(__file__).parents[2]


def test_the_page_shows_the_picture_that_the_script_draws():
    page, makefile = ((ROOT / name).read_text(encoding="utf-8") for name in ("docs/running.md", "Makefile"))
    assert "](pictures/live-view.svg)" in page
    assert "docs.generate.live_view docs/pictures/live-view.svg" in makefile
    assert (ROOT / "docs/pictures/live-view.svg").read_text(encoding="utf-8").startswith("<svg")


def test_the_campaign_of_the_picture_has_a_model_that_fails_and_a_training_that_diverges(tmp_path: Path):
    for name, text in (("demo.toml", live_view.SUITE), ("mine.py", live_view.PLUGIN)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    kinds = registry.load(Choice((), (str(tmp_path / "mine.py"),)))
    experiments = suite.load(str(tmp_path / "demo.toml"), kinds)
    assert len(experiments) == 9
    assert sum(experiment.model.kind == "unfinished" for experiment in experiments) == 3
    assert max(experiment.trainer.learning_rate for experiment in experiments) == 30.0
