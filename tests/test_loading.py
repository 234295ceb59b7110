"""A stored model in hand forecasts what its evaluation did, in the units of the data."""

import hashlib
import json
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save
from small_experiment import small

import chaosbench
from chaosbench.data.dataset import embedded, unembedded
from chaosbench.errors import ChaosbenchError
from chaosbench.experiment import Experiment
from chaosbench.leaderboard import store
from chaosbench.leaderboard.folder import forecast as stored_arrays
from chaosbench.models import GRU, Analogue, ShallowPLRNN
from chaosbench.run import run_experiment
from chaosbench.trainers import BPTT, Memorise

STEPS = 25  # the Hénon map stretches rounding errors of 1e-16 by e^10 in this time


@pytest.fixture
def stored(tmp_path: Path):
    def write(experiment: Experiment) -> Path:
        return store.write(run_experiment(experiment), tmp_path / "results")

    return write


@pytest.mark.parametrize(
    ("model", "trainer", "data"),
    [
        (None, None, {}),
        (GRU(hidden=5), BPTT(updates=2, batch=2, sequence_length=10), {"noise": 0.05}),
        (None, None, {"observed": (0,), "embedding": 3, "lag": 2}),
        (Analogue(), Memorise(), {"standardise": "none"}),
    ],
    ids=["plain", "gated with noise", "delay coordinates", "memory"],
)
def test_a_loaded_model_repeats_the_free_run_of_its_evaluation(stored, model, trainer, data):
    """Stored free runs are in single precision."""
    folder = stored(small(model, trainer, **data))
    for index, seed in enumerate((3, 1)):
        loaded = chaosbench.load(folder, seed)
        forecast = loaded.model.forecast(loaded.histories()[0], STEPS)
        kept = loaded.model.observables
        mean, deviation = (part[:kept].numpy() for part in (loaded.model.mean, loaded.model.deviation))
        evaluated = stored_arrays(folder)["free_run"][index, :STEPS, :kept]
        np.testing.assert_allclose((forecast - mean) / deviation, evaluated, rtol=1e-5, atol=1e-5)
        assert loaded.spec == small(model, trainer, **data)


def test_histories_and_futures_are_the_orbits_of_the_system(stored):
    """Raw units: every next value is the Hénon map of the two before it, x'' = 1 - a x'^2 + b x."""
    loaded = chaosbench.load(stored(small(observed=(0,), embedding=2)), 3)
    x = np.concatenate([loaded.histories(), loaded.futures()], axis=1)[..., 0]
    system = loaded.spec.system
    np.testing.assert_allclose(x[:, 2:], 1 - system.a * x[:, 1:-1] ** 2 + system.b * x[:, :-2], atol=1e-12)


def test_forecasts_have_the_kind_type_and_shape_of_the_history(stored):
    model = chaosbench.load(stored(small())).model
    history = np.random.default_rng(0).normal(size=(4, 9, 2)) / 3
    together = model.forecast(history, 5)
    assert together.shape == (4, 5, 2)
    np.testing.assert_allclose(model.forecast(history[2], 5), together[2], rtol=1e-12)
    tensor = model.forecast(torch.from_numpy(history).float(), 5)
    assert (tensor.dtype, tensor.shape) == (torch.float32, (4, 5, 2))
    assert model.forecast(history[:, ::-1].astype(np.float32), 1).dtype == np.float32


def test_a_folder_of_an_earlier_version_gets_its_units_from_the_data(stored):
    folder = stored(small())
    before = chaosbench.load(folder, 1)
    content = save(load_file(folder / "weights.safetensors"))
    (folder / "weights.safetensors").write_bytes(content)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["weights.safetensors"] = hashlib.sha256(content).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.warns(RuntimeWarning, match="mean and deviation"):
        after = chaosbench.load(folder, 1)
    history = before.histories()
    np.testing.assert_array_equal(after.model.forecast(history, 9), before.model.forecast(history, 9))


def test_wrong_histories_and_seeds_are_refused_in_one_line(stored):
    folder = stored(small(observed=(0,), embedding=3))
    model = chaosbench.load(folder).model
    for history in (np.zeros((9, 2)), np.zeros((2, 1)), np.zeros(9), np.full((9, 1), np.nan)):
        with pytest.raises(ChaosbenchError) as caught:
            model.forecast(history, 3)
        assert "\n" not in str(caught.value)
    with pytest.raises(ChaosbenchError, match="3, 1"):
        chaosbench.load(folder, 7)


def test_a_class_of_a_notebook_is_loaded_if_it_is_given(stored):
    class Own(ShallowPLRNN):
        kind: Literal["own"] = "own"

    folder = stored(small(Own(hidden=4)))
    with pytest.raises(ChaosbenchError):
        chaosbench.load(folder)
    assert isinstance(chaosbench.load(folder, kinds=[Own]).spec.model, Own)


@pytest.mark.parametrize(("embedding", "lag"), [(1, 1), (2, 3), (4, 2)])
def test_delay_coordinates_are_undone_exactly(embedding: int, lag: int):
    series = torch.randn(2, 30, 3)
    assert torch.equal(unembedded(embedded(series, embedding, lag), embedding, lag), series)
