"""Which experiments are trained as one batch."""

from typing import Any

import pytest
from misbehaving import Misbehaving
from small import experiment

from chaosbench.execution import alone, grouping
from chaosbench.execution.grouping import grouped, groups
from chaosbench.experiment import Experiment
from chaosbench.models import LSTM, PLRNN
from chaosbench.trainers import BPTT, GeneralizedTeacherForcing, SparseTeacherForcing

SMALL: dict[str, Any] = {"updates": 10, "batch": 4, "sequence_length": 20}


def of(trainer: Any, **changes: Any) -> Experiment:
    return experiment(trainer=trainer, **changes)


def forced(**changes: Any) -> SparseTeacherForcing:
    return SparseTeacherForcing(**{"interval": 2, **SMALL, **changes})


def test_experiments_that_differ_in_numbers_or_seeds_only_are_one_batch():
    batch = [
        of(forced()),
        of(forced(interval=5)),
        of(forced(interval="autocorrelation"), seeds=(7,)),
        of(forced(learning_rate=0.1, final_learning_rate=0.01)),
        of(forced(clip_norm=1.0)),
    ]
    assert grouped(batch, cheap=False) == [tuple(batch)]


@pytest.mark.parametrize(
    "other",
    [
        of(forced(updates=11)),
        of(forced(batch=5)),
        of(forced(sequence_length=21)),
        of(forced(optimizer="radam")),
        of(forced(clip_value=1.0)),
        of(forced(spread=1)),
        of(forced(manifold_attractor=0.1)),
        of(BPTT(**SMALL)),
        of(forced(), model=PLRNN(hidden=5)),
        of(forced(), data=experiment().data.replaced(noise=0.1)),
        of(forced(), evaluation=experiment().evaluation.replaced(horizon=21)),
    ],
    ids=lambda other: other.name,
)
def test_experiments_that_differ_in_anything_else_are_apart(other: Experiment):
    assert grouped([of(forced()), other], cheap=False) == alone([of(forced()), other])


def test_groups_are_in_the_order_of_their_first_experiments_and_none_is_lost():
    trainers: list[Any] = [forced(), BPTT(**SMALL), forced(interval=3), BPTT(learning_rate=0.1, **SMALL)]
    first, second, third, fourth = (of(trainer) for trainer in trainers)
    assert grouped([first, second, third, fourth], cheap=False) == [(first, third), (second, fourth)]


def test_alphas_that_are_numbers_are_one_batch_and_an_adaptive_one_is_not_in_it():
    alphas: list[Any] = [0.1, "adaptive", 0.5]
    tenth, adaptive, half = (of(GeneralizedTeacherForcing(alpha=alpha, **SMALL)) for alpha in alphas)
    assert grouped([tenth, adaptive, half], cheap=False) == [(tenth, half), (adaptive,)]


def test_a_batch_has_a_limited_number_of_seeds(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(grouping, "MOST_SEEDS", 5)
    four = [of(forced(interval=interval)) for interval in (1, 2, 3)] + [of(forced(interval=4), seeds=tuple(range(9)))]
    assert grouped(four, cheap=False) == [tuple(four[:2]), (four[2],), (four[3],)]


def test_by_default_there_are_batches_on_a_gpu_alone():
    two = [of(forced()), of(forced(interval=3))]
    for device in ("cpu", "auto"):
        assert groups(two, device, None) == alone(two)
        assert groups(two, device, together=True) == [tuple(two)]
    assert groups(two, "cuda:0", None) == [tuple(two)]
    assert groups(two, "cuda", together=False) == alone(two)


def test_by_default_intervals_differ_only_where_a_kernel_forces_inside_an_unroll():
    """The segments of an LSTM are folded into the batch, which needs one interval for all."""
    intervals = [of(forced(interval=interval), model=LSTM(hidden=5)) for interval in (2, 3)]
    rates = [of(forced(learning_rate=rate), model=LSTM(hidden=5)) for rate in (0.1, 0.2)]
    assert groups(intervals, "cuda", None) == alone(intervals)
    assert groups(intervals, "cuda", together=True) == [tuple(intervals)]
    assert groups(rates, "cuda", None) == [tuple(rates)]


def test_a_model_that_cannot_be_built_is_left_to_its_worker():
    broken = [of(forced(interval=interval), model=Misbehaving(fault="raise")) for interval in (2, 3)]
    assert groups(broken, "cuda", None) == alone(broken)
