"""Weights at rest: safetensors files with the parameter names of the authors' code."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from chaosbench import DataError

BUNDLED = Path(__file__).with_name("weights.safetensors")

_GATE = "gating_network."
_USUAL_RECTIFIED = 2  # P of all published models
_EXPERTS = ("A", "W", "h")


@dataclass(frozen=True)
class Weights:
    """The weights of one mixture.

    Attributes:
        tensors: by the names of `MixtureForecaster`, without the axis of seeds.
        observables, hidden, experts, rectified: N, M, J and P.
    """

    tensors: Mapping[str, Tensor]
    observables: int
    hidden: int
    experts: int
    rectified: int


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read(path: Path, *, sha256: str | None = None) -> Weights:
    """Read weights that `write` or the authors' code has stored.

    Args:
        sha256: the expected checksum; None: not checked.

    Raises:
        DataError: where there is no such file, where it has changed, or where it holds something else.
    """
    try:
        found = checksum(path)
        with safe_open(path, framework="pt") as file:
            published = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118  # no mapping
            metadata = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise DataError(f"the weights {str(path)!r} cannot be read: {error}") from None
    if sha256 is not None and found != sha256:
        raise DataError(f"{str(path)!r} has the sha256 {found}, expected {sha256}; the file has changed or is damaged")
    try:
        return _from_published(published, metadata)
    except KeyError as error:
        raise DataError(
            f"{str(path)!r} holds no DynaMix of almost-linear experts: {error.args[0]} is missing"
        ) from None
    except (RuntimeError, ValueError) as error:
        raise DataError(f"{str(path)!r} holds no DynaMix of almost-linear experts: {error}") from None


def write(path: Path, tensors: Mapping[str, Tensor], *, rectified: int) -> None:
    """Write the weights of one mixture, by the names of `MixtureForecaster` and without the axis of seeds."""
    published = {name: values.detach().float().contiguous() for name, values in _to_published(tensors).items()}
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # Not by save_file, which makes files that only their owner can read.
        temporary.write_bytes(save(published, metadata={"rectified": str(rectified)}))
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _from_published(published: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Weights:
    diagonal, weight, bias = _experts(published)
    experts, hidden = diagonal.shape
    observables = len(published["B"])
    convolution = published[f"{_GATE}conv.weight"]  # (N, N, 2): out, in, step
    biases = [published.get(f"{_GATE}mlp_layer{layer}.bias", torch.zeros(experts)) for layer in (1, 2)]
    tensors = {
        "diagonal": diagonal,
        "weight": weight.reshape(experts * hidden, hidden),
        "bias": bias,
        "start": published["B"][:, observables:],
        "query": published[f"{_GATE}D"],
        "convolution": torch.cat([convolution[..., 0], convolution[..., 1]], dim=1),
        "convolution_bias": published[f"{_GATE}conv.bias"].view(1, observables),
        "gate": published[f"{_GATE}mlp_layer1.weight"],
        "gate_output": published[f"{_GATE}mlp_layer2.weight"],
        "gate_biases": torch.stack(biases),
        "temperatures": torch.cat([published[f"{_GATE}softmax_temp{which}"].view(1) for which in (1, 2)]),
        "noise": published[f"{_GATE}sigma"],
    }
    expected = _shapes(observables, hidden, experts)
    for name, values in tensors.items():
        if values.shape != expected[name]:
            raise ValueError(f"{name} has the shape {tuple(values.shape)}; expected {expected[name]}")
    return Weights(tensors, observables, hidden, experts, int(metadata.get("rectified", _USUAL_RECTIFIED)))


def _experts(published: Mapping[str, Tensor]) -> list[Tensor]:
    """Return A, W and h of all experts; the code has stored them one by one, and later together."""
    if "batched_experts.A" in published:
        return [published[f"batched_experts.{name}"] for name in _EXPERTS]
    count = len({name.split(".")[1] for name in published if name.startswith("experts.")})
    return [torch.stack([published[f"experts.{index}.{name}"] for index in range(max(count, 1))]) for name in _EXPERTS]


def _to_published(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    experts, hidden = tensors["diagonal"].shape
    observables = len(tensors["query"])
    first, second = tensors["convolution"].split(observables, dim=1)
    return {
        "batched_experts.A": tensors["diagonal"],
        "batched_experts.W": tensors["weight"].view(experts, hidden, hidden),
        "batched_experts.h": tensors["bias"],
        # The first N columns of B are never used, since those units start from the observation itself.
        "B": torch.cat([torch.eye(observables), tensors["start"]], dim=1),
        f"{_GATE}D": tensors["query"],
        f"{_GATE}conv.weight": torch.stack([first, second], dim=-1),
        f"{_GATE}conv.bias": tensors["convolution_bias"].flatten(),
        f"{_GATE}mlp_layer1.weight": tensors["gate"],
        f"{_GATE}mlp_layer1.bias": tensors["gate_biases"][0],
        f"{_GATE}mlp_layer2.weight": tensors["gate_output"],
        f"{_GATE}mlp_layer2.bias": tensors["gate_biases"][1],
        f"{_GATE}softmax_temp1": tensors["temperatures"][:1],
        f"{_GATE}softmax_temp2": tensors["temperatures"][1:],
        f"{_GATE}sigma": tensors["noise"],
    }


def _shapes(n: int, m: int, j: int) -> dict[str, tuple[int, ...]]:
    return {
        "diagonal": (j, m), "weight": (j * m, m), "bias": (j, m), "start": (n, m - n), "query": (n, m),
        "convolution": (n, 2 * n), "convolution_bias": (1, n), "gate": (j, n + m), "gate_output": (j, j),
        "gate_biases": (2, j), "temperatures": (2,), "noise": (n,),
    }  # fmt: skip
