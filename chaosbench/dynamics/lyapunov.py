"""Lyapunov exponents from tangent dynamics, and the dimension and entropy bound that follow from them."""

from collections.abc import Callable

import torch
from torch import Tensor

from chaosbench.dynamics.replay import Body, Loop, Tensors
from chaosbench.dynamics.reverse_tangents import with_cheap_tangents
from chaosbench.dynamics.step_maps import Step, StepMap, prepared
from chaosbench.dynamics.tangents import random_tangents
from chaosbench.kernels import CompiledTangents, compiled_growth, compiled_tangents, orthonormal_columns

Stretch = Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor, Tensor]]
OrthonormalStep = Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]


def lyapunov_spectrum(
    step: Step,
    states: Tensor,
    *,
    steps: int,
    transient: int = 0,
    every: int = 1,
    exponents: int | None = None,
    dt: float = 1.0,
) -> Tensor:
    """Compute the Lyapunov exponents of each orbit by repeated QR decomposition of its tangent vectors.

    Args:
        step: a step map; a bare function, or an object without `tangent_step`, is differentiated. A function may be
            written for one state, `x, y, z = state`, for columns or rows, or with numpy. A step of a small system is
            compiled where that pays; otherwise a flow with products of numbers takes 10 to 80 ms a step, with one
            orbit as with 256 (docs/compiled-steps.md). A step that decomposes tangents itself, because a direction
            contracts too far in it, offers `orthonormal_step`, as `MapOfFlow` does.
        states: initial states, `(..., S)`, preferably on the attractor: a tensor, an array or a list of numbers.
        steps: steps over which growth is averaged [steps].
        transient: preceding steps of states and tangents, in which the tangents align [steps].
        every: steps between two decompositions; 1 is safest, 5 or 10 are faster where contraction is mild [steps].
        exponents: M, number of leading exponents; None: all S.
        dt: time per step [system time].

    Returns:
        `(..., M)`, descending [1 / system time]; NaN for an orbit that blew up; the others are not affected.

    Source:
        Benettin, Galgani, Giorgilli & Strelcyn 1980, Meccanica 15, 9; QR form: Eckmann & Ruelle 1985,
        Reviews of Modern Physics 57, 617, section V.
    """
    exponents_of_orbits = finite_time_exponents(
        step, states, steps=steps, transient=transient, every=every, exponents=exponents, dt=dt
    )
    return exponents_of_orbits.sort(dim=-1, descending=True).values


@torch.no_grad()
def finite_time_exponents(
    step: Step,
    states: Tensor,
    *,
    steps: int,
    blocks: int | None = None,
    transient: int = 0,
    every: int = 1,
    exponents: int | None = None,
    dt: float = 1.0,
    after_block: Callable[[Tensor], bool] | None = None,
) -> Tensor:
    """Return unsorted Lyapunov exponents of each orbit, in the order of the tangent vectors.

    Average these over orbits and sort the means: sorting first would push close exponents apart. Running means over
    blocks show how the exponents converge; the spread over blocks shows how uncertain they are.

    Args:
        step, states, steps, transient, every, exponents, dt: as for `lyapunov_spectrum`.
        blocks: number of successive blocks of `steps // blocks` steps to estimate the exponents from; None: a single
            one, without an axis.
        after_block: called with the states `(..., S)` behind each block; where it returns False the run ends, and the
            blocks that are left are missing from the result.

    Returns:
        `(..., M)` or `(..., blocks, M)` [1 / system time]; NaN from the block in which an orbit blew up.
    """
    count = 1 if blocks is None else blocks
    assert steps >= count > 0, f"{steps} steps in {count} blocks; expected at least one step in each"
    step_map, states = prepared(step, states)
    length, size, dtype = steps // count, states.shape[-1], states.dtype
    # With S draws the leading exponents do not depend on how many are computed.
    tangents = random_tangents(states, size if exponents is None else exponents, draws=size)
    calls = transient + count * length
    compiled = compiled_growth(step, step_map.step, step_map.tangent_step, states, steps=calls)
    if compiled is not None:
        rows, start = states.reshape(-1, size), tangents.reshape(-1, *tangents.shape[-2:])[0]
        sizes = {"steps": length, "blocks": count, "transient": transient, "every": every}
        inform = after_block and (lambda reached: after_block(reached.reshape(states.shape)))
        growth = compiled.growth(rows, start, **sizes, after_block=inform)
        values = (growth / (length * dt)).to(dtype)
        values = values if states.dim() > 1 else values[0]
    else:
        networks = compiled_tangents(step, states)  # the step as given knows its network, the step map does not
        if networks is None and not getattr(step, "analytic_tangents", hasattr(step, "tangent_step")):
            step_map = with_cheap_tangents(step_map, states, tangents)
        decomposed = getattr(step, "orthonormal_step", None)
        stretch = _stretching(networks, step_map, every) if decomposed is None else _decomposing(decomposed)
        states, tangents, _ = stretch(states, tangents, transient)
        growth = _growth_in_blocks(stretch, states, tangents, (count, length), after_block, dtype)
        values = (growth / (length * dt)).to(dtype)
    return values.squeeze(-2) if blocks is None else values


