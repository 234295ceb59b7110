"""The contract of K trained models: step maps with a read-out."""

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

from torch import Tensor, nn

from chaosbench import kernels
from chaosbench.dynamics import Loop, Tensors, iterates, tangent_step_by_jvp
from chaosbench.kernels import GatedMap, GatedNetwork, Network
from chaosbench.models.inheritance import owner, still_holds


class Trait(NamedTuple):
    """A property that a model reports about its own dynamics.

    Attributes:
        value: `(K,)`, a number that is recorded with each run, or `(K, ...)`, an array that is stored beside it; NaN
            where it is undefined for a seed.
        unit: "1" if dimensionless.
    """

    value: Tensor
    unit: str = "1"


class Forecaster(nn.Module, ABC):
    """K models of one architecture, one per seed, stepped as one tensor program.

    Attributes:
        seeds: K.
        dimension: D, observables.
        state_size: S.
        resets: whether `force` ignores the state it replaces. Forced segments are then independent, and trainers fold
            them into the batch.
        first_forced: the first of the entries of the state that `signals` are for.
        dynamical: whether `step` is a law of motion; False if the model replays data, so its Jacobian is meaningless.
    """

    seeds: int
    dimension: int
    state_size: int
    resets: bool = False
    first_forced: int = 0
    dynamical: bool = True
    broadcasts: ClassVar[bool] = True  # its step takes (K, B, S) as it is

    @abstractmethod
    def step(self, state: Tensor) -> Tensor:
        """Advance the free-running model by one step, `(K, B, S) -> (K, B, S)`."""

    @abstractmethod
    def observe(self, state: Tensor) -> Tensor:
        """Read the observables out of the state, `(K, ..., S) -> (K, ..., D)`."""

    @abstractmethod
    def force(self, state: Tensor, observation: Tensor) -> Tensor:
        """Return the state changed so that it shows `observation`, `(K, B, S), (K, B, D) -> (K, B, S)`."""

    def initial_state(self, history: Tensor) -> Tensor:
        """Return the state at the last entry of a history of observations, `(K, B, H, D) -> (K, B, S)`.

        By default the first entry is forced, then `step` and `force` alternate up to the last. If the model resets, the
        last entry alone determines the state, and only it is used.
        """
        if self.resets:
            return self.first_state(history[:, :, -1])

        def body(carried: Tensors, inputs: Tensors) -> tuple[Tensors, Tensors]:
            return (self.force(self.step(carried[0]), inputs[0]),), ()

        start, observations = self.first_state(history[:, :, 0]), history[:, :, 1:].movedim(2, 0).contiguous()
        (state,), _ = Loop(body)((start,), steps=len(observations), inputs=(observations,))
        return state

    def first_state(self, observation: Tensor) -> Tensor:
        """Return the state at a single observation, `(K, B, D) -> (K, B, S)`; by default a forced zero state."""
        zero = observation.new_zeros(*observation.shape[:-1], self.state_size)
        return self.force(zero, observation)

    def unroll(self, state: Tensor, steps: int) -> Tensor:
        """Return the states after 1 to `steps` steps, `(K, B, S) -> (K, B, steps, S)`."""
        return iterates(self.step, state, steps=steps)

    def network(self) -> Network | None:
        """Return the map and its read-out for compiled kernels; None if they have no such map."""
        return None

    def compiled_network(self) -> Network | None:
        """Return `network`, or None if a subclass overrides what it restates: `step`, `observe`, `force` and others."""
        return self.network() if still_holds(type(self), "network") else None

    def gated_network(self) -> GatedNetwork | None:
        """Return the coefficients of an LSTM or GRU for compiled kernels; None if they have no such map."""
        return None

    def network_for(self, backend: kernels.Backend) -> Network | None:
        """Return `compiled_network`, which this backend can unroll; None if there is none or if it is too large."""
        network = self.compiled_network()
        return network if network is not None and kernels.holds(backend, network) else None

    def tangent_network(self) -> Network | GatedMap | None:
        """Return what compiled kernels carry tangents by: `compiled_network`, unless `tangent_step` is overridden."""
        cls = type(self)
        return self.compiled_network() if owner(cls, "tangent_step") is owner(cls, "network") else None

    def tangents_hold(self) -> bool:
        """Return whether an overridden `tangent_network` still restates `step` and `tangent_step` in this subclass."""
        cls = type(self)
        restated = issubclass(owner(cls, "tangent_network"), owner(cls, "tangent_step"))
        return restated and still_holds(cls, "tangent_network")

    def signals(self, observation: Tensor) -> Tensor:
        """Return the values that `force` gives to N entries, `(K, B, D) -> (K, B, N)`, beside a `tangent_network`."""
        raise NotImplementedError

    def predict(self, state: Tensor, steps: int) -> tuple[Tensor, Tensor]:
        """Return the observables after 1 to `steps` steps, `(K, B, steps, D)`, and the last state, `(K, B, S)`."""
        backend = kernels.backend_for(state, steps)
        if backend is not None and (network := self.network_for(backend)) is not None:
            return kernels.unroll(backend, network, state, steps)
        states = self.unroll(state, steps)
        return self.observe(states), states[..., -1, :]

    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """Return the next state and its tangents; by forward-mode differentiation of `step` unless overridden.

        Args:
            state: `(K, B, S)`.
            tangents: `(K, B, S, M)`.

        Returns:
            `(K, B, S)` and `(K, B, S, M)`.
        """
        return tangent_step_by_jvp(self.step, state, tangents)

    def describe_dynamics(self, states: Tensor) -> dict[str, Trait]:
        """Report properties that only this architecture can, by name, from free runs `(K, B, T, S)`; default: none.

        Results store them under `portrait.NAME`.
        """
        return {}

    def parameters_per_seed(self) -> int:
        """Count the parameters of one seed."""
        return sum(parameter.numel() for parameter in self.parameters()) // self.seeds
