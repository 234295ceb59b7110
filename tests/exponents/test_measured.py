import math
import random

import pytest
import torch

from chaosbench.exponents import largest_exponent, measured
from chaosbench.exponents.measured import cached_survey
from chaosbench.files import cache_folder
from chaosbench.systems import Henon, Logistic


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    """Provide an empty cache folder and empty the cache in RAM."""
    monkeypatch.setenv("CHAOSBENCH_CACHE", str(tmp_path / "cache"))
    cached_survey.cache_clear()
    yield tmp_path / "cache"
    cached_survey.cache_clear()


def forbid_computation(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("computed again")

    monkeypatch.setattr(measured, "survey", refuse)


def test_an_exponent_is_computed_once_and_read_by_the_next_process(empty_cache, monkeypatch):
    first = largest_exponent(Henon(a=1.39))
    assert len(list(empty_cache.rglob("*.survey"))) == 1
    cached_survey.cache_clear()
    forbid_computation(monkeypatch)
    assert largest_exponent(Henon(a=1.39)) == first


@pytest.mark.parametrize("damage", [b"", b"{", b'{"exponents": [0.4]}', b"\xff\x00"])
def test_a_damaged_entry_is_computed_again(empty_cache, damage):
    first = largest_exponent(Henon(a=1.39))
    (path,) = empty_cache.rglob("*.survey")
    path.write_bytes(damage)
    cached_survey.cache_clear()
    assert largest_exponent(Henon(a=1.39)) == first
    assert path.read_bytes() != damage
    assert list(empty_cache.rglob(".*")) == []


def test_any_flipped_bit_of_an_entry_is_noticed(empty_cache, monkeypatch):
    largest_exponent(Henon(a=1.39))
    (path,) = empty_cache.rglob("*.survey")
    content = path.read_bytes()
    forbid_computation(monkeypatch)
    draw = random.Random(0)
    for place in draw.sample(range(8 * len(content)), 400):
        changed = bytearray(content)
        changed[place // 8] ^= 1 << place % 8
        path.write_bytes(changed)
        cached_survey.cache_clear()
        with pytest.raises(AssertionError, match="computed again"):
            cached_survey(Henon(a=1.39))


def test_each_equation_and_set_of_parameters_has_its_own_entry(empty_cache):
    class Edited(Henon):
        def step(self, state):
            return super().step(state) * 0.5

    for system in (Henon(a=1.39), Henon(a=1.38), Edited(a=1.39)):
        largest_exponent(system)
    assert len(list(empty_cache.rglob("*.survey"))) == 3


def test_a_folder_that_cannot_be_written_does_not_change_results(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("CHAOSBENCH_CACHE", str(tmp_path / "file"))
    assert largest_exponent(Henon(a=1.39)) > 0.3


def test_the_cache_folder_is_the_chosen_one_or_in_the_cache_of_the_user(monkeypatch, tmp_path):
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("CHAOSBENCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "chaosbench"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "chaosbench"


def test_an_exponent_within_its_tolerance_of_zero_counts_as_zero():
    """The estimate for a rotation is a tiny number of either sign."""
    rotation = torch.tensor([[0.6, -0.8], [0.8, 0.6]], dtype=torch.float64)

    class Turn(Henon):
        def step(self, state):
            return state @ rotation.mT

        def tangent_step(self, state, tangents):
            return self.step(state), rotation @ tangents

    assert largest_exponent(Turn(a=1.0)) == 0


def test_a_stable_point_has_a_negative_exponent():
    """At r = 2.5 the multiplier of the fixed point 1 - 1 / r is 2 - r."""
    assert largest_exponent(Logistic(r=2.5)) == pytest.approx(math.log(0.5), abs=1e-9)
