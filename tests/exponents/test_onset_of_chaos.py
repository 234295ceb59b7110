"""The logistic map where its period doublings accumulate, and a little beyond."""

import time

import pytest
import torch

from chaosbench.dynamics import find_attractors, follow, orbit
from chaosbench.exponents import certify
from chaosbench.systems import Logistic
from chaosbench.systems.attractors import attractors, stretch

# Briggs 1991, Mathematics of Computation 57, 435: where the period doublings of the logistic map accumulate, and the
# ratio of the distances between them.
ACCUMULATION, FEIGENBAUM = 3.5699456718709449, 4.6692016091


def test_the_limit_of_period_doublings_is_the_onset_of_chaos():
    certificate = certify(Logistic(r=ACCUMULATION), budget=1.0, clock=time.process_time)
    assert certificate.regime == "onset of chaos"
    assert certificate.predictability_steps is None


def behind_transient(system: Logistic, *, orbits: int) -> torch.Tensor:
    states = system.random_starts(orbits, torch.Generator().manual_seed(0)).double()
    return orbit(system, states, steps=20_000)[:, -1]


@pytest.mark.parametrize("blocks", [5, 10, 90])
def test_tangents_that_grow_in_bursts_make_no_attractors_of_their_own(blocks):
    """In 26,280 steps at the onset of chaos, tangents of orbits grow between 0 and 7 nats, by when the bursts begin."""
    system = Logistic(r=ACCUMULATION)
    states = behind_transient(system, orbits=512)
    ensemble = follow(system, states, block_steps=65_700 // blocks, blocks=blocks, every=5)
    paths = [stretch(system, ensemble.starts, longest=500), stretch(system, ensemble.states, longest=1000)]
    found, _ = find_attractors(ensemble, paths, continuous=False, neutral=0)
    assert [one.regime for one in found] == ["onset of chaos"]


def test_beyond_the_limit_of_doublings_exponents_double_with_feigenbaum_s_ratio():
    """Huberman & Rudnick 1980, Physical Review Letters 45, 154: halved bands carry half the exponent."""
    exponents = []
    for distance in (1e-4, 1e-4 / FEIGENBAUM):
        system = Logistic(r=ACCUMULATION + distance)
        found, _ = attractors(system, behind_transient(system, orbits=256), steps=20_000)
        assert [one.regime for one in found] == ["chaotic"]
        exponents.append(float(found[0].exponents[0]))
    assert exponents[0] / exponents[1] == pytest.approx(2.0, rel=0.02)
