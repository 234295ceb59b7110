"""Growth of gradients: the norm of dz_T/dz_0 against the horizon T, in one pass that cannot overflow."""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from chaosbench.dynamics.replay import Body, Loop, Tensors
from chaosbench.dynamics.singular_values import extreme_singular_values, spectral_norm
from chaosbench.dynamics.step_maps import Step, StepMap, prepared
from chaosbench.dynamics.tangents import random_tangents
from chaosbench.kernels import CompiledTangents, compiled_tangents

Norm = Literal["spectral", "infinity"]
Multiplication = Callable[[Tensors, int, list[int]], tuple[Tensors, Tensor, Tensor]]

_CHUNK = 64  # horizons whose norms are computed together; bounds memory, saves calls
_RESCALE = {torch.float32: 4, torch.float64: 16}  # [steps] between rescalings; e^20 or e^40 per step would overflow
_LARGEST_STATE = 2048  # whose Jacobians are decomposed


@torch.no_grad()
def jacobian_growth(
    step: Step,
    states: Tensor,
    *,
    steps: int,
    horizons: Sequence[int] | None = None,
    norm: Norm = "spectral",
    directions: int | None = None,
) -> Tensor:
    """Return the logarithm of the norm of dz_T/dz_0 for every horizon T = 1 .. steps, or for the given ones.

    The scale of the product of Jacobians is kept as a separate logarithm, so that the product neither overflows nor
    underflows in float32 at any horizon.

    Args:
        step: a step map; a bare function, or an object without `tangent_step`, is differentiated in forward mode.
        states: z_0, `(..., S)`.
        steps: the longest horizon [steps].
        horizons: ascending [steps]; None: all. Norms cost more than the pass itself, so few horizons are much faster.
        norm: "spectral", the largest singular value, or "infinity", the largest absolute row sum, which is also an
            operator norm and much faster for many horizons.
        directions: number of random orthonormal tangents to follow in place of all S, for large states. Their norm is
            smaller, by about ln(S / directions) / 2 once the fastest direction dominates (for a single direction by 0.6
            more); the slope is the same.

    Returns:
        `(..., horizons)` [nats]; -inf where the product is zero, NaN from the step at which an orbit blew up.

    Source:
        Mikhaeil, Monfared & Durstewitz 2022, Advances in Neural Information Processing Systems 35, equations 4 to 6.
    """
    step_map, states = prepared(step, states)
    selected = sorted(set(range(1, steps + 1) if horizons is None else horizons))
    assert set(selected) <= set(range(1, steps + 1)), f"horizons {selected} must lie within 1 and {steps} [steps]"
    # A single-precision sum of thousands of logarithms would lose their precision.
    scale = states.new_zeros(states.shape[:-1], dtype=torch.float64)
    carried: Tensors = (states, starting_tangents(states, directions), scale)
    # The step as given knows its network, the step map does not.
    multiply = _multiplication(compiled_tangents(step, states), step_map, states.dtype)
    growth, reached = list[Tensor](), 0
    for first in range(0, len(selected), _CHUNK):
        chunk = selected[first : first + _CHUNK]
        carried, products, scales = multiply(carried, reached, chunk)
        growth.append(_log_norms(products, scales, norm))
        reached = chunk[-1]
    return torch.cat(growth, dim=-1).to(states.dtype)


def _multiplication(compiled: CompiledTangents | None, step_map: StepMap, dtype: torch.dtype) -> Multiplication:
    """Return a function that carries states, product and scale through time, by a compiled kernel if there is one."""
    if compiled is None:
        return _Product(step_map, every=_RESCALE.get(dtype, 1))

    def multiply(carried: Tensors, begin: int, horizons: list[int]) -> tuple[Tensors, Tensor, Tensor]:
        ahead = [horizon - begin for horizon in horizons]
        return compiled.multiply(carried, ahead, every=_RESCALE[torch.float64])

    return multiply


