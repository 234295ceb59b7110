"""The symbolic dynamics of the linear regions of the almost-linear network."""

from itertools import combinations
from math import log

import pytest
import torch
from pydantic import ValidationError
from torch.testing import assert_close

from chaosbench.dynamics import orbit
from chaosbench.models import AlmostLinearRNN, symbols, transition_matrix, visited_regions
from chaosbench.models.almost_linear_rnn import entropy, region_shares


def test_a_symbol_has_the_signs_of_the_last_units_as_bits():
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
    groups = [jacobians[0, symbols(state[0], 2) == region] for region in regions]
    for group in groups:
        assert_close(group, group[:1].expand_as(group))
    assert all(not torch.equal(first[0], second[0]) for first, second in combinations(groups, 2))


def test_a_cycle_visits_its_regions_in_turn():
    """Symbols 0, 2, 3, 0, 2, 3, ...: each follows its predecessor with probability 1."""
    path = torch.tensor([0, 2, 3] * 4)
    regions, visits = visited_regions(path)
    assert regions.tolist() == [0, 2, 3]
    assert visits.tolist() == [4, 4, 4]
    assert transition_matrix(path).tolist() == [[0, 1, 0], [0, 0, 1], [1, 0, 0]]


def test_transitions_are_counted_within_orbits_and_not_across():
    """Orbits 0 0 1 and 1 1 1. By hand: 0 to 0 once, 0 to 1 once, 1 to 1 twice; none from the first to the second."""
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


def test_more_rectified_units_than_units_are_rejected():
    with pytest.raises(ValidationError, match=r"rectified = 3 .*hidden = 2"):
        AlmostLinearRNN(hidden=2, rectified=3)


def states_of(paths: list[list[int]], rectified: int) -> torch.Tensor:
    """Return states `(K, 1, T, P)` with these symbols."""
    bits = torch.tensor(paths)[..., None] >> torch.arange(rectified) & 1
    return (2.0 * bits - 1)[:, None]


def test_a_cycle_has_known_shares_and_entropies():
    """Three regions in turn: shares of 1 / 3, symbol entropy ln 3, transition entropy 0 as transitions are certain."""
    model = AlmostLinearRNN(hidden=2, rectified=2).build(2, (0, 1))
    traits = model.describe_dynamics(states_of([[0, 2, 3] * 6, [1] * 18], 2))
    assert traits["visited_regions"].value.tolist() == [3, 1]
    assert traits["symbol_entropy"].value.tolist() == pytest.approx([log(3), 0], abs=1e-14)
    assert traits["transition_entropy"].value.tolist() == [0, 0]
    assert traits["regions"].value.tolist() == [[0, 1, 2, 3]] * 2
    assert traits["region_shares"].value[1].tolist() == [0, 1, 0, 0]
    assert traits["transitions"].value[0, [0, 2, 3]][:, [0, 2, 3]].tolist() == [[0, 1, 0], [0, 0, 1], [1, 0, 0]]


def test_coin_tosses_have_the_entropy_of_a_coin():
    """P = 1: both entropies are ln 2 minus about R (R - 1) / 2 T, Miller's bias for a sample of size T."""
    steps = 40_000
    tosses = torch.randint(2, (1, steps), generator=torch.Generator().manual_seed(0)).tolist()
    traits = AlmostLinearRNN(hidden=1, rectified=1).build(1, (0,)).describe_dynamics(states_of(tosses, 1))
    assert traits["symbol_entropy"].value.item() == pytest.approx(log(2), abs=10 / steps)
    assert traits["transition_entropy"].value.item() == pytest.approx(log(2), abs=10 / steps)


def test_a_diverged_seed_has_no_traits_and_does_not_change_other_seeds():
    model = AlmostLinearRNN(hidden=2, rectified=2).build(2, (0, 1))
    states = states_of([[3, 1, 3, 1], [0, 2, 0, 2]], 2)
    alone, spoiled = model.describe_dynamics(states), states.clone()
    spoiled[1, 0, 2:] = torch.nan
    traits = model.describe_dynamics(spoiled)
    for name in ("visited_regions", "symbol_entropy", "transition_entropy"):
        assert traits[name].value[0] == alone[name].value[0]
        assert traits[name].value[1].isnan()
    assert traits["regions"].value.tolist() == [[1, 3]] * 2
    assert "regions" not in model.describe_dynamics(states * torch.nan)


def test_shares_and_transitions_agree_with_the_visited_regions():
    path = torch.randint(5, (3, 400), generator=torch.Generator().manual_seed(1)) * 3
    regions, visits = visited_regions(path)
    assert_close(region_shares(path, regions), visits.double() / visits.sum())
    assert torch.equal(transition_matrix(path), transition_matrix(path, regions))


def test_entropies_in_closed_form():
    assert_close(entropy(torch.tensor([[0.25] * 4, [1.0, 0, 0, 0]])), torch.tensor([log(4), 0.0]))


def test_with_many_regions_only_numbers_are_reported():
    """Each of the 2^9 regions is visited once, which is more than are reported one by one."""
    model = AlmostLinearRNN(hidden=9, rectified=9).build(2, (0,))
    traits = model.describe_dynamics(states_of([list(range(512))], 9))
    assert traits["visited_regions"].value.item() == 512
    assert traits["symbol_entropy"].value.item() == pytest.approx(log(512), abs=1e-12)
    assert set(traits) == {"visited_regions", "symbol_entropy", "transition_entropy"}
