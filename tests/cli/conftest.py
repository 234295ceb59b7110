import sys

import pytest

from chaosbench import cli
from chaosbench.terminal.drawing import Drawings


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Return a function that runs the console script in this process and returns exit code, output and errors."""

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["chaosbench", *map(str, words)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        out, err = capsys.readouterr()
        return int(stop.value.code or 0), out, err

    return run


@pytest.fixture
def few_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw two pictures of each experiment, since nine take seconds; those that compare experiments are all drawn."""
    begin = Drawings.__init__

    def begin_two(self, pictures, *others):
        two = [one for one in pictures if one.model_fields["kind"].default in {"attractor", "training"}]
        begin(self, two, *others)

    monkeypatch.setattr(Drawings, "__init__", begin_two)
