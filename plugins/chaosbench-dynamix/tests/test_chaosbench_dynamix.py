"""The mixtures equal their equations, weights keep the names of the authors' code, and the contract holds."""

import re
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import torch
from chaosbench_dynamix import DynaMix, DynaMixZeroShot, MixtureForecaster
from chaosbench_dynamix.pretrain import Schedule, main, pretrain
from chaosbench_dynamix.weights import read, write
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.testing import assert_close

from chaosbench import DataError
from chaosbench.models import AlmostLinearRNN
from chaosbench.testing import check_model
from chaosbench.trainers import Memorise

README = Path(__file__).parents[1] / "README.md"
TINY = DynaMix(hidden=5, rectified=2, experts=3, context=6)


def mixture(spec: DynaMix = TINY, dimension: int = 2, seeds: tuple[int, ...] = (0, 1)) -> MixtureForecaster:
    """Build a mixture in double precision whose gate is not nearly uniform, as the initial one is."""
    model = spec.build(dimension, seeds).double()
    with torch.no_grad():
        model.gate_output.mul_(3)
        model.bias.normal_(generator=torch.Generator().manual_seed(5))
    return model


def history(steps: int = 6, seeds: int = 2, dimension: int = 2) -> Tensor:
    return torch.randn(seeds, 4, steps, dimension, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def published(path: Path, *, separately: bool) -> dict[str, Tensor]:
    """Write random weights under the names of the authors' code, N = 2, M = 5, J = 3, P = 2, and return them."""
    generator = torch.Generator().manual_seed(2)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    experts = {"A": draw(3, 5), "W": draw(3, 5, 5) / 5, "h": draw(3, 5)}
    content = {
        "gating_network.conv.weight": draw(2, 2, 2), "gating_network.conv.bias": draw(2),
        "gating_network.softmax_temp1": torch.tensor([-0.3]), "gating_network.softmax_temp2": torch.tensor([0.7]),
        "gating_network.D": draw(2, 5), "gating_network.sigma": draw(2), "B": draw(2, 5),
        "gating_network.mlp_layer1.weight": draw(3, 7), "gating_network.mlp_layer1.bias": draw(3),
        "gating_network.mlp_layer2.weight": draw(3, 3), "gating_network.mlp_layer2.bias": draw(3),
    }  # fmt: skip
    for name, values in experts.items():
        one_by_one = {f"experts.{index}.{name}": values[index].clone() for index in range(3)}
        content |= one_by_one if separately else {f"batched_experts.{name}": values}
    save_file(content, path)
    return {**content, **experts}


def stepped(weights: dict[str, Tensor], z: Tensor, context: Tensor) -> Tensor:
    """Return the next z of one orbit, `(M,), (L, N) -> (M,)`, formula by formula from the paper's equations."""
    distance = torch.stack([(point - weights["gating_network.D"] @ z).abs().sum() for point in context[:-1]])
    attention = torch.softmax(-distance / weights["gating_network.softmax_temp1"].abs(), dim=0)
    convolved = torch.nn.functional.conv1d(
        context.T[None], weights["gating_network.conv.weight"], weights["gating_network.conv.bias"]
    )[0]
    seen = torch.cat([convolved @ attention, z])
    inner = weights["gating_network.mlp_layer1.weight"] @ seen + weights["gating_network.mlp_layer1.bias"]
    outer = weights["gating_network.mlp_layer2.weight"] @ inner.relu() + weights["gating_network.mlp_layer2.bias"]
    shares = torch.softmax(-outer / weights["gating_network.softmax_temp2"].abs(), dim=0)
    phi = torch.cat([z[:3], z[3:].relu()])
    return sum(shares[j] * (weights["A"][j] * z + weights["W"][j] @ phi + weights["h"][j]) for j in range(3))


def test_the_trained_model_fulfils_its_contract():
    check_model(TINY)


def test_the_zero_shot_model_fulfils_its_contract_with_fewer_observables_than_its_weights():
    check_model(DynaMixZeroShot(context=6), dimension=2, trainer=Memorise())


@pytest.mark.parametrize("separately", [False, True])
def test_published_weights_forecast_by_the_published_equations(tmp_path: Path, separately: bool):
    weights = published(tmp_path / "w.safetensors", separately=separately)
    model = DynaMixZeroShot(weights=str(tmp_path / "w.safetensors"), context=6).build(2, (0,)).double()
    past = history(seeds=1)
    context = (past[0, 0] - past[0, 0].mean(dim=0)) / past[0, 0].std(dim=0)
    exact = {name: values.double() for name, values in weights.items()}
    z = torch.cat([context[-1], (context[-1] @ exact["B"])[2:]])
    expected = []
    for _ in range(4):
        z = stepped(exact, z, context)
        expected.append(z[:2] * past[0, 0].std(dim=0) + past[0, 0].mean(dim=0))
    assert_close(model.predict(model.initial_state(past), 4)[0][0, 0], torch.stack(expected))


def test_weights_that_are_written_are_read_again(tmp_path: Path):
    published(tmp_path / "w.safetensors", separately=True)
    first = read(tmp_path / "w.safetensors")
    write(tmp_path / "again.safetensors", first.tensors, rectified=3)
    second = read(tmp_path / "again.safetensors")
    assert second.rectified == 3
    assert all(torch.equal(first.tensors[name], values) for name, values in second.tensors.items())


def test_a_single_expert_is_an_almost_linear_network():
    model = mixture(TINY.replaced(experts=1))
    network = AlmostLinearRNN(hidden=5, rectified=2).build(2, (0, 1)).double()
    with torch.no_grad():
        network.diagonal.copy_(model.diagonal[:, 0].view_as(network.diagonal))
        network.weight.copy_(model.weight)
        network.bias.copy_(model.bias.view_as(network.bias))
    state = model.initial_state(history())
    assert_close(model.step(state)[..., :5], network.step(state[..., :5]))


def test_equal_experts_leave_the_gate_without_effect():
    model, single = mixture(), mixture(TINY.replaced(experts=1))
    with torch.no_grad():
        for name in ("diagonal", "bias"):
            getattr(model, name).copy_(getattr(single, name).expand(-1, 3, -1))
        model.weight.copy_(single.weight.repeat(1, 3, 1))
        model.start.copy_(single.start)
    past = history()
    assert_close(model.predict(model.initial_state(past), 9)[0], single.predict(single.initial_state(past), 9)[0])


def test_a_cold_attention_sees_the_nearest_point_alone():
    model, past = mixture(), history()
    with torch.no_grad():
        model.temperatures[:, 0] = 0
    state = model.initial_state(past)
    hidden, context = state[..., :5], model.encoded(state[..., 5:])
    query = torch.bmm(hidden, model.query.mT)
    nearest = (context.points - query.unsqueeze(2)).abs().sum(dim=-1).argmin(dim=-1)
    chosen = context.features.gather(2, nearest[..., None, None].expand(-1, -1, 1, 2)).expand_as(context.features)
    only = context._replace(features=chosen)
    assert_close(model.expert_weights(hidden, context), model.expert_weights(hidden, only))


def test_forecasts_follow_a_change_of_units():
    """The context is standardised by itself, so x -> a x + b in the history does the same to the forecast."""
    model, past = mixture(), history()
    scale, shift = torch.tensor([3.0, -0.2]).double(), torch.tensor([7.0, -1.0]).double()
    one, _ = model.predict(model.initial_state(past), 10)
    # |s| is what standardisation divides by: a negative factor would turn the model's input around.
    other, _ = model.predict(model.initial_state(past * scale.abs() + shift), 10)
    assert_close(other, one * scale.abs() + shift)


def test_a_short_history_is_a_short_context():
    long, short = mixture(TINY.replaced(context=9)), mixture(TINY.replaced(context=4))
    past = history(4)
    assert_close(long.predict(long.initial_state(past), 8)[0], short.predict(short.initial_state(past), 8)[0])


def test_tangents_are_those_of_the_units_and_not_of_the_context():
    """The Jacobian of one linear expert is diag(A) + W, and a context is no variable of the motion."""
    model = mixture(TINY.replaced(experts=1, rectified=0))
    state = model.initial_state(history())
    tangents = torch.randn(*state.shape, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    _, carried = model.tangent_step(state, tangents)
    jacobian = torch.diag_embed(model.diagonal[:, 0]) + model.weight
    assert_close(carried[:, :, :5], jacobian.unsqueeze(1) @ tangents[:, :, :5])
    assert not carried[:, :, 5:].any()


def test_training_over_several_systems_lowers_the_error():
    times = torch.arange(300) / 5.0
    orbits = torch.stack([torch.stack([(f * times).sin(), (f * times).cos()], dim=-1) for f in (1.0, 1.7)])[:, None]
    model = DynaMix(hidden=6, experts=2, context=20).build(2, (0,))
    schedule = Schedule(updates=80, batch=8, overlap=2, learning_rate=0.05, final_learning_rate=0.05)
    losses = list(pretrain(model, orbits, schedule, seed=0))
    assert sum(losses[-10:]) < sum(losses[:10]) / 2
    assert not model.noise.requires_grad


def test_the_command_stores_weights_that_forecast(tmp_path: Path):
    listed, stored = tmp_path / "systems.toml", tmp_path / "w.safetensors"
    listed.write_text('[[systems]]\nkind = "henon"\n[[systems]]\nkind = "ikeda"\n', encoding="utf-8")
    sizes = ["--updates", "2", "--batch", "2", "--hidden", "4", "--experts", "2", "--context", "60", "--length", "100"]
    main([str(stored), "--systems", str(listed), *sizes])
    assert set(load_file(stored)) >= {"B", "batched_experts.A", "gating_network.D"}
    model = DynaMixZeroShot(weights=str(stored)).build(2, (0,))
    assert model.predict(model.initial_state(torch.randn(1, 2, 30, 2)), 5)[0].isfinite().all()


@pytest.mark.parametrize("record", ["kind = 'nothing'", "kind = 'torus'", "name = 'Aizawa'"])
def test_the_command_names_what_it_cannot_train_on(record: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "systems.toml").write_text(f"[[systems]]\n{record}\n", encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        main([str(tmp_path / "w.safetensors"), "--systems", str(tmp_path / "systems.toml")])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("error: ")
    assert not (tmp_path / "w.safetensors").exists()


def test_weights_that_do_not_fit_are_refused(tmp_path: Path):
    path = tmp_path / "w.safetensors"
    for content, culprit in [({"B": torch.ones(2, 5)}, "missing"), (None, "w.safetensors")]:
        if content is not None:
            save_file(content, path)
        else:
            path.write_bytes(b"no weights")
        with pytest.raises(DataError, match=culprit):
            DynaMixZeroShot(weights=str(path)).build(2, (0,))
    published(path, separately=False)
    spec = DynaMixZeroShot(weights=str(path))
    with pytest.raises(DataError, match="2 observables"):
        spec.build(3, (0,))
    (tmp_path / "other.safetensors").write_bytes(path.read_bytes()[:-1] + b"\x01")
    with pytest.raises(DataError, match="sha256"):
        spec.replaced(weights=str(tmp_path / "other.safetensors")).build(2, (0,))


def test_the_checksum_and_not_the_path_is_the_identity(tmp_path: Path):
    one, other = tmp_path / "one.safetensors", tmp_path / "other.safetensors"
    published(one, separately=False)
    other.write_bytes(one.read_bytes())
    assert DynaMixZeroShot(weights=str(one)).digest() == DynaMixZeroShot(weights=str(other)).digest()
    assert DynaMixZeroShot(weights=str(one)).digest() != DynaMixZeroShot().digest()


def test_the_readmes_suite_loads_where_the_package_is_installed(tmp_path: Path):
    from chaosbench import registry, suite

    if not [entry for entry in entry_points(group="chaosbench") if entry.name == "dynamix"]:
        pytest.skip("chaosbench-dynamix is not installed")
    (text,) = re.findall(r"^```toml\n(.*?)^```$", README.read_text(encoding="utf-8"), re.S | re.M)
    (tmp_path / "zero-shot.toml").write_text(text, encoding="utf-8")
    assert suite.load(str(tmp_path / "zero-shot.toml"), registry.load())
