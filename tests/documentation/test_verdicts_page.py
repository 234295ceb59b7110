"""The page of certificates of systems outside the catalogue, and what it is made of."""

from pathlib import Path

import pytest

from docs.generate.certificates import SHIPPED
from docs.generate.verdicts.__main__ import certified
from docs.generate.verdicts.agreement import differences, dimension_gap, failed, gaps
from docs.generate.verdicts.page import page
from docs.generate.verdicts.rows import rows, verdicts

PAGE = Path(__file__).parents[2] / "docs" / "verdicts.md"
ROWS, VERDICTS = rows(), verdicts()
by_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name.replace(" ", "_"))


def test_the_page_in_the_docs_is_what_the_command_prints():
    """To update the page: python -m docs.generate.verdicts > docs/verdicts.md."""
    assert PAGE.read_text(encoding="utf-8") == page(ROWS, VERDICTS)


def test_at_least_thirty_systems_outside_the_catalogue_have_a_stored_certificate():
    shipped = {system.label for system in SHIPPED}
    outside = [row for row in ROWS if row.equation is not None]
    assert len(outside) >= 30
    assert [row.name for row in ROWS if row.name not in VERDICTS] == []
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert sum(row.spec.label in shipped for row in ROWS) <= 1  # Rosenstein's Rössler system


@by_row
def test_a_stored_certificate_belongs_to_its_definition(row):
    """If this fails after a change: python -m docs.generate.verdicts certify."""
    assert VERDICTS[row.name].identity == row.identity


@by_row
def test_a_row_names_its_source_and_the_reason_of_each_difference(row):
    verdict = VERDICTS[row.name]
    assert any(character.isdigit() for character in row.source) or row.source.startswith("exact")
    assert row.known.exponents or row.known.dimension
    assert bool(row.note) == bool(differences(row, verdict) or failed(verdict))


@by_row
def test_known_exponents_lie_where_the_page_says(row):
    """A row without a listed difference agrees within one and a half times the sum of both intervals, and 1e-6."""
    verdict = VERDICTS[row.name]
    if differences(row, verdict):
        return
    reference = verdict.certificate.reference
    for index, known in enumerate(row.known.exponents):
        allowed = reference.intervals[index] + row.known.error + 1e-6 + (0 if known else reference.resolution)
        assert abs(reference.exponents[index] - known) <= 1.5 * allowed
    assert verdict.certificate.regime in row.known.words


def test_most_differences_are_smaller_than_the_sum_of_both_intervals():
    """Intervals of 95 % are missed once in twenty times by chance."""
    units = [gap for row in ROWS for gap in gaps(row, VERDICTS[row.name].certificate)]
    assert len(units) >= 60
    assert sum(gap > 1 for gap in units) <= 0.1 * len(units)


@pytest.mark.parametrize("name", ["cat map", "skew tent map, 0.3"])
def test_a_map_is_certified_anew_with_its_exact_exponents(name):
    row = next(row for row in ROWS if row.name == name).replaced(budget=0.5)
    verdict = certified(row)
    assert verdict.state == "passed"
    assert differences(row, verdict) == []


@pytest.mark.slow
@by_row
def test_a_certificate_is_found_again(row):
    """Another run, of the same seed but of another length, agrees in the same exponents, or differs in the same."""
    verdict = certified(row)
    assert verdict.certificate is not None
    listed = differences(row, VERDICTS[row.name])
    assert set(differences(row, verdict)) >= set(listed)
    distances = {f"exponent {i}": gap for i, gap in enumerate(gaps(row, verdict.certificate), start=1)}
    distances["Kaplan-Yorke dimension"] = dimension_gap(row, verdict.certificate) or 0.0
    assert max([gap for name, gap in distances.items() if name not in listed], default=0.0) <= 2.0