def _growth_in_blocks(
    stretch: Stretch,
    states: Tensor,
    tangents: Tensor,
    sizes: tuple[int, int],
    after_block: Callable[[Tensor], bool] | None,
    dtype: torch.dtype,
) -> Tensor:
    """Return the log growth of each direction in successive blocks, `(..., blocks, M)` float64 [nats].

    Args:
        sizes: number of blocks, and steps of each.
        dtype: precision of the states that the caller gave, in which an orbit counts as bounded.
    """
    found, (blocks, length) = [], sizes
    for _ in range(blocks):
        states, tangents, growth = stretch(states, tangents, length)
        # A piecewise linear map may diverge while its tangents stay finite: the orbit decides.
        bounded = torch.isfinite(states.to(dtype)).all(-1, keepdim=True)
        found.append(torch.where(bounded, growth, torch.nan))
        if after_block is not None and not after_block(states):
            break
    return torch.stack(found, dim=-2)


def kaplan_yorke_dimension(spectrum: Tensor) -> Tensor:
    """Return the Kaplan-Yorke dimension j + (lambda_1 + ... + lambda_j) / |lambda_(j+1)|.

    j is the largest index at which the partial sum lambda_1 + ... + lambda_j is not negative.

    Args:
        spectrum: `(..., M)`, descending.

    Returns:
        `(...)`; 0 where lambda_1 < 0, M where no partial sum is negative, NaN where an exponent is.

    Source:
        Kaplan & Yorke 1979, Lecture Notes in Mathematics 730, 204.
    """
    totals = spectrum.cumsum(-1)
    # Partial sums of a descending spectrum rise, then fall: the non-negative ones come first.
    count = (totals >= 0).sum(-1, keepdim=True)
    total = torch.where(count > 0, totals.gather(-1, (count - 1).clamp(min=0)), 0.0)
    beyond = spectrum.gather(-1, count.clamp(max=spectrum.shape[-1] - 1)).abs()
    fraction = torch.where((count > 0) & (count < spectrum.shape[-1]), total / beyond, 0.0)
    dimension = (count + fraction).squeeze(-1)
    return torch.where(spectrum.isnan().any(-1), torch.nan, dimension)


def entropy_bound(spectrum: Tensor) -> Tensor:
    """Return the sum of the positive exponents, an upper bound of the metric entropy [nats / system time].

    Args:
        spectrum: `(..., M)` [1 / system time].

    Returns:
        `(...)`.

    Source:
        Ruelle 1978, Boletim da Sociedade Brasileira de Matematica 9, 83; equality: Pesin 1977.
    """
    return spectrum.clamp(min=0).sum(-1)


def _stretching(compiled: CompiledTangents | None, step_map: StepMap, every: int) -> Stretch:
    """Return a function of states, tangents and a number of steps.

    It returns states and tangents behind the steps, and the log growth of each direction, `(..., M)` float64 [nats].
    """
    if compiled is not None:
        return lambda states, tangents, steps: compiled.grow(states, tangents, steps=steps, every=every)
    grow = Loop(_growth(step_map, every))  # its recordings serve all stretches

    def stretch(states: Tensor, tangents: Tensor, steps: int) -> tuple[Tensor, Tensor, Tensor]:
        # A single-precision sum of thousands of logarithms would lose their precision.
        growth = tangents.new_zeros(tangents.shape[:-2] + tangents.shape[-1:], dtype=torch.float64)
        carried, _ = grow((states, tangents, growth), steps=steps // every)
        if steps % every:
            carried, _ = _growth(step_map, steps % every)(carried, ())
        return carried[0], carried[1], carried[2]

    return stretch


def _decomposing(orthonormal_step: OrthonormalStep) -> Stretch:
    """Return the same function for a step that decomposes its tangents itself."""

    def stretch(states: Tensor, tangents: Tensor, steps: int) -> tuple[Tensor, Tensor, Tensor]:
        growth = tangents.new_zeros(tangents.shape[:-2] + tangents.shape[-1:], dtype=torch.float64)
        for _ in range(steps):
            states, tangents, grown = orthonormal_step(states, tangents)
            growth = growth + grown
        return states, tangents, growth

    return stretch


def _growth(step_map: StepMap, every: int) -> Body:
    """Return `every` steps of states and tangents with a decomposition behind them, as the body of a loop."""

    def body(carried: Tensors, _: Tensors) -> tuple[Tensors, Tensors]:
        states, tangents, growth = carried
        for _index in range(every):
            states, tangents = step_map.tangent_step(states, tangents)
        tangents, stretched = orthonormal_columns(tangents)
        return (states, tangents, growth + stretched.double().log()), ()

    return body
