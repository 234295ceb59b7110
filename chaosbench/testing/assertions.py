"""What every check of the kit says it with: sentences that name the promise and by how much it is broken."""

import pickle

import torch
from torch import Generator, Tensor

from chaosbench.dynamics import tangent_step_by_jvp
from chaosbench.dynamics.step_maps import StepMap
from chaosbench.spec import Spec

ROUNDING = {torch.float32: 1e-3, torch.float64: 1e-10}  # relative to the largest entry


def check_record(spec: Spec) -> None:
    """A spec is stored as JSON, and pickled to reach a worker."""
    kind = type(spec).model_fields["kind"].default
    demand(spec.kind == kind, f"{spec.label}: `kind` must have a default; give it {spec.kind!r}")
    copy = type(spec).model_validate_json(spec.model_dump_json())
    demand(copy == spec, f"{spec.label}: a spec must survive JSON; it comes back as {copy!r}")
    copy = pickle.loads(pickle.dumps(spec))
    demand(copy == spec, f"{spec.label}: a spec must survive pickling; it comes back as {copy!r}")


def check_tangents(name: str, step_map: StepMap, state: Tensor) -> None:
    """The tangent step is the derivative of the step, up to rounding."""
    tangents = torch.randn(*state.shape, 2, dtype=torch.float64, generator=generator(2)).to(state)
    with torch.no_grad():
        following, carried = step_map.tangent_step(state, tangents)
        expected, automatic = tangent_step_by_jvp(step_map.step, state, tangents)
    tolerance = ROUNDING[state.dtype]
    agree(following, expected, f"{name}: tangent_step must return the state that step does", tolerance)
    agree(carried, automatic, f"{name}: tangent_step must be the derivative of step", tolerance)


def agree(found: Tensor, expected: Tensor, promise: str, tolerance: float) -> None:
    """Equal up to rounding, relative to the largest number expected; NaN never agrees."""
    demand(found.shape == expected.shape, f"{promise}; its shape is {tuple(found.shape)}, not {tuple(expected.shape)}")
    worst = float((found - expected).abs().max() / expected.abs().max().clamp_min(1.0))
    demand(worst <= tolerance, f"{promise}; they differ by {worst:.1e}, where {tolerance:.0e} would be rounding")


def same(found: Tensor, expected: Tensor, promise: str) -> None:
    """Equal to the last bit."""
    if not torch.equal(found, expected):
        worst = float((found - expected).abs().max()) if found.shape == expected.shape else float("nan")
        raise AssertionError(f"{promise}; they differ by {worst:.1e}, where no bit may")


def demand(kept: bool, sentence: str) -> None:
    """`assert` would be silent under `python -O`."""
    if not kept:
        raise AssertionError(sentence)


def generator(seed: int) -> Generator:
    """A generator that nobody else draws from."""
    return Generator().manual_seed(seed)
