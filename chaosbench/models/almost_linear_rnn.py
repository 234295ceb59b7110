"""The almost-linear network, and the symbolic dynamics of its linear regions."""

from collections.abc import Sequence
from typing import Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from typing_extensions import override

from chaosbench.models.base import ModelSpec
from chaosbench.models.forecaster import Forecaster, Trait
from chaosbench.models.piecewise_linear import Coefficients, PiecewiseLinear, stable_diagonal
from chaosbench.models.readouts import ReadoutKind, readout
from chaosbench.models.weights import normal, weight_generators, zeros

_TOLD = 256  # regions at most, of which shares and transitions are kept


class AlmostLinearRNN(ModelSpec):
    """z' = A z + W phi(z) + h, phi the identity on the first M - P units and relu on the last P; x = the first D units.

    At most 2^P linear regions, whose visits and transitions are recorded with every run; see `symbols`. Published
    for Lorenz-63: M = 20, P = 2, identity read-out with learned initial state, forced every 16 steps. A starts as the
    diagonal of K / rho(K) of Talathi and Vartak 2015, W normal with standard deviation 0.01, h at zero.

    Source:
        Brenner, Hemmer, Monfared and Durstewitz 2024, NeurIPS (2410.14240).
    """

    kind: Literal["almost_linear_rnn"] = "almost_linear_rnn"
    hidden: int = Field(20, ge=1)  # M, units
    rectified: int = Field(2, ge=0, le=62)  # P, units behind a relu
    readout: ReadoutKind = "identity"

    @model_validator(mode="after")
    def _check_rectified(self) -> Self:
        if self.rectified > self.hidden:
            raise ValueError(f"{self.rectified} units cannot be rectified of {self.hidden}; give at most all")
        return self

    @override
    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        return AlmostLinearNetwork(self, dimension, seeds)


class AlmostLinearNetwork(PiecewiseLinear):
    """The K networks of `AlmostLinearRNN`: W1 = W, W2 = 1, phi(z) = max(z, floor) with a floor of -inf, or 0."""

    def __init__(self, spec: AlmostLinearRNN, dimension: int, seeds: Sequence[int]) -> None:
        super().__init__()
        hidden = spec.hidden
        self.seeds, self.dimension, self.state_size, self.rectified = len(seeds), dimension, hidden, spec.rectified
        generators = weight_generators(seeds)
        self.diagonal = nn.Parameter(torch.stack([stable_diagonal(hidden, generator) for generator in generators]))
        self.weight = normal(generators, hidden, hidden, scale=0.01)
        self.bias = zeros(generators, 1, hidden)
        self.readout = readout(spec.readout, generators, dimension, hidden)
        self.resets = self.readout.resets
        floor = torch.zeros(1, 1, hidden)
        floor[..., : hidden - spec.rectified] = -torch.inf
        self.floor: Tensor
        self.register_buffer("floor", floor, persistent=False)

    def coefficients(self) -> Coefficients:
        """The parameters as they are."""
        return Coefficients(self.diagonal, self.weight.mT, None, self.bias, None, floor=self.floor)

    def portrait(self, states: Tensor) -> dict[str, Trait]:
        """Its linear regions: how many are visited, and the entropies of the symbols and of their transitions.

        The regions that any bounded run visits, their shares and transitions are told, too, if they are at most 256.
        """
        path, bounded = symbols(states, self.rectified), states.isfinite().flatten(1).all(dim=1)
        regions = torch.unique(path[bounded])
        shares = path.new_full((self.seeds, len(regions)), torch.nan, dtype=torch.float64)
        transitions = shares.unsqueeze(-1).repeat(1, 1, len(regions))
        for k in bounded.nonzero().flatten().tolist():
            shares[k], transitions[k] = region_shares(path[k], regions), transition_matrix(path[k], regions)
        visited = (shares > 0).sum(dim=1).double()
        told = {
            "visited_regions": Trait(torch.where(bounded, visited, torch.nan)),
            "symbol_entropy": Trait(torch.where(bounded, entropy(shares), torch.nan), "nats"),
            "transition_entropy": Trait(
                torch.where(bounded, (shares * entropy(transitions)).sum(dim=1), torch.nan), "nats / step"
            ),
        }
        if 0 < len(regions) <= _TOLD:
            told["regions"] = Trait(regions.repeat(self.seeds, 1))
            told |= {"region_shares": Trait(shares), "transitions": Trait(transitions)}
        return told


def symbols(states: Tensor, rectified: int) -> Tensor:
    """The symbol of each state: which of the last P units are positive, read as a binary number.

    Args:
        states: `(..., M)`.
        rectified: P.

    Returns:
        `(...)`, integers from 0 to 2^P - 1; bit p is that of unit M - P + p.
    """
    active = states[..., states.shape[-1] - rectified :] > 0
    return (active.long() << torch.arange(rectified, device=states.device)).sum(dim=-1)


def visited_regions(symbols: Tensor) -> tuple[Tensor, Tensor]:
    """The symbols that occur, ascending, and how often each does, `(R,), (R,)`."""
    regions, visits = torch.unique(symbols, return_counts=True)
    return regions, visits


def region_shares(symbols: Tensor, regions: Tensor) -> Tensor:
    """The share of the states that lies in each of these regions, which must be all that occur, `(..., T) -> (R,)`."""
    places = torch.searchsorted(regions, symbols.flatten())
    return torch.bincount(places, minlength=len(regions)).double() / len(places)


def transition_matrix(symbols: Tensor, regions: Tensor | None = None) -> Tensor:
    """How likely each region is to follow each, `(..., T) -> (R, R)`.

    A row sums to one; to zero where its region is not visited, or only at the end of an orbit.

    Args:
        symbols: of one model's orbits, each in order of time.
        regions: `(R,)` ascending, all that occur among them; None: those of `visited_regions`.
    """
    regions = torch.unique(symbols) if regions is None else regions
    places = torch.searchsorted(regions, symbols.contiguous())
    pairs = (places[..., :-1] * len(regions) + places[..., 1:]).flatten()
    counts = torch.bincount(pairs, minlength=len(regions) ** 2).view(len(regions), -1).double()
    return counts / counts.sum(dim=1, keepdim=True).clamp_min(1)


def entropy(probabilities: Tensor) -> Tensor:
    """-sum p ln p over the last axis [nats]; of the rows of a transition matrix, weighted by visits, the entropy rate.

    Source:
        Shannon 1948, Bell System Technical Journal 27, 379, section 7.
    """
    found: Tensor = torch.special.entr(probabilities).sum(dim=-1)  # not -xlogy, which makes -0 of certainty
    return found
