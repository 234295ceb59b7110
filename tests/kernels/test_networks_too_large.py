"""Networks that a kernel cannot hold are unrolled by plain torch, wherever the kernel would be called."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from chaosbench import kernels
from chaosbench.models import GRU, LSTM, PLRNN, AlmostLinearRNN, Forecaster, ModelSpec
from chaosbench.trainers.forcing import blended_error, forced_error, forced_unroll
from chaosbench.trainers.mixed_forcing import mixed_error, mixed_weights

SEEDS, SEEN, STEPS = 2, 3, 12
INTERVALS = torch.tensor([3, 5])
SPECS: list[ModelSpec] = [
    PLRNN(hidden=4), AlmostLinearRNN(hidden=5, rectified=2), LSTM(hidden=4), LSTM(hidden=4, form="closed_loop"),
    GRU(hidden=4), GRU(hidden=4, form="closed_loop"),
]  # fmt: skip


class TooSmall:
    """A backend that holds no network and has nothing else."""

    def __init__(self) -> None:
        self.asked = 0

    def holds(self, network: object) -> bool:
        self.asked += 1
        return False


def _weights() -> Tensor:
    return torch.linspace(0, 1, STEPS - 1).expand(SEEDS, 1, -1)


USES: dict[str, Callable[[Forecaster, Tensor], Tensor]] = {
    "predict": lambda model, windows: model.predict(model.initial_state(windows[:, :, :1]), STEPS)[0],
    "forced unroll": lambda model, windows: forced_unroll(model, windows, 5),
    "forced error": lambda model, windows: forced_error(model, windows, 5),
    "blended error": lambda model, windows: blended_error(model, windows, _weights()),
    "mixed error": lambda model, windows: mixed_error(model, windows, (3, 5), mixed_weights(INTERVALS, STEPS).float()),
}


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.label)
def test_a_network_that_no_kernel_holds_is_unrolled_by_plain_torch(spec: ModelSpec, monkeypatch: pytest.MonkeyPatch):
    """To rounding, since other kernels still read states out; calling this backend would be an AttributeError."""
    windows = torch.randn(SEEDS, 2, STEPS + 1, SEEN, generator=torch.Generator().manual_seed(0))
    model, backend = spec.build(SEEN, range(SEEDS)), TooSmall()
    with kernels.plain_torch():
        expected = {name: use(model, windows) for name, use in USES.items()}
    for name in ("backend_for", "comparing_backend_for", "gated_backend_for", "gated_comparing_backend_for"):
        monkeypatch.setattr(kernels, name, lambda *_: backend)
    for name, use in USES.items():
        torch.testing.assert_close(use(model, windows), expected[name], msg=lambda text, name=name: f"{name}: {text}")
    assert backend.asked
