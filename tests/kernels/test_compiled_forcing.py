"""Products of Jacobians under forcing and cuts by kernels, beside plain torch."""

import pytest
import torch
from random_networks import MODELS, by_both
from torch.testing import assert_close

from chaosbench.models import GRU, LSTM, RNN, AlmostLinearRNN, ModelSpec
from chaosbench.theory.forced import forced_exponents, forced_growth
from chaosbench.trainers import ForcingScheme

pytest.importorskip("numba")

FORMS = ("autonomous", "closed_loop")
GATED = [kind(hidden=5, form=form) for kind in (LSTM, GRU) for form in FORMS]
SMALL = [kind(hidden=units, form=form) for kind in (LSTM, GRU) for form in FORMS for units in range(1, 10)]
SMALL += [RNN(hidden=3), AlmostLinearRNN(hidden=6, rectified=2)]
ALPHA = torch.tensor([0.1, 0.3])
SCHEMES = {
    "free": ForcingScheme(16),
    "interval": ForcingScheme(16, 5),
    "kept": ForcingScheme(16, 5, restart="kept"),
    "zero": ForcingScheme(16, 5, restart="zero", warm_up=3),
    "learned": ForcingScheme(16, 5, restart="learned"),
    "random": ForcingScheme(16, probability=0.2),
    "blended": ForcingScheme(16, alpha=ALPHA),
    "both": ForcingScheme(16, 5, alpha=ALPHA),
}


def assert_agree(model, dimension, scheme):
    """Rounding of 1e-16 over 16 steps."""
    draw = torch.randn(2, 3, scheme.warm_up + 17, dimension, generator=torch.Generator().manual_seed(0))
    windows, exponents = draw.double() / 2, min(2, getattr(model, "hidden", 2))  # others are -inf up to rounding
    for compute in (
        lambda: forced_growth(model, windows, scheme).values,
        lambda: forced_exponents(model, windows, scheme, exponents=exponents),
    ):
        assert_close(*by_both(compute), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
@pytest.mark.parametrize("spec", [*MODELS, *GATED], ids=lambda spec: spec.label)
def test_growth_and_exponents_under_forcing_agree_with_plain_torch(spec: ModelSpec, scheme):
    assert_agree(spec.build(3, range(2)).double(), 3, scheme)


@pytest.mark.usefixtures("memory_of_nan")
@pytest.mark.parametrize("spec", SMALL, ids=lambda spec: spec.label)
def test_all_small_sizes_agree_with_plain_torch_whatever_memory_holds(spec: ModelSpec):
    model = spec.build(1, range(2)).double()
    for name in ("interval", "zero", "blended"):
        assert_agree(model, 1, SCHEMES[name])
