"""The unroll in plain torch, whose numbers the kernels must reproduce."""

import torch
from torch import Tensor

from chaosbench.kernels.network import Forcing, Network


def unroll(network: Network, start: Tensor, steps: int, forcing: Forcing | None = None) -> tuple[Tensor, Tensor]:
    """Return what is observed after steps 1..T, each before the forcing that follows it, and the last state.

    Args:
        start: `(K, B, M)`.
        steps: T.

    Returns:
        `(K, B, T, D)` and `(K, B, M)`.
    """
    state, observed = start, []
    for t in range(steps):
        state = step(network, state if t == 0 or forcing is None else forced(forcing, state, t))
        observed.append(observe(network, state))
    return torch.stack(observed, dim=2), state


def step(network: Network, state: Tensor) -> Tensor:
    """Return A z + W1 phi(W2 z + h2) + h1, `(K, B, M) -> (K, B, M)`."""
    inner = state if network.inward is None else torch.bmm(state, network.inward.mT)
    active = activated(network, inner)
    following = active if network.outward is None else torch.bmm(active, network.outward.mT)
    if network.bias is not None:
        following = following + network.bias[:, None]
    return following if network.diagonal is None else torch.addcmul(following, network.diagonal[:, None], state)


def activated(network: Network, inner: Tensor) -> Tensor:
    """Return phi of W2 z, which is given without its threshold."""
    shifted = inner if network.threshold is None else inner + network.threshold[:, None]
    if network.activation == "tanh":
        return torch.tanh(shifted)
    if network.activation == "relu":
        return torch.relu(shifted)
    if network.activation == "clipped":
        return torch.relu(shifted) - torch.relu(inner)
    linear, rectified = shifted.split([inner.shape[-1] - network.rectified, network.rectified], dim=-1)
    return torch.cat([linear, rectified.clamp(min=0)], dim=-1)


def observe(network: Network, state: Tensor) -> Tensor:
    """Return C z + d, `(K, B, M) -> (K, B, D)`."""
    seen = state[..., : network.dimension] if network.readout is None else torch.bmm(state, network.readout.mT)
    return seen if network.offset is None else seen + network.offset[:, None]


def forced(forcing: Forcing, state: Tensor, t: int) -> Tensor:
    """Return the state from which step t > 0 is taken."""
    units = forcing.signals.shape[-1]
    if forcing.weights is not None:
        drawn = torch.lerp(state[..., :units], forcing.signals[:, :, t - 1], forcing.weights[:, :, t - 1, None])
    elif t % forcing.interval == 0:
        drawn = forcing.signals[:, :, t // forcing.interval - 1]
    else:
        return state
    return torch.cat([drawn, state[..., units:]], dim=-1)
