"""Loops over models, replayed by a stand-in for CUDA graphs, give exactly what ordinary calls give."""

import pytest
import torch
from operation_recorder import OperationRecorder
from torch.testing import assert_close

from chaosbench import kernels, models
from chaosbench.dynamics import finite_time_exponents, jacobian_growth, log_spaced, orbit
from chaosbench.dynamics.replay import recording_by
from chaosbench.theory.forced import forced_exponents, forced_growth
from chaosbench.trainers import ForcingScheme

SPECS = [
    models.RNN(hidden=7),
    models.RNN(hidden=7, form="closed_loop"),
    models.GRU(hidden=6),
    models.LSTM(hidden=6),
    models.LSTM(hidden=6, form="closed_loop"),
    models.PLRNN(hidden=7),
    models.AlmostLinearRNN(hidden=6),
    models.ShallowPLRNN(hidden=9),
    models.DendriticPLRNN(hidden=5),
    models.LEM(hidden=5),
    models.CoRNN(hidden=5),
    models.UnICORNN(hidden=5),
    models.LinOSS(hidden=5),
    models.LiquidTimeConstant(hidden=5),
    models.OrthogonalRNN(hidden=5, negative=2),
    models.NeuralODE(hidden=5),
    models.EchoStateNetwork(hidden=20),
]


@torch.no_grad()
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.label)
def test_replayed_loops_over_a_model_are_those_of_ordinary_calls(spec):
    model = spec.build(3, [0, 1])
    history = torch.randn(2, 3, 100, 3, generator=torch.Generator().manual_seed(0)) / 2
    count = min(3, model.state_size)

    def everything():
        state = model.initial_state(history)
        with kernels.plain_torch():
            observed, last = model.predict(state, 60)
        return {
            "initial state": state,
            "forecast": observed,
            "last state": last,
            "states": model.unroll(state, 50),
            "orbit": orbit(model, state, steps=30, transient=30, every=2),
            "exponents": finite_time_exponents(model, state, steps=60, blocks=2, transient=40, exponents=count),
            "growth": jacobian_growth(model, state, steps=200, horizons=log_spaced(200)),
        }

    assert_replayed(everything)


@torch.no_grad()
@pytest.mark.parametrize(
    "spec", [models.RNN(hidden=7), models.AlmostLinearRNN(hidden=6), models.LSTM(form="closed_loop")]
)
@pytest.mark.parametrize(
    "scheme",
    [
        ForcingScheme(60, 7),
        ForcingScheme(60, 7, restart="zero", warm_up=3),
        ForcingScheme(60, 7, restart="learned"),
        ForcingScheme(60, probability=0.1),
        ForcingScheme(60, alpha=torch.tensor([0.1, 0.3])),
    ],
    ids=["interval", "zero", "learned", "random", "blended"],
)
def test_replayed_products_under_forcing_are_those_of_ordinary_calls(spec, scheme):
    model = spec.build(3, [0, 1])
    windows = torch.randn(2, 3, 64, 3, generator=torch.Generator().manual_seed(0)) / 2
    with kernels.plain_torch():
        assert_replayed(
            lambda: {
                "growth": forced_growth(model, windows, scheme).values,
                "exponents": forced_exponents(model, windows, scheme, exponents=2),
            }
        )


def assert_replayed(everything):
    expected, recorder = everything(), OperationRecorder()
    with recording_by(lambda tensors: recorder):
        found = everything()
    assert recorder.replayed > 0
    assert_close(found, expected, rtol=0, atol=0, equal_nan=True)
