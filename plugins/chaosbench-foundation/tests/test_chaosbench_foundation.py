"""The adapter makes a step map of whatever forecasts blocks, and Chronos models are loaded and run by it."""

import re
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
import torch
from chaosbench_foundation import BlockForecaster, Chronos
from torch import Tensor
from torch.testing import assert_close

from chaosbench import DataError, DataSpec, Experiment, Forecaster, ModelSpec, run_experiment
from chaosbench.experiment import EvaluationSpec
from chaosbench.metrics import PredictionError
from chaosbench.systems import Henon
from chaosbench.testing import check_model
from chaosbench.trainers import Memorise

README = Path(__file__).parents[1] / "README.md"
FAMILIES = ["chronos", "chronos-bolt", "chronos-2"]


class Lines:
    """Continues each observable along the line through its last two known observations."""

    block, parameters = 3, 7

    def __init__(self) -> None:
        self.calls = 0

    def forecast(self, contexts: Tensor, seeds: Sequence[int]) -> Tensor:
        self.calls += 1
        last, before = contexts[:, :, -1], contexts[:, :, -2].nan_to_num(0)
        slope = torch.where(contexts[:, :, -2].isnan(), 0.0, last - before) / 2
        return last.unsqueeze(2) + slope.unsqueeze(2) * torch.arange(1, 4, device=last.device).view(1, 1, 3, 1)


class LineSpec(ModelSpec):
    learning: ClassVar[str] = "memory"
    kind: Literal["lines"] = "lines"
    steps: int = 3

    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        return BlockForecaster(Lines(), context=4, steps=self.steps, dimension=dimension, seeds=seeds)


def lines(steps: int = 3) -> tuple[Any, Lines]:
    model = LineSpec(steps=steps).build(2, (0, 1))
    return model, model._model


@pytest.mark.parametrize("steps", [1, 3])
def test_the_adapter_fulfils_the_contract_of_a_model(steps: int):
    check_model(LineSpec(steps=steps), dimension=2, trainer=Memorise())


def test_a_block_is_forecast_once_and_shown_step_by_step():
    """With slopes halved by the model, blocks and not steps determine the run: 1 from the line, then 1/2 of it."""
    model, calls = lines()
    history = torch.tensor([0.0, 2.0]).view(1, 1, 2, 1).expand(2, 1, 2, 2)
    shown, last = model.predict(model.initial_state(history), 7)
    assert shown[0, 0, :, 0].tolist() == [3, 4, 5, 5.5, 6, 6.5, 6.75]
    assert calls.calls == 3
    again, _ = model.predict(last, 2)
    assert again[0, 0, :, 0].tolist() == [7, 7.25]
    assert calls.calls == 3


def test_forecasting_anew_at_every_step_uses_each_step_as_context():
    model, calls = lines(steps=1)
    history = torch.tensor([0.0, 2.0]).view(1, 1, 2, 1).expand(2, 1, 2, 2)
    shown, _ = model.predict(model.initial_state(history), 3)
    assert shown[0, 0, :, 0].tolist() == [3, 3.5, 3.75]
    assert calls.calls == 3


def test_forcing_drops_the_rest_of_a_block():
    model, _ = lines()
    state = model.initial_state(torch.tensor([0.0, 2.0]).view(1, 1, 2, 1).expand(2, 1, 2, 2))
    forced = model.force(model.step(state), torch.full((2, 1, 2), 6.0))
    assert model.step(forced)[0, 0, 6:8].tolist() == [8, 8]  # from 2 and 6: 6 + 4 / 2


def test_forecasts_at_different_steps_of_their_blocks_are_stepped_together():
    model, _ = lines()
    fresh = model.initial_state(torch.randn(2, 3, 5, 2))
    advanced = model.step(fresh)
    mixed = torch.where(torch.tensor([True, False, True]).view(1, 3, 1), fresh, advanced)
    both, _ = model.predict(mixed, 6)
    assert_close(both[:, 0], model.predict(fresh, 6)[0][:, 0])
    assert_close(both[:, 1], model.predict(advanced, 6)[0][:, 1])


def test_what_a_short_history_does_not_reach_is_unknown_to_the_model():
    seen = []

    class Watching(Lines):
        def forecast(self, contexts: Tensor, seeds: Sequence[int]) -> Tensor:
            seen.append(contexts.isnan()[0, 0, :, 0].tolist())
            return super().forecast(contexts, seeds)

    model = BlockForecaster(Watching(), context=4, steps=3, dimension=1, seeds=(0,))
    model.predict(model.initial_state(torch.ones(1, 1, 2, 1)), 4)
    assert seen == [[True, True, False, False], [False] * 4]


def test_without_chronos_the_way_to_install_it_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "chronos", None)
    with pytest.raises(DataError, match="pip install"):
        Chronos(weights="nowhere/such-model").build(1, (0,))


