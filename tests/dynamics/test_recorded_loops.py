"""Loops are recorded here by a stand-in for CUDA graphs, which repeats the same operations on the same tensors."""

import logging

import pytest
import torch
from operation_recorder import OperationRecorder
from solvable_maps import states
from torch.testing import assert_close

from chaosbench.dynamics.replay import Loop, called, recording_by


@pytest.fixture
def recorder():
    made = OperationRecorder()
    with recording_by(lambda tensors: made):
        yield made


def accumulate(carried, inputs):
    """Carry the last two inputs in turn, and a sum: results are parts of what was carried before."""
    previous, last, total = carried
    return (last, inputs[0], total + previous * inputs[0]), (total, last)


@pytest.mark.parametrize("steps", [1, 7, 23, 24, 71, 72, 139, 200])
def test_a_recorded_loop_gives_exactly_what_ordinary_calls_give(recorder, steps):
    carried, inputs = tuple(states(3, 4, 2)), (states(steps, 4, 2, seed=1),)
    expected = called(accumulate, carried, inputs, steps=steps, axis=1)
    found = Loop(accumulate, axis=1)(carried, steps=steps, inputs=inputs)
    assert recorder.replayed == (0 if steps < 24 else sum(divmod((steps - 8) // 8, 8)))
    assert_close(found, expected, rtol=0, atol=0)


def test_a_loop_that_is_called_again_replays_its_recordings(recorder):
    loop, carried, inputs = Loop(accumulate), tuple(states(3, 4, 2)), (states(200, 4, 2, seed=1),)
    expected = called(accumulate, carried, inputs, steps=200)
    first, second = (tuple(one[part] for one in inputs) for part in (slice(0, 100), slice(100, 200)))
    carried, outputs = loop(carried, steps=100, inputs=first)
    carried, more = loop(carried, steps=100, inputs=second)
    assert (recorder.recorded, recorder.replayed) == (2, 1 + 3 + 1 + 4)
    assert_close(carried, expected[0], rtol=0, atol=0)
    assert_close(tuple(map(torch.cat, zip(outputs, more, strict=True))), expected[1], rtol=0, atol=0)


def test_the_stand_in_finds_a_body_that_counts_in_python(recorder):
    """A check that cannot fail is worth nothing."""
    count = iter(range(1000))
    loop = Loop(lambda carried, _: ((carried[0] + next(count),), ()))
    assert not torch.equal(loop((torch.zeros(1),), steps=100)[0][0], torch.tensor([4950.0]))


def test_a_loop_that_waits_for_the_device_is_called_step_by_step_and_says_why_once(recorder, caplog):
    def waits(carried, inputs):
        return (carried[0] * (2 if carried[0].sum() > 0 else 3),), ()

    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            (found,), _ = Loop(waits)((torch.tensor([-1.0], dtype=torch.float64),), steps=100)
            assert_close(found, torch.tensor([-(3.0**100)], dtype=torch.float64))
    assert [record.getMessage().count("_local_scalar_dense") for record in caplog.records] == [1]
