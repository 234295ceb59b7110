"""Networks as people write them are stacked, trained, examined and ranked."""

from pathlib import Path
from typing import Literal

import pytest
import torch
from ordinary_modules import MODULES, Residual, perceptron
from small_experiment import small
from torch import nn
from torch.testing import assert_close

from chaosbench.errors import PluginError
from chaosbench.leaderboard.folder import FINISHED
from chaosbench.leaderboard.rank import rank
from chaosbench.leaderboard.store import read_all
from chaosbench.models import ModelSpec, stack
from chaosbench.models.plain_modules import without_compilation
from chaosbench.run import build, prepare, run_experiment
from chaosbench.testing import check_model
from chaosbench.trainers import BPTT

ALL = pytest.mark.parametrize("name", MODULES)


class Ordinary(ModelSpec):
    """One of the networks by name."""

    kind: Literal["ordinary"] = "ordinary"
    name: str

    def module(self, dimension: int) -> nn.Module:
        return MODULES[self.name](dimension)


def alone(name: str, seed: int) -> nn.Module:
    """Return a module in double precision; one that is compiled, without its compiler, which takes long."""
    torch.manual_seed(seed)
    return without_compilation(MODULES[name](3)).double().eval()


def as_written(name: str, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return MODULES[name](3).double()


@ALL
def test_a_stack_computes_what_its_modules_compute(name):
    modules = [alone(name, seed) for seed in (0, 1)]
    model = stack([as_written(name, seed) for seed in (0, 1)], 3)
    states = torch.randn(2, 5, model.state_size, dtype=torch.float64)
    observations = torch.randn(2, 5, 3, dtype=torch.float64)
    with torch.no_grad():
        expected = torch.stack([module.step(state) for module, state in zip(modules, states, strict=True)])
        assert_close(model.step(states), expected, rtol=1e-12, atol=1e-12)
        expected = torch.stack([module.observe(state) for module, state in zip(modules, states, strict=True)])
        assert_close(model.observe(states), expected, rtol=1e-12, atol=1e-12)
        assert_close(model.observe(model.force(states, observations)), observations)


@ALL
def test_tangents_are_those_of_each_modules_jacobian(name):
    modules = [alone(name, seed) for seed in (0, 1)]
    model = stack([as_written(name, seed) for seed in (0, 1)], 3)
    states = torch.randn(2, 2, model.state_size, dtype=torch.float64)
    tangents = torch.randn(2, 2, model.state_size, 2, dtype=torch.float64)
    with torch.no_grad():
        _, found = model.tangent_step(states, tangents)
    for k, module in enumerate(modules):
        for row in range(2):
            jacobian = torch.autograd.functional.jacobian(lambda one, m=module: m.step(one[None])[0], states[k, row])
            assert_close(found[k, row], jacobian @ tangents[k, row], rtol=1e-9, atol=1e-9)


def train_and_rank(names: list[str], results: Path) -> None:
    for name in names:
        trainer = BPTT(updates=3, batch=4, sequence_length=20)
        result = run_experiment(small(Ordinary(name=name), trainer), results=results)
        assert {run.status for run in result.runs} <= FINISHED, f"{name}: {result.runs[0].message}"
    (board,) = rank(read_all(results)).boards
    assert {entry.model for entry in board.entries} == {f"ordinary(name={name})" for name in names}


def test_networks_that_torch_cannot_map_are_trained_examined_and_ranked(tmp_path):
    train_and_rank(["lstm cell", "dropout"], tmp_path)


@pytest.mark.slow
def test_every_network_is_trained_examined_and_ranked(tmp_path):
    train_and_rank(list(MODULES), tmp_path)


def trained(seeds: tuple[int, ...]) -> dict[str, torch.Tensor]:
    """Return the weights of these seeds after training."""
    experiment = small(Ordinary(name="dropout"), BPTT(updates=5, batch=4, sequence_length=20))
    data = prepare([experiment], "cpu")
    model = build(experiment, data, seeds)
    for _ in experiment.trainer.fit(model, data, seeds):
        assert not model.training, "diagnostics see a model that draws nothing"
    return model.state_dict()


def test_what_a_seed_draws_does_not_depend_on_the_seeds_beside_it():
    together, by_itself = trained((3, 1)), trained((1,))
    assert together.keys() == by_itself.keys()
    for name, values in together.items():
        assert_close(values[1], by_itself[name][0], rtol=1e-9, atol=1e-12)


def test_dropout_draws_in_training_only_and_differently_for_each_seed_and_call():
    torch.manual_seed(0)
    module = Residual(perceptron(3, nn.Dropout(0.5)))
    copies = [Residual(perceptron(3, nn.Dropout(0.5))) for _ in range(2)]
    for one in copies:
        one.load_state_dict(module.state_dict())
    model = stack(copies, 3)
    states = torch.randn(1, 8, 3).expand(2, 8, 3)
    assert torch.equal(*model.step(states))
    assert torch.equal(model.step(states), model.step(states))
    model.train()
    first, second = model.step(states), model.step(states)
    assert not torch.equal(*first)
    assert not torch.equal(first, second)


@pytest.mark.parametrize("layer", [nn.BatchNorm1d(12), nn.InstanceNorm1d(12)], ids=lambda layer: type(layer).__name__)
def test_statistics_of_the_batch_are_refused_by_name(layer):
    with pytest.raises(PluginError, match=type(layer).__name__):
        stack([Residual(perceptron(3, layer))], 3)


def test_an_error_of_the_module_itself_is_told_with_its_method():
    with pytest.raises(PluginError, match=r"Residual\.step"):
        stack([Residual(nn.Linear(2, 3))], 3)


@pytest.mark.parametrize("name", ["lstm cell", "dropout", "attention"])
def test_the_kit_finds_nothing_wrong_with_them(name):
    check_model(Ordinary(name=name))
