"""The gated recurrent unit, autonomous or in closed loop."""

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from chaosbench import kernels
from chaosbench.kernels import GatedMap, GatedNetwork
from chaosbench.models.base import ModelSpec
from chaosbench.models.closed_loop import ClosedLoopNetwork, Form
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.inheritance import still_holds
from chaosbench.models.readouts import LinearReadout, ReadoutForecaster
from chaosbench.models.weights import multiply_tangents, uniform, weight_generators


class GRU(ModelSpec):
    """h' = (1 - u) n + u h with gates r, u of h and n = tanh(a + r (W h + b)); x = B h, forced by h = B⁺ x.

    Closed loop: gates and candidate n receive V x as well, and x' = B h' + d. Published for chaotic data: M = 30. All
    weights start uniform in +-1 / sqrt(M) and the reset gate r acts after the product W h, both as in torch. The gates
    have one bias in place of torch's two, which halves its steps under Adam and its initial variance; n has a and b.

    Source:
        Cho et al. 2014, EMNLP (1406.1078); autonomous form: Mikhaeil, Monfared and Durstewitz 2022, NeurIPS, whose
        theorems cover it.
    """

    kind: Literal["gru"] = "gru"
    hidden: int = Field(30, ge=1)  # M, units
    form: Form = "autonomous"  # without input, or with its own output as input

    @override
    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        network = AutonomousGRU if self.form == "autonomous" else ClosedLoopGRU
        return network(self.hidden, dimension, seeds)


class AutonomousGRU(ReadoutForecaster):
    """The K autonomous networks of `GRU`; S = M.

    Without a compiled kernel `predict` is a loop over steps: torch.gru for K seeds takes twice as long on a CPU.
    """

    resets = True
    readout: LinearReadout

    def __init__(self, hidden: int, dimension: int, seeds: Sequence[int]) -> None:
        super().__init__()
        self.seeds, self.dimension, self.state_size, self.hidden = len(seeds), dimension, hidden, hidden
        generators = weight_generators(seeds)
        self.weight = uniform(generators, 3 * hidden, hidden, bound=hidden**-0.5)  # r, u, n
        self.bias = uniform(generators, 1, 3 * hidden, bound=hidden**-0.5)  # of the gates, and a
        self.candidate_bias = uniform(generators, 1, hidden, bound=hidden**-0.5)  # b, multiplied by the reset gate
        self.readout = LinearReadout(generators, dimension, hidden)

    @override
    def step(self, state: Tensor) -> Tensor:
        """(1 - u) n + u h."""
        return gru_step(torch.bmm(state, self.weight.mT), self.bias, self.candidate_bias, state)

    @override
    def predict(self, state: Tensor, steps: int) -> tuple[Tensor, Tensor]:
        """Call one compiled kernel for all seeds and steps where there is one."""
        backend = kernels.gated_backend_for(state, steps)
        network = None if backend is None or not still_holds(type(self), "predict") else self.gated_network()
        if backend is None or network is None or not kernels.holds(backend, network):
            return super().predict(state, steps)
        return kernels.unroll(backend, network, state, steps)

    @override
    def gated_network(self) -> GatedNetwork | None:
        if not still_holds(type(self), "gated_network") or not still_holds(type(self.readout), "affine_map"):
            return None
        coefficients = self.weight, self.bias.squeeze(1), self.candidate_bias.squeeze(1), None
        return GatedNetwork("gru", *coefficients, *self.readout.affine_map())

    @override
    def tangent_network(self) -> GatedMap | None:
        """The weights of gates and candidate; None if a subclass has another step."""
        biases = self.bias[:, 0], self.candidate_bias[:, 0]
        return GatedMap("gru", self.weight, *biases) if self.tangents_hold() else None

    @override
    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """Apply the product rule to gates and candidate."""
        arguments = (torch.bmm(state, self.weight.mT), self.bias, self.candidate_bias, state)
        return gru_tangents(arguments, (multiply_tangents(self.weight, tangents), None, tangents))


