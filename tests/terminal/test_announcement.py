"""The first lines of a run."""

from pathlib import Path

import pytest

from chaosbench.execution import Placement, Plan
from chaosbench.experiment import Experiment
from chaosbench.models import RNN
from chaosbench.systems import Lorenz63
from chaosbench.terminal import campaign
from chaosbench.trainers import BPTT

NEEDS = Plan(seconds=60.0, alone=60.0, spread=0.5, experience=1, memory=2**28, together=2**28, disk=2**20)


@pytest.mark.parametrize(("compiles", "device", "expected"), [(False, "cpu", 1), (True, "cpu", 0), (False, "cuda", 0)])
def test_a_run_without_numba_on_a_cpu_says_so_once(compiles, device, expected, monkeypatch, capsys):
    monkeypatch.setattr(campaign, "compiles_for_cpu", lambda: compiles)
    monkeypatch.setattr(campaign, "_titles", lambda experiments: ["one"])
    monkeypatch.setattr(campaign, "_NOUNS", ())
    one = Experiment(suite="one", system=Lorenz63(), metrics=(), model=RNN(), trainer=BPTT(), seeds=(1, 2))
    campaign.announce([one], [(one,)], Path("results"), Placement(device, 1), NEEDS)
    assert sum("numba" in line for line in capsys.readouterr().out.splitlines()) == expected
