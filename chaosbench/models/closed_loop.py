"""Input-driven networks that run on their own output."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Generator, Tensor
from typing_extensions import override

from chaosbench.dynamics import Loop, Tensors, iterates, tangent_step_by_jvp
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.readouts import AffineReadout
from chaosbench.models.weights import multiply_tangents

Form = Literal["autonomous", "closed_loop"]


class ClosedLoopNetwork(Forecaster):
    """Input-driven networks whose input is their last output: h' = advance(h, V x + b), x' = C h' + d.

    The state is (h, x), the hidden state and the last output. Forcing replaces x and keeps h, so forced segments are
    not independent. Forcing at every step is plain teacher forcing. The hidden state starts at zero, and a history of
    observations drives it to the state from which the network runs freely.

    Attributes:
        hidden: M, units that are read out; they come first in the hidden state.
        hidden_state_size: entries of the hidden state, S - D.
        drive: V, `(K, G, D)`.
        bias: b, `(K, 1, G)`.
    """

    drive: Tensor
    bias: Tensor

    def __init__(self, generators: Sequence[Generator], dimension: int, *, hidden: int, hidden_state_size: int) -> None:
        super().__init__()
        self.seeds, self.dimension, self.state_size = len(generators), dimension, hidden_state_size + dimension
        self.hidden, self.hidden_state_size, self.first_forced = hidden, hidden_state_size, hidden_state_size
        self.readout = AffineReadout(generators, dimension, hidden)

    @abstractmethod
    def advance(self, derived: tuple[Tensor, ...], hidden_state: Tensor, input_term: Tensor) -> Tensor:
        """Return the next hidden state.

        Args:
            derived: what `derived_parameters` returns.
            hidden_state: h, `(K, B, S - D)`.
            input_term: V x + b, `(K, B, G)`.

        Returns:
            h', `(K, B, S - D)`; its first M units are read out.
        """

    def derived_parameters(self) -> tuple[Tensor, ...]:
        """Compute tensors that `advance` needs and that depend on parameters alone, once per unroll."""
        return ()

    def input_weights(self) -> tuple[Tensor, Tensor]:
        """Return V, `(K, G, D)`, and b, `(K, 1, G)`."""
        return self.drive, self.bias

    def advance_tangents(
        self,
        derived: tuple[Tensor, ...],
        hidden_state: Tensor,
        input_term: Tensor,
        tangents: tuple[Tensor, Tensor],
    ) -> tuple[Tensor, Tensor]:
        """Return the next hidden state and its tangents; by forward-mode differentiation unless overridden.

        Args:
            derived, hidden_state, input_term: as for `advance`.
            tangents: of the hidden state, `(K, B, S - D, M)`, and of the input term, `(K, B, G, M)`.

        Returns:
            h', `(K, B, S - D)`, and its tangents, `(K, B, S - D, M)`.
        """
        sizes = [self.hidden_state_size, input_term.shape[-1]]
        return tangent_step_by_jvp(
            lambda joint: self.advance(derived, *joint.split(sizes, dim=-1)),
            torch.cat([hidden_state, input_term], dim=-1),
            torch.cat(tangents, dim=-2),
        )

    def output(self, hidden_state: Tensor, last_output: Tensor) -> Tensor:
        """Return the output of a new hidden state, `(K, B, S - D), (K, B, D) -> (K, B, D)`."""
        return self.readout.observe(hidden_state[..., : self.hidden])

    @override
    def step(self, state: Tensor) -> Tensor:
        """(h', C h' + d)."""
        return self._step(self.derived_parameters(), self.input_weights(), state)

    @override
    def unroll(self, state: Tensor, steps: int) -> Tensor:
        """Loop over `step`, with the derived parameters computed once."""
        derived, weights = self.derived_parameters(), self.input_weights()
        return iterates(lambda one: self._step(derived, weights, one), state, steps=steps)

    @override
    def predict(self, state: Tensor, steps: int) -> tuple[Tensor, Tensor]:
        """Loop over the hidden state alone, since V x + b = V C h + V d + b; read all outputs out at once."""
        derived, (drive, bias) = self.derived_parameters(), self.input_weights()
        feedback = torch.bmm(drive, self.readout.weight).mT
        offset = torch.baddbmm(bias, self.readout.bias, drive.mT)
        hidden_state, output = self.split_state(state)

        def body(carried: Tensors, _: Tensors) -> tuple[Tensors, Tensors]:
            hidden_state = self.advance(derived, *carried)
            units = hidden_state[..., : self.hidden]
            return (hidden_state, torch.baddbmm(offset, units, feedback)), (units,)

        start = hidden_state, torch.baddbmm(bias, output, drive.mT)
        (hidden_state, _), (units,) = Loop(body, axis=-2)(start, steps=steps)
        observed = self.readout.observe(units)
        return observed, torch.cat([hidden_state, observed[..., -1, :]], dim=-1)

    @override
    def observe(self, state: Tensor) -> Tensor:
        """Return x, the last output."""
        return state[..., self.hidden_state_size :]

    @override
    def force(self, state: Tensor, observation: Tensor) -> Tensor:
        """Keep h and replace x by the observation."""
        return torch.cat([state[..., : self.hidden_state_size], observation], dim=-1)

    @override
    def signals(self, observation: Tensor) -> Tensor:
        return observation

    @override
    def initial_state(self, history: Tensor) -> Tensor:
        """Drive the hidden state by all but the last entry, without the outputs that forcing would replace."""
        derived, (drive, bias) = self.derived_parameters(), self.input_weights()
        last = history[:, :, -1]

        def body(carried: Tensors, inputs: Tensors) -> tuple[Tensors, Tensors]:
            return (self.advance(derived, carried[0], torch.baddbmm(bias, inputs[0], drive.mT)),), ()

        start = last.new_zeros(*last.shape[:2], self.hidden_state_size)
        observations = history[:, :, :-1].movedim(2, 0).contiguous()
        (hidden_state,), _ = Loop(body)((start,), steps=len(observations), inputs=(observations,))
        return torch.cat([hidden_state, last], dim=-1)

    @override
    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """Apply the chain rule: tangents of h', then C times those of the units that are read out."""
        (hidden_state, output), (drive, bias) = self.split_state(state), self.input_weights()
        input_term = torch.baddbmm(bias, output, drive.mT)
        dhidden_state = tangents[..., : self.hidden_state_size, :]
        dinput_term = multiply_tangents(drive, tangents[..., self.hidden_state_size :, :])
        following, dfollowing = self.advance_tangents(
            self.derived_parameters(), hidden_state, input_term, (dhidden_state, dinput_term)
        )
        doutput = multiply_tangents(self.readout.weight, dfollowing[..., : self.hidden, :])
        return self._with_output(following, output), torch.cat([dfollowing, doutput], dim=-2)

    def split_state(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """Split the state into the hidden state, `(K, B, S - D)`, and the last output, `(K, B, D)`."""
        return state[..., : self.hidden_state_size], state[..., self.hidden_state_size :]

    def _step(self, derived: tuple[Tensor, ...], weights: tuple[Tensor, Tensor], state: Tensor) -> Tensor:
        (hidden_state, output), (drive, bias) = self.split_state(state), weights
        return self._with_output(self.advance(derived, hidden_state, torch.baddbmm(bias, output, drive.mT)), output)

    def _with_output(self, hidden_state: Tensor, last_output: Tensor) -> Tensor:
        return torch.cat([hidden_state, self.output(hidden_state, last_output)], dim=-1)