class ClosedLoopGRU(ClosedLoopNetwork):
    """The K closed-loop networks of `GRU`; the hidden state is h."""

    def __init__(self, hidden: int, dimension: int, seeds: Sequence[int]) -> None:
        generators = weight_generators(seeds)
        super().__init__(generators, dimension, hidden=hidden, hidden_state_size=hidden)
        self.weight = uniform(generators, 3 * hidden, hidden, bound=hidden**-0.5)  # r, u, n
        self.drive = uniform(generators, 3 * hidden, dimension, bound=hidden**-0.5)
        self.bias = uniform(generators, 1, 3 * hidden, bound=hidden**-0.5)
        self.candidate_bias = uniform(generators, 1, hidden, bound=hidden**-0.5)

    @override
    def advance(self, derived: tuple[Tensor, ...], hidden_state: Tensor, input_term: Tensor) -> Tensor:
        """(1 - u) n + u h."""
        return gru_step(torch.bmm(hidden_state, self.weight.mT), input_term, self.candidate_bias, hidden_state)

    @override
    def predict(self, state: Tensor, steps: int) -> tuple[Tensor, Tensor]:
        """Take one step, then call a compiled kernel where there is one: from there on the input is C h + d.

        Gates absorb V C into W. In the candidate the reset gate multiplies W h, but not V x, so V C stays apart.
        """
        backend = kernels.gated_backend_for(state, steps - 1)
        holds = still_holds(type(self), "predict") and still_holds(type(self.readout), "affine_map")
        if backend is None or not holds:
            return super().predict(state, steps)
        network = self._fed_back()
        if not kernels.holds(backend, network):
            return super().predict(state, steps)
        hidden_state, output = self.split_state(self.step(state))
        following, hidden_state = kernels.unroll(backend, network, hidden_state, steps - 1)
        observed = torch.cat([output.unsqueeze(-2), following], dim=-2)
        return observed, torch.cat([hidden_state, observed[..., -1, :]], dim=-1)

    def _fed_back(self) -> GatedNetwork:
        """Return the network without input that its own output makes of it."""
        gates, feedback = 2 * self.hidden, torch.bmm(self.drive, self.readout.weight)
        weight = torch.cat([self.weight[:, :gates] + feedback[:, :gates], self.weight[:, gates:]], dim=1)
        bias = torch.baddbmm(self.bias, self.readout.bias, self.drive.mT)
        biases = bias[:, 0], self.candidate_bias[:, 0]
        return GatedNetwork("gru", weight, *biases, feedback[:, gates:], *self.readout.affine_map())

    @override
    def advance_tangents(
        self,
        derived: tuple[Tensor, ...],
        hidden_state: Tensor,
        input_term: Tensor,
        tangents: tuple[Tensor, Tensor],
    ) -> tuple[Tensor, Tensor]:
        """Apply the product rule to gates and candidate."""
        arguments = (torch.bmm(hidden_state, self.weight.mT), input_term, self.candidate_bias, hidden_state)
        dhidden_state, dinput_term = tangents
        return gru_tangents(arguments, (multiply_tangents(self.weight, dhidden_state), dinput_term, dhidden_state))

    @override
    def tangent_network(self) -> GatedMap | None:
        """The whole step, output included; None if a subclass has another one."""
        if not self.tangents_hold() or not still_holds(type(self.readout), "affine_map"):
            return None
        biases = self.bias[:, 0], self.candidate_bias[:, 0]
        return GatedMap("gru", self.weight, *biases, self.drive, *self.readout.affine_map())


def gru_step(recurrent: Tensor, input_term: Tensor, candidate_bias: Tensor, hidden: Tensor) -> Tensor:
    """Return h' = (1 - u) n + u h, with gates r and u and candidate n from the sum of recurrent and input term.

    Args:
        recurrent: W h for r, u, n, `(K, B, 3 M)`.
        input_term: V x and biases for r, u, n, `(K, B or 1, 3 M)`.
        candidate_bias: b, `(K, 1, M)`.
        hidden: h, `(K, B, M)`.
    """
    u, n, _ = _gates(recurrent, input_term, candidate_bias)
    return torch.lerp(n, hidden, u)


def gru_tangents(
    arguments: tuple[Tensor, Tensor, Tensor, Tensor], tangents: tuple[Tensor, Tensor | None, Tensor]
) -> tuple[Tensor, Tensor]:
    """Return `gru_step` and its derivative.

    Args:
        arguments: the four arguments of `gru_step`.
        tangents: of W h, `(K, B, 3 M, .)`; of the input term, or None if constant; of h, `(K, B, M, .)`.

    Returns:
        h', `(K, B, M)`, and its tangents, `(K, B, M, .)`.
    """
    (recurrent, input_term, candidate_bias, hidden), (drecurrent, dinput_term, dhidden) = arguments, tangents
    u, n, (r, candidate_term) = _gates(recurrent, input_term, candidate_bias)
    (dr, du, dcandidate_term), dn = drecurrent.chunk(3, dim=-2), torch.zeros_like(dhidden)
    if dinput_term is not None:
        dr_input, du_input, dn = dinput_term.chunk(3, dim=-2)
        dr, du = dr + dr_input, du + du_input
    dn = dn + (candidate_term * r * (1 - r)).unsqueeze(-1) * dr + r.unsqueeze(-1) * dcandidate_term
    dn = (1 - n.square()).unsqueeze(-1) * dn
    du = ((hidden - n) * u * (1 - u)).unsqueeze(-1) * du
    return torch.lerp(n, hidden, u), dn + u.unsqueeze(-1) * (dhidden - dn) + du


def _gates(
    recurrent: Tensor, input_term: Tensor, candidate_bias: Tensor
) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
    """Return u, n, and the two factors inside n: r and W h + b."""
    size = candidate_bias.shape[-1]
    r, u = torch.sigmoid(recurrent[..., : 2 * size] + input_term[..., : 2 * size]).chunk(2, dim=-1)
    candidate_term = recurrent[..., 2 * size :] + candidate_bias
    return u, torch.tanh(torch.addcmul(input_term[..., 2 * size :], r, candidate_term)), (r, candidate_term)
