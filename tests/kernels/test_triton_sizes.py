"""Which networks Triton's kernels take: programs share memory between their warps, and cards differ in it."""

import os

import pytest
import torch

os.environ.setdefault("TRITON_INTERPRET", "1")  # read when the kernels are defined
triton_gated = pytest.importorskip("chaosbench.kernels.triton_gated", exc_type=ImportError)

from chaosbench.kernels import triton_cuda, triton_parts  # noqa: E402
from chaosbench.models import GRU, LSTM, PLRNN, RNN, ModelSpec, ShallowPLRNN  # noqa: E402

HOPPER, ADA, TURING = 232_448, 101_376, 65_536  # compute capability 9.0, 8.9 and 7.5 [bytes of a block]
CUDA = torch.device("cuda", 0)


def taken(spec: ModelSpec, seen: int = 3) -> bool:
    """Return whether the kernels take the networks of a model, but for the memory of a card."""
    model = spec.build(seen, range(2))
    gated = model.gated_network()
    if gated is not None:
        return triton_gated.holds(gated)
    network = model.compiled_network()
    assert network is not None
    return triton_cuda.holds(network)


@pytest.mark.parametrize(
    "of_size",
    [lambda n: LSTM(hidden=n), lambda n: GRU(hidden=n), lambda n: PLRNN(hidden=n), lambda n: RNN(hidden=n),
     lambda n: ShallowPLRNN(hidden=n)],
)  # fmt: skip
def test_networks_of_up_to_64_units_are_taken(of_size):
    assert taken(of_size(64))
    assert not taken(of_size(65))


def test_as_many_observables_count_as_units():
    assert taken(LSTM(hidden=30), seen=64)
    assert not taken(LSTM(hidden=30), seen=65)
    assert not taken(ShallowPLRNN(hidden=30), seen=65)


@pytest.mark.parametrize(
    ("memory", "widest", "needed", "expected"),
    [
        (HOPPER, 64, triton_gated.SHARED["lstm"], True),
        (ADA, 64, triton_gated.SHARED["lstm"], False),
        (ADA, 32, triton_gated.SHARED["lstm"], True),
        (ADA, 33, triton_gated.SHARED["gru"], False),
        (ADA, 64, triton_cuda.SHARED, True),
        (TURING, 64, triton_cuda.SHARED, False),
        (TURING, 32, triton_cuda.SHARED, True),
        (HOPPER, 65, triton_cuda.SHARED, False),
    ],
)
def test_a_card_with_less_memory_takes_smaller_networks(memory, widest, needed, expected, monkeypatch):
    monkeypatch.setattr(triton_parts, "shared_memory", lambda device: memory)
    assert triton_parts.fits(widest, needed, CUDA) == expected
