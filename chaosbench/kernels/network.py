"""The arguments of a fast unroll: the coefficients of K networks, and how data force them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

Activation = Literal["relu", "tanh", "clipped", "almost_linear"]


@dataclass(frozen=True)
class Network:
    """K networks z' = A z + W1 phi(W2 z + h2) + h1, observed as x = C z + d.

    phi(y) is relu(y) or tanh(y); `"clipped"`: relu(y) - relu(y - h2); `"almost_linear"`: relu on the last `rectified`
    units and the identity on the others.

    Attributes:
        diagonal: A, `(K, M)`; None for zero.
        outward: W1, `(K, M, L)`; None for the identity.
        inward: W2, `(K, L, M)`; None for the identity.
        bias: h1, `(K, M)`; None for zero.
        threshold: h2, `(K, L)`; None for zero.
        readout: C, `(K, D, M)`; None for the first D units.
        offset: d, `(K, D)`; None for zero.
        dimension: D.
        rectified: P, for `"almost_linear"` alone.
    """

    activation: Activation
    diagonal: Tensor | None
    outward: Tensor | None
    inward: Tensor | None
    bias: Tensor | None
    threshold: Tensor | None
    readout: Tensor | None
    offset: Tensor | None
    dimension: int
    rectified: int = 0

    @property
    def coefficients(self) -> tuple[Tensor | None, ...]:
        """The tensors that have gradients, in the order of `with_coefficients`."""
        return (self.diagonal, self.outward, self.inward, self.bias, self.threshold, self.readout, self.offset)

    @property
    def hidden(self) -> int:
        """L, or M where W1 and W2 are identities."""
        if self.outward is not None:
            return self.outward.shape[-1]
        coefficients = (self.inward, self.threshold, self.diagonal, self.bias)
        sizes = [one.shape[1] for one in coefficients if one is not None]
        assert sizes, "a network needs a coefficient"
        return sizes[0]

    def check(self, states: Tensor) -> None:
        """Assert that the coefficients fit to states `(K, B, M)` in number, size and precision."""
        (seeds, _, units), hidden, seen = states.shape, self.hidden, self.dimension
        sizes = ((units,), (units, hidden), (hidden, units), (units,), (hidden,), (seen, units), (seen,))
        for one, size in zip(self.coefficients, sizes, strict=True):
            if one is not None:
                given, expected = (tuple(one.shape), one.dtype), ((seeds, *size), states.dtype)
                assert given == expected, f"a coefficient is {given}; for states {tuple(states.shape)} it is {expected}"

    def with_coefficients(self, tensors: Sequence[Tensor | None]) -> "Network":
        """Return the same architecture with other coefficients."""
        a, w1, w2, h1, h2, c, d = tensors
        return Network(self.activation, a, w1, w2, h1, h2, c, d, self.dimension, self.rectified)


@dataclass(frozen=True)
class Forcing:
    """The rule by which data set the first N units before steps 1, ..., T - 1; the start is a separate argument.

    Attributes:
        signals: what the units are drawn to, `(K, B, n, N)`: n = T - 1 with `weights`, else the forced steps.
        weights: w in (1 - w) z + w signal, `(K, B or 1, T - 1)`, without gradient; None: the units are replaced.
        interval: tau [steps], where they are replaced, before steps tau, 2 tau, ...
    """

    signals: Tensor
    weights: Tensor | None = None
    interval: int = 1
