"""Make a data set from a source: record, select observables, add noise, embed, standardise."""

import logging

import torch
from torch import Tensor

from chaosbench.data.cache import cached
from chaosbench.data.dataset import Dataset, embedded
from chaosbench.errors import DataError
from chaosbench.exponents import cached_survey, largest_exponent
from chaosbench.files import cache_key
from chaosbench.limits import physical_memory
from chaosbench.seeds import seed_generator
from chaosbench.source import DataSpec, Recordings, Source
from chaosbench.systems.base import SystemSpec

_LOGGER = logging.getLogger(__name__)
_LAYOUT = 2  # of cached orbits; raise it when `SystemSpec.recordings` returns something else


def simulate(system: Source, spec: DataSpec) -> Dataset:
    """Return the data set that `spec` describes. Orbits of an equation are cached; other sources are read each time.

    Raises:
        DataError: if an orbit escapes, an observable is constant, or the data are too short for `spec`.
    """
    require_possible(system, spec)
    recordings = _cached_recordings(system, spec) if isinstance(system, SystemSpec) else system.recordings(spec)
    return _dataset(system, spec, recordings)


def require_possible(system: Source, spec: DataSpec) -> None:
    """Check that the observables exist, and that the orbits of an equation fit into the machine's memory.

    Raises:
        DataError: where they do not.
    """
    if spec.observed is not None and max(spec.observed) >= system.dimension:
        raise DataError(
            f"data.observed names observable {max(spec.observed)}, but {system.label} has {system.dimension}, from 0"
        )
    memory = physical_memory()
    if memory is None or not isinstance(system, SystemSpec):
        return
    parts = {
        "train": spec.train_orbits * spec.train_length,
        "validation": spec.validation_orbits * spec.validation_length,
        "test": spec.test_orbits * spec.test_length,
    }
    needed = 8 * system.state_size * sum(parts.values())  # in double precision
    if needed > memory:
        largest = max(parts, key=lambda name: parts[name])
        raise DataError(
            f"the orbits of {system.label} need {needed / 2**30:,.0f} GiB of the {memory / 2**30:,.0f} GiB of memory; "
            f"lower data.{largest}_orbits or data.{largest}_length"
        )


def _cached_recordings(system: SystemSpec, spec: DataSpec) -> Recordings:
    """The orbits of an equation, which depend on its source code, its fields and a part of the spec alone."""
    orbits = spec.model_dump(mode="json", exclude={"noise", "observed", "standardise", "dtype"})
    system = _on_one_attractor(system)
    key = cache_key(system, str(_LAYOUT), str(sorted(orbits.items())))
    tensors = cached(key, lambda: _tensors(system.recordings(spec)))
    return Recordings(tensors["train"], tensors["validation"], tensors["test"], tensors.get("states"))


def _on_one_attractor(system: SystemSpec) -> SystemSpec:
    """Return the system with the attractor that its start leads to, and warn, where several coexist and none is chosen.

    A system with published or certified exponents has one attractor.
    """
    if system.attractor is not None or system.reference is not None:
        return system
    survey = cached_survey(system)
    if not survey.attractors:
        return system
    own = survey.attractors[survey.attractor]
    shares = ", ".join(f"{one.regime} ({100 * one.share:.0f} % of orbits)" for one in survey.attractors)
    _LOGGER.warning(
        "%s has %d attractors: %s; the data are from the one that its start leads to (%s); "
        "choose another by the field attractor, by its regime or by a state that leads to it",
        system.label,
        len(survey.attractors),
        shares,
        own.regime,
    )
    return system.replaced(attractor=own.start)


def _tensors(recordings: Recordings) -> dict[str, Tensor]:
    tensors = {name: getattr(recordings, name) for name in ("train", "validation", "test", "states")}
    return {name: tensor for name, tensor in tensors.items() if tensor is not None}


def _dataset(system: Source, spec: DataSpec, recordings: Recordings) -> Dataset:
    """Select observables, add noise, embed and standardise."""
    parts = [_observed(part, spec) for part in (recordings.train, recordings.validation, recordings.test)]
    train, validation, seen_test, test = (
        embedded(part, spec.embedding, spec.lag) for part in (*(_noisy(parts, spec) if spec.noise else parts), parts[2])
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
        states=recordings.states,
        mean=mean,
        deviation=deviation,
        system=system,
        spec=spec,
        largest_exponent=largest_exponent(system) if isinstance(system, SystemSpec) else recordings.largest_exponent,
        separation=recordings.separation,
    )


def _noisy(parts: list[Tensor], spec: DataSpec) -> list[Tensor]:
    """Add observation noise to the orbits for training, validation and test.

    Only the noise of test orbits depends on the release, so that every release has the same training data.
    """
    size = spec.noise * parts[0].flatten(0, 1).std(dim=0)
    trained = seed_generator(spec.seed, "observation noise")
    tested = seed_generator(spec.seed, f"test observation noise of release {spec.release}")
    return [
        part + size * torch.randn(part.shape, dtype=part.dtype, generator=generator)
        for part, generator in zip(parts, (trained, trained, tested), strict=True)
    ]


def _observed(orbits: Tensor, spec: DataSpec) -> Tensor:
    return orbits if spec.observed is None else orbits[..., list(spec.observed)].contiguous()


def _moments(train: Tensor, standardise: str) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation `(D,)` of the training data; zeros and ones for `"none"`."""
    dimension = train.shape[-1]
    if standardise == "none":
        return train.new_zeros(dimension), train.new_ones(dimension)
    values = train.reshape(-1, dimension)
    if standardise == "global":
        return values.mean().expand(dimension).clone(), values.std().expand(dimension).clone()
    return values.mean(dim=0), values.std(dim=0)
