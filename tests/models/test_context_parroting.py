"""Context parroting against the published search and copy, in numpy."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch.testing import assert_close

from chaosbench.data import DataSpec, simulate
from chaosbench.dynamics import lyapunov_spectrum
from chaosbench.models import ContextParroting, Forecaster
from chaosbench.systems import Lorenz63
from chaosbench.testing import check_model
from chaosbench.trainers import Memorise

SEEDS = (2, 5)


@pytest.fixture(scope="module")
def histories() -> torch.Tensor:
    """Ten stretches of 90 steps of Lorenz-63, `(K, 10, 90, 3)`."""
    short = {"train_orbits": 2, "train_length": 2, "validation_orbits": 0, "test_orbits": 2, "test_length": 900}
    data = simulate(Lorenz63(dt=0.05), DataSpec.model_validate(short))
    return data.test[0].unfold(0, 90, 90).mT.expand(len(SEEDS), -1, -1, -1)


def built(motif: int = 4, context: int = 90, dimension: int = 3) -> Forecaster:
    return ContextParroting(motif=motif, context=context).build(dimension, SEEDS).double()


def published(context: np.ndarray, motif: int, steps: int) -> np.ndarray:
    """Search j <= L - D - 1 in a loop, and copy what followed, own copies included, `(L, D) -> (steps, D)`."""
    length, query = len(context), context[len(context) - motif :]
    candidates = range(motif, length - motif)
    distances = {j: np.linalg.norm(context[j - motif : j] - query) for j in candidates}
    found = min(reversed(candidates), key=lambda j: distances[j])
    series = list(context)
    for _ in range(steps):
        series.append(series[found])
        found += 1
    return np.array(series[length:])


@pytest.mark.parametrize("dimension", [1, 3])
def test_it_fulfils_the_contract_of_a_model(dimension: int):
    check_model(ContextParroting(motif=2, context=7), dimension, trainer=Memorise())


@pytest.mark.parametrize("motif", [1, 4, 20])
def test_a_forecast_is_the_published_search_and_copy(motif: int, histories: torch.Tensor):
    """200 steps are longer than the context, so that copies are copied again. A copy has no rounding."""
    model = built(motif)
    forecast, _ = model.predict(model.initial_state(histories), 200)
    for index, context in enumerate(histories[0].numpy()):
        expected = published(context, motif, 200)
        assert_close(forecast[:, index].numpy(), np.stack([expected] * len(SEEDS)), atol=0, rtol=0)


def test_the_search_of_a_whole_history_is_that_of_its_last_forcing(histories: torch.Tensor):
    """Stepping and forcing through the history leads to the same context and motif, to the last bit."""
    model, short = built(), histories[:, :, :40]
    state = model.first_state(histories[:, :, 0])
    for time in range(1, 40):
        state = model.force(model.step(state), histories[:, :, time])
    assert torch.equal(state, model.initial_state(short))


def test_only_the_end_of_a_history_longer_than_the_context_is_searched(histories: torch.Tensor):
    model = built(context=50)
    assert torch.equal(model.initial_state(histories), model.initial_state(histories[:, :, -50:]))


def test_a_single_observation_is_repeated_forever(histories: torch.Tensor):
    """All motifs of the preceding repetitions are equal to it: context parroting is persistence then."""
    model, last = built(), histories[:, :, -1:]
    forecast, _ = model.predict(model.initial_state(last), 7)
    assert torch.equal(forecast, last.expand(-1, -1, 7, -1))


def test_a_cycle_in_the_context_is_forecast_without_error():
    cycle = torch.randn(11, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    series = cycle.repeat(20, 1)
    model = built(motif=3, context=60, dimension=1)
    forecast, _ = model.predict(model.initial_state(series[:75].expand(2, 1, -1, -1)), 130)
    assert torch.equal(forecast[0, 0], series[75:205])


@pytest.mark.parametrize(("motif", "context"), [(10, 20), (2, 4)])
def test_a_context_without_an_earlier_motif_is_rejected(motif: int, context: int):
    with pytest.raises(ValidationError, match=rf"{2 * motif + 1}"):
        ContextParroting(motif=motif, context=context)


def test_a_copied_cycle_is_neither_stable_nor_unstable(histories: torch.Tensor):
    """Once the context has been shifted out, after as many steps as it has, p steps repeat the state and all tangents
    that are left: the exponents over two cycles are 0."""
    model = built(motif=4, context=40)
    for index in range(3):
        start = model.initial_state(histories[:, index : index + 1])
        cycle = int(start[0, 0, -1])
        spectrum = lyapunov_spectrum(model, start, steps=2 * cycle, transient=40, exponents=5)
        assert_close(spectrum, torch.zeros_like(spectrum), atol=1e-12, rtol=0)
