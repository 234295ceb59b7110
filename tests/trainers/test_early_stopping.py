"""Early stopping: each seed ends with the weights that forecast the validation orbits best."""

from collections.abc import Iterator

import pytest
import torch

from chaosbench.data import Dataset, DataSpec, simulate
from chaosbench.errors import ChaosbenchError
from chaosbench.models import RNN, Forecaster, ShallowPLRNN
from chaosbench.systems import Henon
from chaosbench.trainers import BPTT, TrainingStep
from chaosbench.trainers.early_stopping import stopping_records, validation_error

TRAINER = BPTT(updates=60, batch=4, sequence_length=10, learning_rate=0.05, patience=2, validate_every=5)
SEEDS = (0, 1, 2)


@pytest.fixture(scope="module")
def data() -> Dataset:
    spec = DataSpec(train_orbits=2, train_length=200, validation_orbits=2, validation_length=150, test_length=100)
    return simulate(Henon(), spec).to("cpu", torch.float64)


def built(seeds=SEEDS) -> Forecaster:
    return RNN(hidden=6).build(2, seeds).double()


def weights(model: Forecaster) -> list[torch.Tensor]:
    return [value.detach().clone() for value in model.parameters()]


def numbers(step: TrainingStep) -> dict[str, torch.Tensor]:
    return {name.removeprefix("training."): values for name, values, _, _ in stopping_records(step.training)}


def steps(model: Forecaster, data: Dataset, seeds=SEEDS, **extra) -> Iterator[TrainingStep]:
    return TRAINER.fit(model, data, seeds, **extra)


def test_every_seed_ends_with_the_weights_of_its_least_validation_error(data: Dataset):
    """The training without stopping passes the same weights, so that its errors show where each seed must stop."""
    endless, errors, passed = built(), [], []
    for step in TRAINER.replaced(patience=None).fit(endless, data, SEEDS):
        if step.update % 5 == 1 and step.update > 1:  # before this update, the weights are those after the last one
            errors.append(validation_error(endless, data))
            passed.append(weights(endless))
    model = built()
    *_, last = steps(model, data)
    found = numbers(last)
    for index in range(len(SEEDS)):
        own = [float(error[index]) for error in errors]
        best, stopped = int(found["best_update"][index]), float(found["stopped_update"][index])
        until = own[: int(stopped) // 5] if stopped == stopped else own
        if best <= 5 * len(own):
            assert best == 5 * (1 + until.index(min(until)))
            for value, expected in zip(model.parameters(), passed[best // 5 - 1], strict=True):
                torch.testing.assert_close(value[index], expected[index], rtol=0, atol=0)
        if stopped == stopped:
            assert stopped - best == 2 * 5
    torch.testing.assert_close(validation_error(model, data), found["validation_error"], rtol=1e-9, atol=0)


def test_training_ends_when_no_seed_has_patience_left(data: Dataset):
    hopeless = TRAINER.replaced(learning_rate=10.0, updates=200)
    *_, last = hopeless.fit(built(), data, SEEDS)
    stopped = numbers(last)["stopped_update"]
    assert last.update == stopped.max() < 200


def test_a_seed_stops_where_it_stops_alone(data: Dataset):
    """Alone and in company the weights agree to rounding, which 60 updates do not amplify above 1e-8."""
    together = built()
    *_, last = steps(together, data)
    for index, seed in enumerate(SEEDS):
        alone = built((seed,))
        *_, own = steps(alone, data, (seed,))
        for name in ("best_update", "validation_error"):
            torch.testing.assert_close(numbers(own)[name][0], numbers(last)[name][index], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("update", [4, 5, 6])
def test_it_goes_on_from_a_checkpoint_with_the_same_bits(data: Dataset, update: int):
    whole, model = built(), built()
    *_, last = steps(whole, data)
    for step in steps(model, data):
        if step.update == update:
            saved = step.checkpoint()
            break
    again = built()
    *_, other = steps(again, data, checkpoint=saved)
    assert other.update == last.update
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), again.parameters(), strict=True))


def test_stopping_without_validation_data_is_refused():
    none = DataSpec(validation_orbits=0)
    assert "validation" in (TRAINER.incompatibility(Henon(), none, ShallowPLRNN(hidden=5)) or "")
    short = simulate(Henon(), DataSpec(train_orbits=2, train_length=200, validation_orbits=0, test_length=100))
    with pytest.raises(ChaosbenchError, match="validation"):
        TRAINER.check(short)


def test_trainers_without_early_stopping_keep_the_identity_of_earlier_results():
    without, with_patience = BPTT(), BPTT(patience=3, validate_every=7)
    assert not {"patience", "validate_every"} & set(without.model_dump())
    assert BPTT.model_validate(with_patience.model_dump(mode="json")) == with_patience
