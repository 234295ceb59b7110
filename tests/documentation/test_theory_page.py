import re
from math import nan

import pytest
from stored_runs import BLOWN, CHAOS, CYCLE, REST, TORUS, StoredSeed, publish

from chaosbench.models import RNN
from docs.generate.theory import page

LOSS = {"loss_gradient_growth": 0.9, "loss_gradient_growth_interval": 0.03}
DISAGREES = CHAOS | LOSS | {"gradient_growth": 1.4}
DOUBTFUL = CHAOS | {"gradient_growth_interval": 0.5}


def sections(text):
    """Return the text under each heading."""
    return {part.partition("\n")[0]: part for part in text.split("\n## ")[1:]}


def cells(section):
    """Return the cells of each row of a table, without header and rule."""
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


@pytest.fixture
def mixed(tmp_path):
    """Store an experiment with a seed for each regime, and one of another network; return the directory."""
    publish(tmp_path, *map(StoredSeed, (CHAOS, CYCLE, TORUS, REST, BLOWN)))
    publish(
        tmp_path,
        StoredSeed(DISAGREES),
        StoredSeed(DOUBTFUL),
        StoredSeed({}, status="failed", message="no luck"),
        model=RNN(),
    )
    return tmp_path


def test_each_seed_is_sorted_by_the_regime_of_its_own_network(mixed):
    parts = sections(page(mixed))
    seeds = {title: [(row[1], row[2]) for row in cells(text)] for title, text in parts.items()}
    assert seeds == {
        "Theorem 2: chaotic networks": [("lstm, bptt", "0"), ("rnn, bptt", "0, 1")],
        "Theorem 3: quasi-periodic networks": [("lstm, bptt", "2")],
        "Theorem 1: networks on fixed points and cycles": [("lstm, bptt", "1, 3")],
        "Networks to which no theorem applies": [("lstm, bptt", "4")],
        "Verdict per run": [],
    }
    assert parts["Verdict per run"].count("\n- seed ") == 8
    assert "- seed 2: failed: no luck" in parts["Verdict per run"]


def summary(results):
    """Return the bold summary of the page and the sentence after it."""
    (paragraph,) = re.findall(r"^\*\*\d+ trained.*$", page(results), re.MULTILINE)
    return paragraph


def test_the_summary_counts_regimes_and_agreement(mixed):
    """The only stored loss gradient grows at 0.9 / 0.87 = 103 % of lambda_1."""
    text = summary(mixed)
    regimes = ["3 chaotic", "1 periodic", "1 quasi-periodic", "1 at fixed points", "1 divergent", "103 %"]
    assert all(word in text for word in ["7 trained networks", *regimes])


def test_each_statement_of_each_theorem_is_counted_by_itself(mixed):
    """Two seeds vanish, three are chaotic, of which one disagrees and one has large errors, and one is a torus."""
    counts = {row[0]: row[2:] for row in cells(page(mixed).partition("## ")[0])}
    tangents = {name: count for name, count in counts.items() if "dz_T/dz_0" in name}
    loss = {name: count for name, count in counts.items() if "loss gradient" in name}
    assert [*tangents.values()] == [["2", "0", "0"], ["1", "1", "1"], ["1", "0", "0"]]
    assert [*loss.values()] == [["0", "0", "2"], ["1", "0", "2"], ["0", "0", "1"]]


def test_rows_have_the_median_seed_and_the_range(tmp_path):
    numbers = [CHAOS | {"gradient_growth": rate, "lyapunov_exponent_1": 0.9} for rate in (0.9, 0.72, 1.8)]
    publish(tmp_path, *map(StoredSeed, numbers))
    ((system, network, seeds, gamma, own, data, ratio, same, slope, agree),) = cells(
        sections(page(tmp_path))["Theorem 2: chaotic networks"]
    )
    assert (system, network, seeds, data, slope) == ("lorenz63", "lstm, bptt", "0, 1, 2", "0.900", "-")
    assert gamma == "0.900 ± 0.0300 (0.720 to 1.80)"
    assert own == "0.900 ± 0.0200 (0.900 to 0.900)"
    assert ratio == "1.00 (0.80 to 2.00)"
    assert (same, agree) == ("1 yes, 2 NO", "3 ?")


def test_rates_of_minus_infinity_are_the_lowest_of_a_range(tmp_path):
    publish(tmp_path, StoredSeed(REST), StoredSeed(CYCLE), StoredSeed(REST))
    (row,) = cells(sections(page(tmp_path))["Theorem 1: networks on fixed points and cycles"])
    assert row[3:5] == ["-inf (-inf to -0.300)", "-inf (-inf to -0.310)"]
    assert row[6] == "0.97", "-0.30 / -0.31 of the only seed that has a ratio"


def test_rates_that_were_not_measured_are_a_dash(tmp_path):
    publish(tmp_path, StoredSeed(CHAOS | {"gradient_growth": nan}), StoredSeed(BLOWN))
    parts = sections(page(tmp_path))
    ((*_, gamma, _, _, ratio, _, _, agree),) = cells(parts["Theorem 2: chaotic networks"])
    assert (gamma, ratio, agree) == ("-", "", "1 ?")
    assert cells(parts["Networks to which no theorem applies"])[0][3:5] == ["-", "-"]


def test_the_page_depends_on_the_numbers_alone(mixed, tmp_path_factory):
    """The order in which folders were written does not matter."""
    other = tmp_path_factory.mktemp("other")
    publish(
        other,
        StoredSeed(DISAGREES),
        StoredSeed(DOUBTFUL),
        StoredSeed({}, status="failed", message="no luck"),
        model=RNN(),
    )
    publish(other, *map(StoredSeed, (CHAOS, CYCLE, TORUS, REST, BLOWN)))
    assert page(mixed) == page(mixed) == page(other)
    assert "nan" not in page(mixed)


def test_a_page_of_results_without_a_diagnosis_says_so(tmp_path):
    publish(tmp_path, StoredSeed({}))
    text = page(tmp_path, [("picture.png", "A picture.")])
    assert "**No network has a diagnosis.**" in text
    assert "- seed 0: ok; not diagnosed" in text
    assert "![A picture.](picture.png)" in text
