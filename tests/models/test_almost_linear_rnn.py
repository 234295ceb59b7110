"""The symbolic dynamics of the almost-linear network's regions."""

import pytest
import torch
from pydantic import ValidationError
from torch.testing import assert_close

from chaosbench.dynamics import orbit
from chaosbench.models import AlmostLinearRNN, symbols, transition_matrix, visited_regions


def test_a_symbol_reads_the_signs_of_the_last_units_as_bits():
    states = torch.tensor([[9.0, -1.0, -1.0], [9.0, 1.0, -1.0], [-9.0, -1.0, 1.0], [-9.0, 1.0, 1.0], [1.0, 0.0, 0.0]])
    assert symbols(states, 2).tolist() == [0, 1, 2, 3, 0]
    assert symbols(states, 0).tolist() == [0] * 5
    assert symbols(states.expand(4, 5, 3), 3).shape == (4, 5)


def test_within_a_region_the_map_is_linear():
    """The Jacobian is the same at states of the same symbol, and differs between symbols."""
    model = AlmostLinearRNN(hidden=5, rectified=2).build(2, (0,)).double()
    state = torch.randn(1, 200, 5, dtype=torch.float64)
    _, jacobians = model.tangent_step(state, torch.eye(5, dtype=torch.float64).expand(1, 200, 5, 5))
    regions, visits = visited_regions(symbols(state[0], 2))
    assert regions.tolist() == [0, 1, 2, 3]
    assert visits.sum() == 200
    found = [jacobians[0, symbols(state[0], 2) == region] for region in regions]
    for group in found:
        assert_close(group, group[:1].expand_as(group))
    assert all(not torch.equal(one[0], other[0]) for one in found for other in found if one is not other)


def test_a_cycle_visits_its_regions_in_turn():
    """Symbols 0, 2, 3, 0, 2, 3, ...: each is certain to be followed by the next."""
    path = torch.tensor([0, 2, 3] * 4)
    regions, visits = visited_regions(path)
    assert regions.tolist() == [0, 2, 3]
    assert visits.tolist() == [4, 4, 4]
    assert transition_matrix(path).tolist() == [[0, 1, 0], [0, 0, 1], [1, 0, 0]]


def test_transitions_are_counted_within_orbits_and_not_across():
    """Two orbits 0 0 1 and 1 1 1; the second ends nowhere else. Counted by hand: 0 to 0 once, 0 to 1 once, 1 to 1."""
    assert transition_matrix(torch.tensor([[0, 0, 1], [1, 1, 1]])).tolist() == [[0.5, 0.5], [0.0, 1.0]]


def test_a_region_seen_only_at_the_end_has_no_successor():
    assert transition_matrix(torch.tensor([0, 0, 7])).tolist() == [[0.5, 0.5], [0.0, 0.0]]


def test_an_orbits_transitions_are_probabilities():
    model = AlmostLinearRNN(hidden=6, rectified=3).build(3, (0, 1))
    with torch.no_grad():
        model.weight.mul_(40)
        path = symbols(orbit(model, torch.randn(2, 5, 6), steps=50), 3)
    matrix = transition_matrix(path)
    assert len(visited_regions(path)[0]) == len(matrix) <= 8
    rows = matrix.sum(dim=1)
    assert_close(rows[rows > 0], torch.ones_like(rows[rows > 0]))


def test_more_kinks_than_units_are_refused():
    with pytest.raises(ValidationError, match="3 units cannot be rectified of 2"):
        AlmostLinearRNN(hidden=2, rectified=3)