class _Product:
    """Carries states, the product of Jacobians and its scale through time, and rescales after each `every` steps.

    Steps between two rescalings are one block of a loop; the blocks' recordings serve all stretches of time.
    """

    def __init__(self, step_map: StepMap, *, every: int) -> None:
        self._step_map, self._every = step_map, every
        self._blocks = Loop(self._block(every, rescale=True))

    def __call__(self, carried: Tensors, begin: int, horizons: list[int]) -> tuple[Tensors, Tensor, Tensor]:
        """Return what is carried at the last horizon, and products and scales at all of them, from `begin` on."""
        products, scales = list[Tensor](), list[Tensor]()
        for horizon in horizons:
            states, product, scale = self._carry(carried, begin=begin, end=horizon)
            scale, begin = torch.where(torch.isfinite(states).all(-1), scale, torch.nan), horizon
            products.append(product)
            scales.append(scale)
            carried = states, product, scale
        return carried, torch.stack(products, dim=-3), torch.stack(scales, dim=-1)

    def _carry(self, carried: Tensors, *, begin: int, end: int) -> Tensors:
        while begin < end:
            steps = min(end - begin, self._every - begin % self._every)
            if steps == self._every:
                blocks = (end - begin) // self._every
                (carried, _), begin = self._blocks(carried, steps=blocks), begin + blocks * self._every
            else:
                rescale = (begin + steps) % self._every == 0
                (carried, _), begin = self._block(steps, rescale=rescale)(carried, ()), begin + steps
        return carried

    def _block(self, steps: int, *, rescale: bool) -> Body:
        def body(carried: Tensors, _: Tensors) -> tuple[Tensors, Tensors]:
            states, product, scale = carried
            for _index in range(steps):
                states, product = self._step_map.tangent_step(states, product)
            if rescale:
                product, scale = rescaled(product, scale)
            return (states, product, scale), ()

        return body


def starting_tangents(states: Tensor, directions: int | None = None) -> Tensor:
    """Return all S unit tangents at each state, or `directions` random orthonormal ones, `(..., S) -> (..., S, M)`."""
    size = states.shape[-1]
    count = size if directions is None else min(directions, size)
    if count == size:
        return torch.eye(size, dtype=states.dtype, device=states.device).expand(*states.shape, size).clone()
    return random_tangents(states, count)


def log_spaced(steps: int, *, each_octave: int = 4) -> tuple[int, ...]:
    """Return distinct whole horizons from 1 to `steps`, evenly spaced in their logarithm [steps]."""
    octaves = torch.tensor(steps, dtype=torch.float64).log2()
    count = int(octaves * each_octave) + 1
    spaced = torch.exp2(torch.linspace(0, float(octaves), max(count, 2), dtype=torch.float64)).round().long()
    return tuple(sorted({1, steps, *spaced.tolist()}))


class JacobianSizes(NamedTuple):
    """Extreme singular values of the Jacobian at each state, `(...)` each; their ratio is its condition number."""

    largest: Tensor
    smallest: Tensor


@torch.no_grad()
def jacobian_sizes(step: Step, states: Tensor) -> JacobianSizes:
    """Return the extreme singular values of a step's Jacobian at the states `(..., S)`.

    They are NaN where the Jacobian is not finite, and where a state has more than 2,048 entries, whose decomposition
    would take minutes and gigabytes.
    """
    step_map, states = prepared(step, states)
    if states.shape[-1] > _LARGEST_STATE:
        unknown = states.new_full(states.shape[:-1], torch.nan, dtype=torch.float64)
        return JacobianSizes(unknown, unknown)
    jacobians = step_map.tangent_step(states, starting_tangents(states))[1].double()
    finite = jacobians.isfinite().all(-1).all(-1)
    extremes = extreme_singular_values(torch.where(finite[..., None, None], jacobians, 0.0))
    return JacobianSizes(*(torch.where(finite, values, torch.nan) for values in extremes))


def rescaled(product: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """Divide each matrix `(..., m, n)` by its largest entry, and add the entry's logarithm to `scale`, `(...)`."""
    largest = product.abs().amax((-2, -1))
    # A zero product keeps its scale; its norm of zero gives the logarithm -inf.
    factor = torch.where(largest > 0, largest, 1.0)
    return product / factor[..., None, None], scale + factor.double().log()


def _log_norms(products: Tensor, scales: Tensor, norm: Norm) -> Tensor:
    """Return the log norms of `(..., S, M)` matrices times exp(scale), `(...)` float64 [nats]."""
    products, scales = rescaled(products, scales)  # keeps squares within range
    norms = spectral_norm(products) if norm == "spectral" else products.abs().sum(-1).amax(-1)
    return scales + norms.double().log()
