"""Tables of the terminal at narrow widths: every number and word is whole, and lines fit unless a word does not."""

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from chaosbench import registry, suite
from chaosbench.systems import Lorenz63
from chaosbench.systems.certificate import Attractor, Certificate, Check
from chaosbench.systems.reference import Reference
from chaosbench.terminal import catalogue, certificate
from chaosbench.terminal.tables import table

WIDTHS = [40, 60, 80]
NUMBERS = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Return a function that prints at a width."""

    def at(width: int, show) -> str:
        monkeypatch.setenv("COLUMNS", str(width))
        show()
        return capsys.readouterr().out

    return at


@given(st.lists(st.tuples(st.text("ab _,(=", max_size=12), st.floats(), st.integers()), min_size=1), st.integers(5, 90))
def test_every_number_of_every_row_is_whole(rows, width: int):
    cells = [(text, f"{value:.2e}", f"{count:,}") for text, value, count in rows]
    drawn = table(("name", "value", "count"), cells, width=width, right=("value", "count")).plain
    words = drawn.split()
    for _, value, count in cells:
        assert value in words
        assert count in words


@given(st.lists(st.text("ab cd", min_size=1, max_size=60), min_size=1), st.integers(12, 90))
def test_lines_fit_where_every_word_does(texts, width: int):
    short = [(" ".join(text.split())[:40], "1.23e+05") for text in texts]
    folded = [(" ".join(word[:8] for word in text.split()), number) for text, number in short]
    file = io.StringIO()
    Console(file=file, width=width).print(table(("name", "x"), folded, width=width))
    assert max(map(len, file.getvalue().splitlines())) <= max(width, len("x: 1.23e+05") + 2)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_certificate_shows_every_number_whole(width: int, shown):
    exponents, intervals = (0.90563, 0.00001, -14.57231), (0.00021, 0.00012, 0.00034)
    reference = Reference(parameters={}, exponents=exponents, intervals=intervals, source="measured", method="QR")
    checks = tuple(
        Check(name=name, measured=1.234e-05, tolerance=1.5e-06, meaning="the mean trace is that of the sum")
        for name in ("sum of exponents", "zero exponent of a flow")
    )
    one = certificate_of(reference, checks)
    text = shown(width, lambda: certificate.show(one))
    found = NUMBERS.findall(text)
    assert found.count("1.2e-05") == found.count("1.5e-06") == 2
    assert "0.90563" in found
    assert "0.9056" in found, "that of the attractor"


def certificate_of(reference: Reference, checks: tuple[Check, ...]) -> Certificate:
    attractor = Attractor.model_construct(
        regime="periodic", period=123.45, share=0.25, share_interval=(0.2, 0.3), reference=reference,
        start=(1.23457e-05, -123.457, 0.5), verified=True,
    )  # fmt: skip
    fields = {"label": Lorenz63().label, "reference": reference, "checks": checks, "attractors": (attractor,)}
    return Certificate.model_construct(
        **fields, divergence=-13.6667, dt=0.01, regime="chaotic", truncated=False, predictability_steps=76.5,
        remarks=(), attractor=None, period=None,
    )  # fmt: skip


@pytest.mark.parametrize("width", WIDTHS)
def test_the_defaults_of_every_kind_are_whole(width: int, shown):
    kinds = registry.load()
    for kind in ("lstm", "sparse_teacher_forcing", "lorenz96", "state_space_divergence"):
        described = catalogue.description(kinds, kind)
        text = shown(width, lambda one=described: catalogue.show_description(one))
        words = set(re.split(r"[\s\[\]()]+", text))
        for field in described["fields"].values():
            for default in NUMBERS.findall(repr(field["default"])):
                assert any(default in word for word in words), (kind, default)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_list_of_suites_shows_every_name_and_number_whole(width: int, shown):
    rows = catalogue.suite_rows(registry.load(), suite.shipped())
    words = shown(width, lambda: catalogue.show("suite", rows)).split()
    for row in rows:
        for number in NUMBERS.findall(row["summary"]):
            assert any(number in word for word in words)
