"""Training as a user of JAX would write it: vmap over seeds, scan over time, optax, one jitted update."""

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from chaosbench.data import Dataset
from chaosbench.models import Forecaster

# One thread, as ours; read by jax when it is imported.
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

Parameters = dict[str, Any]
KINDS = ("rnn", "lstm", "plrnn", "shallow_plrnn")


def parameters_of(kind: str, model: Forecaster) -> Parameters:
    """Return the weights of our model with the leading axis K, in the layout of this file."""
    found = {name: _array(tensor) for name, tensor in model.named_parameters()}
    if kind == "shallow_plrnn":
        names = ("diagonal", "outward", "inward", "bias", "threshold")
        return {name: found[name][:, 0] if found[name].shape[1] == 1 else found[name] for name in names}
    return {"weight": found["weight"], "bias": found["bias"][:, 0], "readout": found["readout.weight"]}


def loss_of(kind: str, interval: int, steps: int) -> Callable[[Parameters, Any], Any]:
    """Return the loss of one model on windows `(B, T + 1, D)`, folded at the forcing interval."""
    import jax
    import jax.numpy as jnp

    segments = -(-steps // interval)

    def loss(parameters: Parameters, windows: Any) -> Any:
        batch, _, dimension = windows.shape
        observations = windows[:, :-1:interval].reshape(-1, dimension)
        start = _start(kind, parameters, observations)
        _, observed = jax.lax.scan(lambda state, _: _step(kind, parameters, state), start, None, length=interval)
        predicted = jnp.moveaxis(observed, 0, 1).reshape(batch, segments * interval, dimension)
        return jnp.mean((predicted[:, :steps] - windows[:, 1:]) ** 2)

    return loss


def update_of(
    kind: str, model: Forecaster, data: Dataset, *, interval: int, steps: int, batch: int, clip: float
) -> Callable[[], object]:
    """Return a function that makes one update of all seeds, and waits for it."""
    import jax
    import jax.numpy as jnp
    import optax

    train, count = jnp.asarray(_array(data.train)), model.seeds
    optimizer, loss = optax.adam(1e-3), loss_of(kind, interval, steps)
    starts = train.shape[1] - steps

    def cut(index: Any) -> Any:
        corner = (index // starts, index % starts, 0)
        return jax.lax.dynamic_slice(train, corner, (1, steps + 1, train.shape[2]))[0]

    def one(parameters: Parameters, memory: Any, windows: Any) -> tuple[Any, Any, Any]:
        value, gradient = jax.value_and_grad(loss)(parameters, windows)
        scale = jnp.minimum(1.0, clip / optax.global_norm(gradient))
        changes, memory = optimizer.update(jax.tree.map(lambda leaf: scale * leaf, gradient), memory)
        return optax.apply_updates(parameters, changes), memory, value

    def update(parameters: Parameters, memory: Any, key: Any) -> tuple[Any, Any, Any, Any]:
        key, drawn = jax.random.split(key)
        index = jax.random.randint(drawn, (count, batch), 0, len(train) * starts)
        parameters, memory, value = jax.vmap(one)(parameters, memory, jax.vmap(jax.vmap(cut))(index))
        return parameters, memory, key, value

    compiled = jax.jit(update, donate_argnums=(0, 1))
    parameters = jax.tree.map(jnp.asarray, parameters_of(kind, model))
    state = [parameters, jax.vmap(optimizer.init)(parameters), jax.random.key(0)]

    def advance() -> object:
        *state[:], value = compiled(*state)
        return value.block_until_ready()

    return advance


def losses(kind: str, model: Forecaster, windows: Tensor, interval: int) -> Sequence[float]:
    """Return the loss of each seed on windows `(K, B, T + 1, D)`."""
    import jax

    loss = loss_of(kind, interval, windows.shape[2] - 1)
    return np.asarray(jax.vmap(loss)(parameters_of(kind, model), _array(windows))).tolist()


def _start(kind: str, p: Parameters, observation: Any) -> Any:
    """Return the forced state: x itself, or B⁺ x."""
    import jax.numpy as jnp

    if kind == "shallow_plrnn":
        return observation
    readout = p["readout"]
    hidden = observation @ (readout.T @ jnp.linalg.inv(readout @ readout.T)).T
    return (hidden, jnp.zeros_like(hidden)) if kind == "lstm" else hidden


def _step(kind: str, p: Parameters, state: Any) -> tuple[Any, Any]:
    """Return the next state and its observation."""
    import jax
    import jax.numpy as jnp

    if kind == "shallow_plrnn":
        inner = jax.nn.relu(state @ p["inward"] + p["threshold"])
        state = p["diagonal"] * state + inner @ p["outward"] + p["bias"]
        return state, state
    if kind == "lstm":
        hidden, cell = state
        i, f, g, o = jnp.split(hidden @ p["weight"].T + p["bias"], 4, axis=-1)
        cell = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jnp.tanh(g)
        hidden = jax.nn.sigmoid(o) * jnp.tanh(cell)
        return (hidden, cell), hidden @ p["readout"].T
    if kind == "rnn":
        state = jnp.tanh(state @ p["weight"].T + p["bias"])
    else:
        diagonal = jnp.diagonal(p["weight"])
        coupling = p["weight"] - jnp.diag(diagonal)
        state = diagonal * state + jax.nn.relu(state) @ coupling.T + p["bias"]
    return state, state @ p["readout"].T


def _array(tensor: Tensor) -> np.ndarray[Any, Any]:
    return tensor.detach().numpy().copy()
