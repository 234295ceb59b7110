"""Recordings of the kernels that a function launches, which a CUDA graph launches again all at once.

A recording repeats the same kernels at the same addresses. Whoever replays it keeps alive every tensor that it reads
and writes.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Protocol, TypeVar

import torch

T = TypeVar("T")


class Recorder(Protocol):
    """Records the kernels that a function launches."""

    def rehearse(self, function: Callable[[], T]) -> T:
        """Call the function as it will be recorded, for what it does at its first call only."""

    def record(self, function: Callable[[], T]) -> tuple[T, Callable[[], None]]:
        """Return the function's result, whose tensors have no values yet, and a function that computes them.

        Raises:
            RuntimeError: if the function does what cannot be recorded, such as waiting for the device.
        """


class CudaRecorder:
    """Records CUDA graphs.

    Args:
        large: whether the graphs are few and need much memory, as those of a training do. They then share their memory,
            since they run one after the other, and before each recording unused memory is returned to the driver, which
            takes longer than many a loop. Other threads are watched as well, since backward passes run in their own.
    """

    def __init__(self, device: torch.device, *, large: bool = False) -> None:
        self._device, self._stream = device, _recording_stream(device)
        self._pool = torch.cuda.graph_pool_handle() if large else None

    def rehearse(self, function: Callable[[], T]) -> T:
        """Call the function on the stream of the recordings."""
        with self._on_stream():
            return function()

    def record(self, function: Callable[[], T]) -> tuple[T, Callable[[], None]]:
        """Record the function as a CUDA graph.

        Garbage is not collected in between: freeing an older graph breaks a recording.
        """
        graph = torch.cuda.CUDAGraph()
        if self._pool is not None:
            torch.cuda.synchronize(self._device)
            torch.cuda.empty_cache()
        with self._on_stream(), _without_garbage_collection():
            graph.capture_begin(self._pool, "thread_local" if self._pool is None else "global")
            try:
                result = function()
            except BaseException:
                with suppress(RuntimeError):  # the first error says what cannot be recorded
                    graph.capture_end()
                raise
            graph.capture_end()
        return result, graph.replay

    @contextmanager
    def _on_stream(self) -> Iterator[None]:
        """Launch kernels on the stream of the recordings, after earlier and before later ones of the current stream."""
        with torch.cuda.device(self._device):
            current = torch.cuda.current_stream()
            self._stream.wait_stream(current)
            with torch.cuda.stream(self._stream):
                yield
            current.wait_stream(self._stream)


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Collect no garbage inside the block."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


@cache
def _recording_stream(device: torch.device) -> torch.cuda.Stream:
    """Return the stream of all recordings: on the default one there are none, and each has a workspace of its own."""
    return torch.cuda.Stream(device)
