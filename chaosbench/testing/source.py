"""Conformance check of a source: its recordings are as `simulate` expects them."""

import math

import torch

from chaosbench.source import STATES_EVERY, DataSpec, Recordings, Source
from chaosbench.testing.assertions import assert_identical, check_spec_round_trip, require

_SMALL = DataSpec(
    train_orbits=2, train_length=100, validation_orbits=1, validation_length=50, test_orbits=2, test_length=100
)


def check_source(source: Source, *, data: DataSpec = _SMALL) -> None:
    """Check that a source returns recordings as its contract says.

    Args:
        source: the source; it need not have an equation.
        data: a spec that the source can provide recordings for.

    Raises:
        AssertionError: naming the requirement that is not met.
    """
    check_spec_round_trip(source)
    recordings = source.recordings(data)
    for name in ("train", "validation", "test"):
        _check_orbits(source, data, name, getattr(recordings, name))
    _check_lengths(source, data, recordings)
    _check_states(source, data, recordings)
    exponent = recordings.largest_exponent
    require(
        exponent is None or math.isfinite(exponent),
        f"{source.label}: the largest exponent must be finite or None; it is {exponent}",
    )
    torch.randn(1)  # torch's global random state must have no effect
    again = source.recordings(data)
    for name in ("train", "validation", "test"):
        assert_identical(
            getattr(again, name),
            getattr(recordings, name),
            f"{source.label}: recordings must depend on the source and the data spec alone; {name} does not",
        )


def _check_orbits(source: Source, data: DataSpec, name: str, orbits: torch.Tensor) -> None:
    size = source.dimension
    require(
        orbits.dim() == 3 and orbits.shape[2] == size,
        f"{source.label}: {name} must have the shape (N, T, {size}); it has {tuple(orbits.shape)}",
    )
    require(orbits.dtype == torch.float64, f"{source.label}: {name} must be float64; it is {orbits.dtype}")
    require(bool(orbits.isfinite().all()), f"{source.label}: {name} must be finite")
    require(
        orbits.shape[1] > data.history,
        f"{source.label}: {name} must be longer than the {data.history} steps of history that its delay coordinates "
        f"need; it has {orbits.shape[1]} steps",
    )


def _check_lengths(source: Source, data: DataSpec, recordings: Recordings) -> None:
    orbits, steps = recordings.test.shape[:2]
    require(orbits >= 2, f"{source.label}: there must be at least 2 test orbits; there is {orbits}")
    expected = data.history + data.test_length
    require(steps == expected, f"{source.label}: test orbits must have {expected} steps; they have {steps}")
    flat = (recordings.train.flatten(0, 1).std(dim=0) == 0).nonzero().flatten().tolist()
    require(not flat, f"{source.label}: observables must vary; {flat} are constant and cannot be standardised")


def _check_states(source: Source, data: DataSpec, recordings: Recordings) -> None:
    if recordings.states is None:
        return
    expected = (len(recordings.test), math.ceil(data.test_length / STATES_EVERY))
    shape = tuple(recordings.states.shape)
    require(
        shape[:2] == expected,
        f"{source.label}: states must have the shape {(*expected, 'S')}, one every {STATES_EVERY} steps; "
        f"they have {shape}",
    )
