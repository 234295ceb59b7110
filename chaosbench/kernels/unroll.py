"""One unroll for models and trainers, with gradients, by the compiled backend that applies."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol, cast

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.autograd.function import once_differentiable

from chaosbench.kernels.gated import GatedNetwork
from chaosbench.kernels.network import Forcing, Network

FEWEST_STEPS = 4  # [steps]; fewer are faster in plain torch
_ALLOWED: ContextVar[bool] = ContextVar("kernels allowed", default=True)


class Backend(Protocol):
    """A module with a forward and a backward pass, for a `Network` or for a `GatedNetwork`, which is never forced."""

    def forward(
        self, network: Any, start: Tensor, steps: int, forcing: Forcing | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return observations `(K, B, T, D)`, the last state `(K, B, M)`, and what `backward` needs."""

    def backward(
        self, network: Any, states: Tensor, forcing: Forcing | None, of_observed: Tensor, of_last: Tensor
    ) -> "Gradients":
        """Return gradients by the coefficients, the start and the signals."""


Gradients = tuple[tuple[Tensor | None, ...], Tensor, Tensor | None]


class ComparingBackend(Backend, Protocol):
    """A backend that computes a squared error together with its gradients, which needs no memory for observations."""

    def squared_error(
        self, network: Any, start: Tensor, data: Tensor, steps: int, forcing: Forcing | None
    ) -> tuple[Tensor, Gradients]:
        """Return the error of each seed, `(K,)`, and its gradients by the coefficients, the start and the signals."""


