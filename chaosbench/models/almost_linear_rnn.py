"""The almost-linear recurrent network, and the symbolic dynamics of its linear regions."""

from collections.abc import Sequence
from typing import Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from typing_extensions import override

from chaosbench.models.base import ModelSpec
from chaosbench.models.forecaster import Forecaster, Trait
from chaosbench.models.piecewise_linear import Coefficients, PiecewiseLinearNetwork, stable_diagonal
from chaosbench.models.readouts import ReadoutKind, build_readout, too_few_units
from chaosbench.models.weights import normal, weight_generators, zeros

_MOST_REGIONS = 256  # with more, shares and transitions are not reported


class AlmostLinearRNN(ModelSpec):
    """z' = A z + W phi(z) + h, phi is the identity on the first M - P units, relu on the last P; x = the first D units.

    There are at most 2^P linear regions; their visits and transitions are recorded with every run, see `symbols`.
    Published for Lorenz-63: M = 20, P = 2, identity read-out with learned initial state, forced every 16 steps. A
    starts as the diagonal of K / rho(K) of Talathi and Vartak 2015, W normal with standard deviation 0.01, h at zero.

    Source:
        Brenner, Hemmer, Monfared and Durstewitz 2024, NeurIPS (2410.14240).
    """

    kind: Literal["almost_linear_rnn"] = "almost_linear_rnn"
    hidden: int = Field(20, ge=1)  # M, units
    rectified: int = Field(2, ge=0, le=62)  # P, units with a relu
    readout: ReadoutKind = "identity"

    @model_validator(mode="after")
    def _check_rectified(self) -> Self:
        if self.rectified > self.hidden:
            raise ValueError(
                f"rectified = {self.rectified} exceeds hidden = {self.hidden}; it counts units with a relu"
            )
        return self

    @override
    def incompatibility(self, dimension: int) -> str | None:
        return too_few_units(self.hidden, dimension)

    @override
    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        return AutonomousAlmostLinearRNN(self, dimension, seeds)


class AutonomousAlmostLinearRNN(PiecewiseLinearNetwork):
    """The K networks of `AlmostLinearRNN`: W1 = W, W2 = 1, phi(z) = max(z, floor) with a floor of -inf or 0."""

    def __init__(self, spec: AlmostLinearRNN, dimension: int, seeds: Sequence[int]) -> None:
        super().__init__()
        hidden = spec.hidden
        self.seeds, self.dimension, self.state_size, self.rectified = len(seeds), dimension, hidden, spec.rectified
        generators = weight_generators(seeds)
        self.diagonal = nn.Parameter(torch.stack([stable_diagonal(hidden, generator) for generator in generators]))
        self.weight = normal(generators, hidden, hidden, scale=0.01)
        self.bias = zeros(generators, 1, hidden)
        self.readout = build_readout(spec.readout, generators, dimension, hidden)
        self.resets = self.readout.resets
        floor = torch.zeros(1, 1, hidden)
        floor[..., : hidden - spec.rectified] = -torch.inf
        self.floor: Tensor
        self.register_buffer("floor", floor, persistent=False)

    @override
    def coefficients(self) -> Coefficients:
        """Return the parameters themselves."""
        return Coefficients(self.diagonal, self.weight.mT, None, self.bias, None, floor=self.floor)

    @override
    def describe_dynamics(self, states: Tensor) -> dict[str, Trait]:
        """Report the number of visited linear regions, and the entropies of symbols and of transitions.

        If bounded runs visit at most 256 regions, also report these, their shares and their transitions.
        """
        path, bounded = symbols(states, self.rectified), states.isfinite().flatten(1).all(dim=1)
        regions = torch.unique(path[bounded])
        shares = path.new_full((self.seeds, len(regions)), torch.nan, dtype=torch.float64)
        transitions = shares.unsqueeze(-1).repeat(1, 1, len(regions))
        symbol_entropy, transition_entropy = shares.new_full((2, self.seeds), torch.nan)
        for k in bounded.nonzero().flatten().tolist():
            shares[k], transitions[k] = region_shares(path[k], regions), transition_matrix(path[k], regions)
            # Over the seed's own regions: on a GPU the zeros of regions that others visit would change the rounding.
            own = shares[k] > 0
            symbol_entropy[k] = entropy(shares[k, own])
            transition_entropy[k] = (shares[k, own] * entropy(transitions[k][own][:, own])).sum()
        visited = (shares > 0).sum(dim=1).double()
        traits = {
            "visited_regions": Trait(torch.where(bounded, visited, torch.nan)),
            "symbol_entropy": Trait(symbol_entropy, "nats"),
            "transition_entropy": Trait(transition_entropy, "nats / step"),
        }
        if 0 < len(regions) <= _MOST_REGIONS:
            traits["regions"] = Trait(regions.repeat(self.seeds, 1))
            traits |= {"region_shares": Trait(shares), "transitions": Trait(transitions)}
        return traits


def symbols(states: Tensor, rectified: int) -> Tensor:
    """Return the symbol of each state: the signs of the last P units, read as a binary number.

    Args:
        states: `(..., M)`.
        rectified: P.

    Returns:
        `(...)`, integers from 0 to 2^P - 1; bit p is 1 if unit M - P + p is positive.
    """
    active = states[..., states.shape[-1] - rectified :] > 0
    return (active.long() << torch.arange(rectified, device=states.device)).sum(dim=-1)


def visited_regions(symbols: Tensor) -> tuple[Tensor, Tensor]:
    """Return the symbols that occur, ascending, and their counts, `(R,), (R,)`."""
    regions, visits = torch.unique(symbols, return_counts=True)
    return regions, visits


def region_shares(symbols: Tensor, regions: Tensor) -> Tensor:
    """Return the share of states in each region, `(..., T), (R,) -> (R,)`; `regions` must hold all that occur."""
    indices = torch.searchsorted(regions, symbols.flatten())
    return torch.bincount(indices, minlength=len(regions)).double() / len(indices)


def transition_matrix(symbols: Tensor, regions: Tensor | None = None) -> Tensor:
    """Estimate the probabilities of transitions between regions.

    Args:
        symbols: `(..., T)`, of orbits of one model.
        regions: `(R,)`, ascending, with at least all that occur; None: those that occur.

    Returns:
        `(R, R)`; row i, column j: the probability that region j follows region i. A row sums to one, or to zero if its
        region is never visited or only at the end of orbits.
    """
    regions = torch.unique(symbols) if regions is None else regions
    indices = torch.searchsorted(regions, symbols.contiguous())
    pairs = (indices[..., :-1] * len(regions) + indices[..., 1:]).flatten()
    counts = torch.bincount(pairs, minlength=len(regions) ** 2).view(len(regions), -1).double()
    return counts / counts.sum(dim=1, keepdim=True).clamp_min(1)


def entropy(probabilities: Tensor) -> Tensor:
    """Compute -sum p ln p over the last axis, `(..., R) -> (...)` [nats].

    The mean over the rows of a transition matrix, weighted by visits, is the entropy rate [nats / step].

    Source:
        Shannon 1948, Bell System Technical Journal 27, 379, section 7.
    """
    total: Tensor = torch.special.entr(probabilities).sum(dim=-1)  # unlike -xlogy, gives 0 for p = 1, not -0
    return total
