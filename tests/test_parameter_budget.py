"""Models of equal size: the largest whose parameters stay within a budget."""

import pytest

from chaosbench import registry, suite
from chaosbench.errors import ChaosbenchError
from chaosbench.suite import Selection

BASE = """
suite = "sizes"
metrics = ["state_space_divergence"]
[[systems]]
kind = "lorenz63"
[[systems]]
kind = "henon"
[[trainers]]
kind = "TRAINER"
[[models]]
kind = "MODEL"
"""


def experiments(tmp_path, model: str, lines: str, trainer="bptt", **changes):
    path = tmp_path / "sizes.toml"
    path.write_text(BASE.replace("MODEL", model).replace("TRAINER", trainer) + lines)
    return suite.load(str(path), registry.load(), Selection(changes=changes))


@pytest.mark.parametrize(
    ("model", "field", "trainer"),
    [("gru", "hidden", "bptt"), ("lstm", "hidden", "bptt"), ("shallow_plrnn", "hidden", "bptt"),
     ("plrnn", "hidden", "bptt"), ("echo_state_network", "hidden", "ridge")],
)  # fmt: skip
@pytest.mark.parametrize("budget", [120, 1_000])
def test_the_size_is_the_largest_within_the_budget(tmp_path, model, field, trainer, budget):
    budget = min(budget, 120 if trainer == "ridge" else budget)  # large reservoirs need eigenvalues
    for experiment in experiments(tmp_path, model, f'{field} = "{budget} parameters"\n', trainer):
        dimension = experiment.system.dimension
        size = getattr(experiment.model, field)
        larger = experiment.model.replaced(**{field: size + 1})
        own, more = (spec.build(dimension, (0, 1)).parameters_per_seed() for spec in (experiment.model, larger))
        assert own <= budget < more


def test_a_list_of_budgets_is_a_grid_and_the_command_line_takes_one(tmp_path):
    sizes = {e.model.hidden for e in experiments(tmp_path, "gru", 'hidden = ["200 parameters", "2_000 parameters"]\n')}
    assert len(sizes) >= 2
    changed = experiments(tmp_path, "gru", "", **{"model.hidden": "500 parameters"})
    assert all(e.model.build(e.system.dimension, (0,)).parameters_per_seed() <= 500 for e in changed)


@pytest.mark.parametrize("lines", ['hidden = "1 parameter"\n', 'hiden = "500 parameters"\n', 'hidden = "few"\n'])
def test_budgets_that_cannot_be_kept_are_refused_with_their_place(tmp_path, lines):
    with pytest.raises(ChaosbenchError) as caught:
        experiments(tmp_path, "gru", lines)
    assert "models.0" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_echo_state_network_counts_what_it_learns(tmp_path):
    """The read-out x' = C r + d of M units has D (M + 1) numbers; the random reservoir is not learned."""
    (first, _) = experiments(tmp_path, "echo_state_network", "hidden = 40\n", "ridge")
    assert first.model.build(3, (0,)).parameters_per_seed() == 3 * 41
