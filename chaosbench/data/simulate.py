"""From a system to a data set: run, observe, disturb, embed, standardise."""

from collections.abc import Sequence

import torch
from torch import Tensor

from chaosbench.data.cache import Tensors, cached
from chaosbench.data.dataset import STATES_EVERY, Dataset, embedded
from chaosbench.data.spec import DataSpec
from chaosbench.dynamics import orbit
from chaosbench.errors import DataError
from chaosbench.exponents import largest_exponent
from chaosbench.files import cache_key
from chaosbench.seeds import seed_generator
from chaosbench.series.timeseries import TimeSeries
from chaosbench.systems.base import SystemSpec

_LAYOUT = 1  # of cached orbits; to be raised when `_run` gives something else


def simulate(system: SystemSpec, spec: DataSpec) -> Dataset:
    """Orbits of the system as the spec asks, from the cache where they were made before; a measured series is read.

    Raises:
        DataError: where an orbit escapes, an observable is constant, or the data are too short for what is asked.
    """
    if spec.observed is not None and max(spec.observed) >= system.dimension:
        raise DataError(
            f"data.observed names observable {max(spec.observed)}, but {system.label} has {system.dimension}, from 0"
        )
    if isinstance(system, TimeSeries):
        return _measured(system, spec)
    orbits = spec.model_dump(mode="json", exclude={"noise", "standardise", "dtype"})  # what the orbits depend on
    key = cache_key(system, str(_LAYOUT), str(sorted(orbits.items())))
    made = cached(key, lambda: _run(system, spec))
    parts = [made["train"], made["validation"], made["test"]]
    return _dataset(system, spec, parts, made["states"])


def _run(system: SystemSpec, spec: DataSpec) -> Tensors:
    """Observed orbits `(N, history + T, O)` and the states along the test orbits, float64."""
    before, test_before = "initial conditions", f"test initial conditions of release {spec.release}"
    learned = (spec.train_orbits, spec.validation_orbits)
    starts = system.initial_state(sum(learned), seed_generator(spec.seed, before)).split(learned)
    tests = system.initial_state(spec.test_orbits, seed_generator(spec.seed, test_before))
    lengths = [spec.history + n for n in (spec.train_length, spec.validation_length, spec.test_length)]
    parts = _orbits(system, [*starts, tests], lengths, spec.stride)
    if not all(bool(part.isfinite().all()) for part in parts):
        raise DataError(f"an orbit of {system.label} escapes to infinity; check its parameters, dt and starting point")
    observed = [_observed(system.observe(part), spec) for part in parts]
    names = ("train", "validation", "test")
    return {**dict(zip(names, observed, strict=True)), "states": parts[2][:, spec.history :: STATES_EVERY]}


def _orbits(system: SystemSpec, starts: Sequence[Tensor], lengths: Sequence[int], stride: int) -> list[Tensor]:
    """Orbits of different lengths, stepped together for as long as they last, since small batches cost as much."""
    pieces: list[list[Tensor]] = [[] for _ in starts]
    current, done = list(starts), 0
    for length in sorted(set(lengths)):
        alive = [i for i in range(len(current)) if lengths[i] >= length]
        stretch = orbit(system, torch.cat([current[i] for i in alive]), steps=length - done, every=stride)
        for i, part in zip(alive, stretch.split([len(current[i]) for i in alive]), strict=True):
            pieces[i].append(part)
            current[i] = part[:, -1]
        done = length
    return [torch.cat(part, dim=1) for part in pieces]


def _measured(system: TimeSeries, spec: DataSpec) -> Dataset:
    """The series' own splits by time; the test part in pieces that stand for orbits."""
    if spec.stride > 1 or spec.noise > 0:
        raise DataError(f"{system.label} is measured: data.stride and data.noise are for simulated systems")
    train, validation, test = (_observed(part, spec) for part in system.splits())
    if len(train) <= spec.history:
        raise DataError(
            f"{system.label}: an embedding of {spec.embedding} coordinates {spec.lag} steps apart needs more than "
            f"{spec.history} steps, and there are {len(train)} for training"
        )
    piece = spec.history + spec.test_length
    count = len(test) // piece
    if count < 2:
        raise DataError(
            f"{system.label}: {len(test)} steps for testing are too few for two pieces of data.test_length = "
            f"{spec.test_length}; set it to at most {max(0, len(test) // 2 - spec.history)}"
        )
    pieces = test[: count * piece].reshape(count, piece, -1)
    if len(validation) <= spec.history:
        validation = train[: spec.history + 1]
    return _dataset(system, spec, [train[None], validation[None], pieces], None)


def _dataset(system: SystemSpec, spec: DataSpec, parts: Sequence[Tensor], states: Tensor | None) -> Dataset:
    """Disturb, embed and standardise observed orbits."""
    noise = spec.noise * parts[0].flatten(0, 1).std(dim=0)
    generator = seed_generator(spec.seed, f"observation noise of release {spec.release}")
    seen = [part + noise * torch.randn(part.shape, dtype=part.dtype, generator=generator) for part in parts]
    train, validation, seen_test, test = (
        embedded(part, spec.embedding, spec.lag) for part in (*(seen if spec.noise else parts), parts[2])
    )
    mean, deviation = _moments(train, spec.standardise)
    if (deviation == 0).any():
        flat = int((deviation == 0).nonzero()[0, 0])
        raise DataError(f"observable {flat} of {system.label} is constant in training and cannot be standardised")
    train, validation, test, seen_test = ((part - mean) / deviation for part in (train, validation, test, seen_test))
    return Dataset(
        train=train,
        validation=validation,
        test=test,
        seen=seen_test,
        history=parts[2],
        states=states,
        mean=mean,
        deviation=deviation,
        system=system,
        dt=system.dt * spec.stride,
        stride=spec.stride,
        noise=spec.noise,
        observed=spec.observed,
        embedding=spec.embedding,
        lag=spec.lag,
        largest_exponent=system.largest_exponent() if isinstance(system, TimeSeries) else largest_exponent(system),
        divergence=system.divergence() if isinstance(system, TimeSeries) and system.exponent is None else None,
    )


def _observed(series: Tensor, spec: DataSpec) -> Tensor:
    return series if spec.observed is None else series[..., list(spec.observed)]


def _moments(train: Tensor, standardise: str) -> tuple[Tensor, Tensor]:
    dimension = train.shape[-1]
    if standardise == "none":
        return train.new_zeros(dimension), train.new_ones(dimension)
    values = train.reshape(-1, dimension)
    if standardise == "global":
        return values.mean().expand(dimension).clone(), values.std().expand(dimension).clone()
    return values.mean(dim=0), values.std(dim=0)
