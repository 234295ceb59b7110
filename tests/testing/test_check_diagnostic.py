"""The conformance check of diagnostics passes every registered diagnostic and fails every broken one."""

from typing import Any

import pytest
import torch
from registered_kinds import KNOWN

from chaosbench.diagnostics import DiagnosticSpec, GradientNorm
from chaosbench.testing import check_diagnostic


@pytest.mark.parametrize("kind", KNOWN["diagnostic"])
def test_every_diagnostic_passes(kind: str):
    cls: Any = KNOWN["diagnostic"][kind]
    short = {"horizon": 32, "steps": 40, "transient": 10, "conditions": 2}
    check_diagnostic(cls(**{name: value for name, value in short.items() if name in cls.model_fields}))


class ZeroesGradients(GradientNorm):
    def measure(self, step):
        norms = super().measure(step).clone()
        step.model.zero_grad()
        return norms


class NudgesWeights(GradientNorm):
    def measure(self, step):
        with torch.no_grad():
            for parameter in step.model.parameters():
                parameter.mul_(1 + 1e-6)
        return super().measure(step)


class DrawsFromGlobalState(GradientNorm):
    def measure(self, step):
        return super().measure(step) + 0 * torch.rand(())


class DrawsWindowsOfTheTraining(GradientNorm):
    """Takes the next window from the generators of the training, which then trains on other windows."""

    def measure(self, step):
        step.training.starts.draw(4, 10, step.loss.device)
        return super().measure(step)


class OneNumberForAllSeeds(GradientNorm):
    def measure(self, step):
        return super().measure(step).mean()


class DividesByTheMeanOverSeeds(GradientNorm):
    def measure(self, step):
        return super().measure(step) / super().measure(step).mean()


class Infinite(GradientNorm):
    def measure(self, step):
        return super().measure(step) / 0


class Counts(GradientNorm):
    def measure(self, step):
        return torch.arange(len(step.loss))


class IgnoresTheInterval(GradientNorm):
    def due(self, step):
        return True


class WithoutUnit(GradientNorm):
    unit = ""


class Remembers(GradientNorm):
    def measure(self, step):
        calls.append(step.update)
        return super().measure(step) + len(calls)


calls: list[int] = []


@pytest.mark.parametrize(
    ("diagnostic", "words"),
    [
        (ZeroesGradients, ["neither weights nor gradients", "gradient of", "copies"]),
        (NudgesWeights, ["neither weights nor gradients", "deviation"]),
        (DrawsFromGlobalState, ["global random state", "torch", "generator"]),
        (DrawsWindowsOfTheTraining, ["losses of training must not change", "deviation"]),
        (OneNumberForAllSeeds, ["(3,)", "()"]),
        (DividesByTheMeanOverSeeds, ["alone and beside others", "deviation"]),
        (Infinite, ["finite", "3 of 3"]),
        (Counts, ["floating-point", "torch.int64"]),
        (IgnoresTheInterval, ["[1, 2, 4, 5]", "[1, 2, 3, 4, 5]", "`every`"]),
        (WithoutUnit, ["`unit`"]),
        (Remembers, ["equal updates", "deviation", "state"]),
    ],
)
def test_a_broken_diagnostic_fails_with_the_promise_that_it_breaks(diagnostic: type[DiagnosticSpec], words: list[str]):
    with pytest.raises(AssertionError) as raised:
        check_diagnostic(diagnostic())
    assert [word for word in words if word not in str(raised.value)] == []