def tiny(folder: Path, family: str) -> Path:
    """Store a tiny model with random weights, as the package itself stores its models."""
    chronos = pytest.importorskip("chronos", reason="chronos-forecasting is not installed")
    from transformers import T5Config, T5ForConditionalGeneration

    sizes = {"d_model": 16, "d_kv": 4, "d_ff": 16, "num_layers": 1, "num_heads": 2, "dropout_rate": 0.0}
    levels = [level / 10 for level in range(1, 10)]
    patches = {"context_length": 32, "input_patch_size": 4, "input_patch_stride": 4, "quantiles": levels}
    torch.manual_seed(0)
    if family == "chronos":
        config = T5Config(vocab_size=64, decoder_start_token_id=0, pad_token_id=0, eos_token_id=1, **sizes)
        config.chronos_config = {
            "tokenizer_class": "MeanScaleUniformBins", "tokenizer_kwargs": {"low_limit": -15.0, "high_limit": 15.0},
            "n_tokens": 64, "n_special_tokens": 2, "pad_token_id": 0, "eos_token_id": 1, "use_eos_token": True,
            "model_type": "seq2seq", "context_length": 32, "prediction_length": 4, "num_samples": 5,
            "temperature": 1.0, "top_k": 50, "top_p": 1.0,
        }  # fmt: skip
        model = T5ForConditionalGeneration(config)
    elif family == "chronos-bolt":
        from chronos.chronos_bolt import ChronosBoltModelForForecasting

        config = T5Config(vocab_size=2, decoder_start_token_id=0, num_decoder_layers=1, **sizes)
        config.chronos_config = {**patches, "prediction_length": 4, "use_reg_token": True}
        config.chronos_pipeline_class = "ChronosBoltPipeline"
        model = ChronosBoltModelForForecasting(config)
    else:
        from chronos.chronos2.config import Chronos2CoreConfig

        forecasting = {**patches, "output_patch_size": 4, "max_output_patches": 1, "use_reg_token": True}
        config = Chronos2CoreConfig(chronos_config={**forecasting, "use_arcsinh": True}, **sizes)
        config.chronos_pipeline_class = "Chronos2Pipeline"
        model = chronos.Chronos2Model(config)
    model.save_pretrained(folder / family)
    return folder / family


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_of_each_family_fulfils_the_contract(family: str, tmp_path: Path):
    check_model(Chronos(weights=str(tiny(tmp_path, family)), context=8, samples=2), trainer=Memorise())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("family", FAMILIES)
def test_blocks_are_those_of_the_package(family: str, tmp_path: Path):
    path = tiny(tmp_path, family)
    model = Chronos(weights=str(path), context=8, samples=3).build(2, (0,))
    history = torch.randn(1, 3, 8, 2)
    from chronos import BaseChronosPipeline

    pipeline = BaseChronosPipeline.from_pretrained(path)
    series = history[0].mT if family == "chronos-2" else history[0].mT.flatten(0, 1)
    if family == "chronos":
        from chaosbench_foundation.chronos_models import drawing_seed

        torch.manual_seed(drawing_seed(0))
        expected = pipeline.predict(series, prediction_length=4, num_samples=3).median(dim=1).values
    else:
        medians, _ = pipeline.predict_quantiles(series, prediction_length=4, quantile_levels=[0.5])
        expected = torch.stack(list(medians))[..., 0]
    assert_close(model.predict(model.initial_state(history), 4)[0][0], expected.view(3, 2, 4).mT)
    assert model.parameters_per_seed() == sum(p.numel() for p in pipeline.inner_model.parameters())


@pytest.mark.filterwarnings("ignore")
def test_a_pretrained_model_is_evaluated_like_any_other(tmp_path: Path):
    evaluation = EvaluationSpec(
        context=20, free_runs=2, free_run_steps=20, free_run_transient=4, conditions=3, horizon=20,
        exponent_conditions=2, exponent_steps=5, exponent_transient=2,
    )  # fmt: skip
    experiment = Experiment(
        suite="tiny",
        system=Henon(),
        data=DataSpec(train_orbits=2, train_length=60, validation_orbits=0, test_length=300),
        model=Chronos(weights=str(tiny(tmp_path, "chronos-bolt")), context=16),
        trainer=Memorise(), metrics=(PredictionError(),), evaluation=evaluation, seeds=(0, 1),
    )  # fmt: skip
    # Random weights may leave the attractor, which is a result as well.
    assert {run.status for run in run_experiment(experiment).runs} <= {"ok", "diverged"}


@pytest.mark.filterwarnings("ignore")
def test_folders_that_hold_no_model_and_changed_weights_are_refused(tmp_path: Path):
    path = tiny(tmp_path, "chronos-bolt")
    spec = Chronos(weights=str(path))
    assert spec.sha256 == Chronos(weights=str(path)).sha256
    with pytest.raises(DataError, match="sample"):
        spec.replaced(forecast="sample").build(1, (0,))
    (path / "model.safetensors").write_bytes(b"changed")
    with pytest.raises(DataError, match="sha256"):
        spec.build(1, (0,))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty"):
        Chronos(weights=str(tmp_path / "empty")).build(1, (0,))


def test_the_readmes_suite_loads_where_the_package_is_installed(tmp_path: Path):
    from chaosbench import registry, suite

    if not [entry for entry in entry_points(group="chaosbench") if entry.name == "foundation"]:
        pytest.skip("chaosbench-foundation is not installed")
    (text,) = re.findall(r"^```toml\n(.*?)^```$", README.read_text(encoding="utf-8"), re.S | re.M)
    (tmp_path / "pretrained.toml").write_text(text, encoding="utf-8")
    assert suite.load(str(tmp_path / "pretrained.toml"), registry.load())