class DeferringBackend(Backend, Protocol):
    """A backend that computes a squared error, and its gradients when they are asked for.

    A GPU cannot be asked without waiting whether errors are summed as they are, and it needs the memory less.
    """

    def takes_transposed(self, network: Any, forcing: Any) -> bool:
        """Return whether matrices of this network may be transposed, so that nobody need copy them."""

    def compare(
        self, network: Any, start: Tensor, data: Tensor, steps: int, forcing: Any
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the error of each seed, `(K,)`, and two tensors that `pull_back` needs."""

    def pull_back(
        self, network: Any, states: Tensor, errors: Tensor, forcing: Any, of_errors: Tensor, terms: int
    ) -> Gradients:
        """Return gradients by the coefficients, the start and the signals; the error is a mean over so many terms."""


def backend_for(start: Tensor, steps: int) -> Backend | None:
    """Return the compiled backend for an unroll of these states; None if plain torch must do it.

    Plain torch does it on other devices and precisions, for few steps, without numba or triton, and where torch
    transforms functions or differentiates forwards, which the kernels cannot.
    """
    if not _allowed(start, steps):
        return None
    if start.device.type == "cpu" and start.dtype in (torch.float32, torch.float64):
        return cast("Backend | None", import_backend("numba", "numba_cpu"))
    if start.device.type == "cuda" and start.dtype == torch.float32:
        return cast("Backend | None", import_backend("triton", "triton_cuda"))
    return None


def comparing_backend_for(windows: Tensor, steps: int) -> ComparingBackend | None:
    """Return the backend that computes the squared error of an unroll over windows of data; None if there is none."""
    return cast("ComparingBackend | None", backend_for(windows, steps)) if _compares(windows) else None


def gated_comparing_backend_for(windows: Tensor, steps: int) -> ComparingBackend | None:
    """Return the same for an unroll of a `GatedNetwork`."""
    return cast("ComparingBackend | None", gated_backend_for(windows, steps)) if _compares(windows) else None


def _compares(windows: Tensor) -> bool:
    """Return whether errors of windows of data may be computed together with their gradients."""
    return windows.device.type in ("cpu", "cuda") and not windows.requires_grad and torch.is_grad_enabled()


def gated_backend_for(start: Tensor, steps: int) -> Backend | None:
    """Return the compiled backend for an unroll of a `GatedNetwork`; None if plain torch must do it."""
    if not _allowed(start, steps):
        return None
    if start.device.type == "cpu" and start.dtype in (torch.float32, torch.float64):
        return cast("Backend | None", import_backend("numba", "numba_gated"))
    if start.device.type == "cuda" and start.dtype == torch.float32:
        return cast("Backend | None", import_backend("triton", "triton_gated"))
    return None


def _allowed(start: Tensor, steps: int) -> bool:
    return steps >= FEWEST_STEPS and start.numel() > 0 and kernels_apply()


def kernels_apply() -> bool:
    """Return whether kernels may run: they are not switched off, and torch transforms or differentiates nothing."""
    return _ALLOWED.get() and not torch._C._are_functorch_transforms_active() and forward_ad._current_level < 0


def compiles_for_cpu() -> bool:
    """Return whether numba, which compiles the kernels for a CPU, is installed."""
    return find_spec("numba") is not None


@cache
def import_backend(package: str, module: str) -> Any:
    """Import a backend at its first use, or return None without its package: numba alone takes half a second."""
    return None if find_spec(package) is None else import_module(f"chaosbench.kernels.{module}")


def holds(backend: Backend, network: Network | GatedNetwork) -> bool:
    """Return whether the kernels of a backend can hold a network; plain torch must unroll one that is too large."""
    return not hasattr(backend, "holds") or backend.holds(network)


@contextmanager
def plain_torch() -> Iterator[None]:
    """Do without compiled kernels inside the block, as tests and benchmarks do to compare."""
    token = _ALLOWED.set(False)
    try:
        yield
    finally:
        _ALLOWED.reset(token)


def unroll(
    backend: Backend, network: Network | GatedNetwork, start: Tensor, steps: int, forcing: Forcing | None = None
) -> tuple[Tensor, Tensor]:
    """Return what is observed after steps 1..T and the last state, as `reference.unroll` does, to rounding.

    Args:
        start: `(K, B, M)`.
        steps: T.

    Returns:
        `(K, B, T, D)` and `(K, B, M)`; gradients pass through both, once.
    """
    if forcing is None and hasattr(backend, "run_freely") and not _has_gradients(start, network):
        freely: tuple[Tensor, Tensor] = backend.run_freely(network, start.contiguous(), steps)
        return freely
    signals = None if forcing is None else forcing.signals
    settings = (backend, network, steps, forcing)
    found: tuple[Tensor, Tensor] = _Unroll.apply(settings, start, signals, *network.coefficients)  # type: ignore[no-untyped-call]
    return found


def _has_gradients(start: Tensor, network: Network | GatedNetwork) -> bool:
    given = (start, *network.coefficients)
    return torch.is_grad_enabled() and any(one is not None and one.requires_grad for one in given)


class _Unroll(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, settings: Any, start: Tensor, signals: Tensor | None, *tensors: Tensor | None) -> Any:
        backend, network, steps, forcing = settings
        start, signals = start.contiguous(), None if signals is None else signals.contiguous()
        transposed = getattr(backend, "TAKES_TRANSPOSED", False)
        coefficients = [one if one is None or transposed else one.contiguous() for one in tensors]
        given = network.with_coefficients(coefficients), _with_signals(forcing, signals)
        observed, last, states = backend.forward(given[0], start, steps, given[1])
        ctx.save_for_backward(states, signals, *coefficients)
        ctx.settings = settings
        return observed, last

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_observed: Tensor, of_last: Tensor) -> Any:
        backend, network, _, forcing = ctx.settings
        states, signals, *coefficients = ctx.saved_tensors
        given = network.with_coefficients(coefficients), states, _with_signals(forcing, signals)
        by_coefficients, by_start, by_signals = backend.backward(*given, of_observed.contiguous(), of_last.contiguous())
        return None, by_start, by_signals, *by_coefficients


def squared_error(
    backend: ComparingBackend,
    network: Network | GatedNetwork,
    start: Tensor,
    data: Tensor,
    *,
    steps: int,
    forcing: Forcing | None = None,
) -> Tensor:
    """Return the mean squared error of what is observed after steps 1..T, `(K,)`; gradients pass through it, once.

    Args:
        start: the states from which the segments of every window start, window by window, `(K, B segments, M)`.
        data: what should be observed, `(K, B, T, D)`.
        steps: length of a segment; the last of a window may be cut short [steps].
        forcing: of a single segment.
    """
    signals = None if forcing is None else forcing.signals
    settings = (backend, network, steps, forcing)
    function = _DeferredError if hasattr(backend, "pull_back") else _SquaredError
    errors: Tensor = function.apply(settings, data, start, signals, *network.coefficients)  # type: ignore[no-untyped-call]
    return errors


class _DeferredError(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, settings: Any, data: Tensor, start: Tensor, signals: Tensor | None, *tensors: Tensor | None
    ) -> Tensor:
        backend, network, steps, forcing = settings
        signals = None if signals is None else signals.contiguous()
        transposed = backend.takes_transposed(network, forcing)
        coefficients = [one if one is None or (transposed and _is_turned(one)) else one.contiguous() for one in tensors]
        given, forced = network.with_coefficients(coefficients), _with_signals(forcing, signals)
        errors, states, differences = backend.compare(given, start.contiguous(), data, steps, forced)
        ctx.save_for_backward(states, differences, signals, *coefficients)
        ctx.settings, ctx.terms = settings, data[0].numel()
        return cast("Tensor", errors)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_errors: Tensor) -> Any:
        backend, network, _, forcing = ctx.settings
        states, differences, signals, *coefficients = ctx.saved_tensors
        given, forced = network.with_coefficients(coefficients), _with_signals(forcing, signals)
        by_coefficients, *others = backend.pull_back(given, states, differences, forced, of_errors, ctx.terms)
        return None, None, *others, *by_coefficients


class _SquaredError(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, settings: Any, data: Tensor, start: Tensor, signals: Tensor | None, *tensors: Tensor | None
    ) -> Tensor:
        backend, network, steps, forcing = settings
        signals = None if signals is None else signals.contiguous()
        given = network.with_coefficients(tensors), start.contiguous(), data, steps, _with_signals(forcing, signals)
        errors, (by_coefficients, by_start, by_signals) = backend.squared_error(*given)
        ctx.save_for_backward(by_start, by_signals, *by_coefficients)
        return cast("Tensor", errors)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_errors: Tensor) -> Any:
        if of_errors.device.type == "cpu" and of_errors.tolist() == [1.0] * len(of_errors):  # as of a sum over seeds
            return None, None, *ctx.saved_tensors
        scales = {dim: of_errors.view(-1, *[1] * (dim - 1)) for dim in (2, 3, 4)}
        return None, None, *(None if one is None else one * scales[one.dim()] for one in ctx.saved_tensors)


def _is_turned(tensor: Tensor) -> bool:
    return tensor.dim() > 2 and tensor.mT.is_contiguous()


def _with_signals(forcing: Forcing | None, signals: Tensor | None) -> Forcing | None:
    return None if forcing is None or signals is None else Forcing(signals, forcing.weights, forcing.interval)
