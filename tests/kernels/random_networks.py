"""Random networks and forcings for tests of kernels."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from chaosbench.kernels import Forcing, GatedNetwork, Network, plain_torch
from chaosbench.models import PLRNN, RNN, AlmostLinearRNN, ShallowPLRNN

SEEDS, UNITS, HIDDEN, SEEN = 2, 7, 11, 3
ACTIVATIONS = ("relu", "tanh", "clipped", "almost_linear")
FORCINGS = ("none", "replaced", "partly replaced", "blended")
# which of A, W1, W2 and the read-out there are
SHAPES = ((True, True, True, True), (True, True, False, False), (False, False, True, True))


def draw(*shape: int, dtype: torch.dtype = torch.float64, scale: float = 0.4) -> Tensor:
    return (torch.randn(*shape, dtype=dtype) * scale).requires_grad_()


def a_network(
    activation: str, shape: tuple[bool, ...], dtype: torch.dtype = torch.float64, *, units: int = UNITS
) -> Network:
    has_diagonal, has_outward, has_inward, has_readout = shape
    hidden = HIDDEN if has_outward and has_inward else units
    sizes = ((has_diagonal, (units,)), (has_outward, (units, hidden)), (has_inward, (hidden, units)))
    sizes += ((True, (units,)), (True, (hidden,)), (has_readout, (SEEN, units)), (has_readout, (SEEN,)))
    tensors = [draw(SEEDS, *size, dtype=dtype) if present else None for present, size in sizes]
    return Network(activation, *tensors, dimension=SEEN if has_readout else min(SEEN, units), rectified=min(2, hidden))


def a_forcing(kind: str, samples: int, steps: int, *, units: int = UNITS) -> Forcing | None:
    if kind == "none":
        return None
    if kind == "blended":
        weights = torch.rand(SEEDS, 1, steps - 1, dtype=torch.float64)
        return Forcing(draw(SEEDS, samples, steps - 1, units), weights)
    return Forcing(draw(SEEDS, samples, (steps - 1) // 3, units if kind == "replaced" else SEEN), interval=3)


def a_gated_network(kind: str, *, fed_back: bool, seeds: int = 2, units: int = 5, seen: int = 3) -> GatedNetwork:
    gates = {"lstm": 4, "gru": 3}[kind]
    shapes = ((gates * units, units), (gates * units,), (units,), (units, units), (seen, units), (seen,))
    present = (True, True, kind == "gru", kind == "gru" and fed_back, True, fed_back)
    scale = 1.3 * units**-0.5  # gradients over tens of steps neither vanish nor explode
    given = zip(shapes, present, strict=True)
    tensors = [draw(seeds, *shape, scale=scale) if there else None for shape, there in given]
    return GatedNetwork(kind, *tensors)


def outputs_and_gradients(unrolled: tuple[Tensor, Tensor], inputs: list[Tensor]) -> list[Tensor]:
    """Return what was observed, the last state, and the gradients of squared errors that differ from entry to entry."""
    observed, last = unrolled
    target = torch.linspace(-1, 1, observed.numel(), dtype=observed.dtype).view_as(observed)
    errors = (observed - target).square().mean(dim=(1, 2, 3)) + last.square().mean(dim=(1, 2))
    return [observed, last, *torch.autograd.grad(errors.sum(), inputs)]


def by_both(compute: Callable[[], Any]) -> tuple[Any, Any]:
    """Return what kernels compute, and what plain torch does."""
    with plain_torch():
        expected = compute()
    return compute(), expected


MODELS = (
    ShallowPLRNN(hidden=12),
    ShallowPLRNN(hidden=12, clipped=True, states=5),
    PLRNN(hidden=9),
    PLRNN(hidden=9, centred=True, readout="affine"),
    RNN(hidden=9),
    AlmostLinearRNN(hidden=8),
)
