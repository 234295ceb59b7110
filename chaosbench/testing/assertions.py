"""Assertions of the conformance kit: each failure names the promise, the size of the deviation and the remedy."""

import pickle
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from chaosbench.dynamics import tangent_step_by_jvp
from chaosbench.dynamics.step_maps import StepMap
from chaosbench.spec import Spec

ROUNDING = {torch.float32: 1e-3, torch.float64: 1e-10}  # relative to the largest entry


def require(condition: bool, message: str) -> None:
    """Raise an `AssertionError` unless the condition holds; unlike `assert`, also under `python -O`."""
    if not condition:
        raise AssertionError(message)


def assert_agree(actual: Tensor, expected: Tensor, promise: str, tolerance: float, advice: str = "") -> None:
    """Require equality up to rounding, relative to the largest expected entry or 1; NaN never agrees.

    Args:
        promise: what must hold, a clause without a full stop.
        advice: how to keep the promise, a clause without a full stop.
    """
    shapes = f"shape {tuple(actual.shape)} instead of {tuple(expected.shape)}"
    require(actual.shape == expected.shape, _message(promise, shapes, advice))
    worst = float((actual - expected).abs().max() / expected.abs().max().clamp_min(1.0))
    deviation = f"the relative deviation is {worst:.1e}, and rounding explains at most {tolerance:.0e}"
    require(worst <= tolerance, _message(promise, deviation, advice))


def assert_identical(actual: Tensor, expected: Tensor, promise: str, advice: str = "") -> None:
    """Require equality to the last bit."""
    if not torch.equal(actual, expected):
        same_shape = actual.shape == expected.shape
        worst = float((actual - expected).abs().max()) if same_shape else float("nan")
        deviation = f"the deviation is {worst:.1e}, and it must be 0 to the last bit"
        raise AssertionError(_message(promise, deviation, advice))


def check_spec_round_trip(spec: Spec) -> None:
    """Check that a spec survives JSON, as which it is stored, and pickling, by which it reaches a worker process."""
    kind = type(spec).model_fields["kind"].default
    require(spec.kind == kind, f"{spec.label}: `kind` must have a default; write kind: Literal[{spec.kind!r}] = ...")
    copies = {
        "JSON": type(spec).model_validate_json(spec.model_dump_json()),
        "pickling": pickle.loads(pickle.dumps(spec)),
    }
    for form, copy in copies.items():
        promise = f"{spec.label}: a spec must be the same after {form}"
        require(copy == spec, _message(promise, f"it becomes {copy!r}", "use only fields that pydantic can store"))


def check_tangents(name: str, step_map: StepMap, state: Tensor) -> None:
    """Check that `tangent_step` is the derivative of `step`, up to rounding."""
    tangents = torch.randn(*state.shape, 2, dtype=torch.float64, generator=new_generator(2)).to(state)
    with torch.no_grad():
        following, carried = step_map.tangent_step(state, tangents)
        expected, automatic = tangent_step_by_jvp(step_map.step, state, tangents)
    tolerance, advice = ROUNDING[state.dtype], "leave tangent_step out, and automatic differentiation is used"
    assert_agree(following, expected, f"{name}: tangent_step must return the same state as step", tolerance, advice)
    assert_agree(carried, automatic, f"{name}: tangent_step must be the derivative of step", tolerance, advice)


@contextmanager
def global_random_state_unused(name: str) -> Iterator[None]:
    """Require that the block leaves the global random states of torch, numpy and Python as they were."""
    before = _random_states()
    yield
    drawn = [library for library, state in _random_states().items() if state != before[library]]
    advice = "draw from a generator of your own, such as chaosbench.seed_generator(seed, purpose)"
    require(not drawn, f"{name}: global random state must not change, but that of {', '.join(drawn)} does; {advice}")


def _random_states() -> dict[str, str]:
    numpy_state: tuple[Any, ...] = tuple(np.random.get_state())
    return {
        "torch": str(torch.get_rng_state().tolist()),
        "numpy": str([part.tolist() if isinstance(part, np.ndarray) else part for part in numpy_state]),
        "Python's random": str(random.getstate()),
    }


def new_generator(seed: int) -> Generator:
    """Return a seeded generator that is shared with nothing else."""
    return Generator().manual_seed(seed)


def _message(promise: str, deviation: str, advice: str) -> str:
    return f"{promise}; {deviation}" + (f"; {advice}" if advice else "")
