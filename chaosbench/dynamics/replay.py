"""Loops that repeat one function, on a GPU by replaying a recording of several steps.

A step of a small network is some ten kernels that run for microseconds, and launching them takes longer than running
them. A CUDA graph launches all kernels of several steps at once. It repeats the same kernels at the same addresses, so
the function must depend on nothing that changes from step to step but the tensors that it is given.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

import torch
from torch import Tensor
from torch.autograd import forward_ad

from chaosbench.dynamics.recorders import CudaRecorder, Recorder

Tensors = tuple[Tensor, ...]
Body = Callable[[Tensors, Tensors], tuple[Tensors, Tensors]]

_LOGGER = logging.getLogger(__name__)
_SIZES = (64, 8)  # [steps] of the recordings; what remains is computed by ordinary calls
_FEWEST = 24  # [steps]; a loop of fewer ends before a recording has saved time
_REHEARSED = 8  # [steps] by ordinary calls first: kernels are compiled, layouts settle, and inputs stay aligned


def recorder_for(tensors: Sequence[Tensor]) -> Recorder | None:
    """Return what records a loop over these tensors; None where ordinary calls are as fast, or needed for gradients."""
    first = tensors[0]
    if not first.is_cuda or torch.is_grad_enabled() or torch.cuda.is_current_stream_capturing():
        return None
    if torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0:
        return None
    return CudaRecorder(first.device)


_CHOICE: ContextVar[Callable[[Sequence[Tensor]], Recorder | None]] = ContextVar("choice", default=recorder_for)


@contextmanager
def recording_by(choice: Callable[[Sequence[Tensor]], Recorder | None]) -> Iterator[None]:
    """Choose recorders by another function than `recorder_for` inside the block, as tests and comparisons do."""
    token = _CHOICE.set(choice)
    try:
        yield
    finally:
        _CHOICE.reset(token)


class Loop:
    """A loop that carries tensors from step to step, reads inputs and collects outputs.

    Recordings are kept, so one loop called several times is faster than several loops. A loop that cannot be recorded
    is computed by ordinary calls, and the reason is logged.

    Args:
        body: maps carried tensors and inputs of one step to carried tensors and outputs. Shapes of carried tensors must
            not change. Where it is recorded it is not called again, so it may read no number of Python and no other
            tensor that changes from step to step, and must not wait for the device.
        axis: where outputs are stacked over steps.
    """

    def __init__(self, body: Body, *, axis: int = 0) -> None:
        self._body, self._axis, self._rehearsed, self._failed = body, axis, 0, False
        self._recordings: dict[object, _Recording] = {}

    def __call__(self, carried: Tensors, *, steps: int, inputs: Tensors = ()) -> tuple[Tensors, Tensors]:
        """Return what the last step carries, and the outputs of all steps, stacked.

        Args:
            carried: tensors at the beginning.
            steps: number of steps.
            inputs: `(steps, ...)` each.
        """
        pieces, done = list[Tensors](), 0
        for size in self._sizes(carried, steps):
            carried, outputs = self._piece(carried, _cut(inputs, done, size), size)
            pieces.append(outputs)
            done += size
        joined = (
            pieces[0] if len(pieces) == 1 else tuple(torch.cat(one, self._axis) for one in zip(*pieces, strict=True))
        )
        return carried, joined

    def _sizes(self, carried: Tensors, steps: int) -> list[int]:
        """Return the number of steps in each piece."""
        if self._failed or _CHOICE.get()(carried) is None or steps < _SIZES[-1]:
            return [steps]
        if self._rehearsed < _REHEARSED and steps < _FEWEST:
            return [steps]
        sizes = [] if self._rehearsed >= _REHEARSED else [_REHEARSED]
        for size in _SIZES:
            sizes += [size] * ((steps - sum(sizes)) // size)
        return [*sizes, *([steps - sum(sizes)] if sum(sizes) < steps else [])]

    def _piece(self, carried: Tensors, inputs: Tensors, steps: int) -> tuple[Tensors, Tensors]:
        """Compute one piece by a recording if there is one for its size, or by ordinary calls."""
        recorder = _CHOICE.get()(carried)
        if recorder is None or self._failed or self._rehearsed < _REHEARSED or steps not in _SIZES:
            self._rehearsed += steps
            return called(self._body, carried, inputs, steps=steps, axis=self._axis)
        key = steps, *((one.shape, one.stride(), one.dtype) for one in (*carried, *inputs))
        try:
            if key not in self._recordings:
                self._recordings[key] = _Recording(recorder, self._work(steps), carried, inputs)
        except RuntimeError as error:  # torch raises nothing more special for what cannot be recorded
            self._failed = True
            _report(str(error).splitlines()[0])
            return self._piece(carried, inputs, steps)
        return self._recordings[key].run(carried, inputs)

    def _work(self, steps: int) -> Callable[[Tensors, Tensors], tuple[Tensors, Tensors]]:
        return lambda carried, inputs: called(self._body, carried, inputs, steps=steps, axis=self._axis)


def called(body: Body, carried: Tensors, inputs: Tensors, *, steps: int, axis: int = 0) -> tuple[Tensors, Tensors]:
    """Compute a loop by ordinary calls; arguments and results are those of `Loop`."""
    collected = list[Tensors]()
    for step in range(steps):
        carried, outputs = body(carried, tuple(one[step] for one in inputs))
        collected.append(outputs)
    return carried, tuple(torch.stack(one, dim=axis) for one in zip(*collected, strict=True))


class _Recording:
    """Several steps that are recorded once and replayed; it keeps alive every tensor that they read and write."""

    def __init__(self, recorder: Recorder, work: Body, carried: Tensors, inputs: Tensors) -> None:
        self._work = work
        self._carried, self._inputs = _copies(carried), _copies(inputs)
        self._outputs, self._replay = recorder.record(self._steps)

    def run(self, carried: Tensors, inputs: Tensors) -> tuple[Tensors, Tensors]:
        """Return what the last step carries, and the outputs."""
        _write(self._carried, carried)
        _write(self._inputs, inputs)
        self._replay()
        return _copies(self._carried), _copies(self._outputs)  # the next replay overwrites both

    def _steps(self) -> Tensors:
        carried, outputs = self._work(self._carried, self._inputs)
        # A result may be a part of what was carried before, which writing another result would change.
        ours = {one.untyped_storage().data_ptr() for one in self._carried}
        _write(
            self._carried, tuple(one.clone() if one.untyped_storage().data_ptr() in ours else one for one in carried)
        )
        return outputs


@cache
def _report(reason: str) -> None:
    """Log a reason, once in each process."""
    _LOGGER.warning("steps are launched one by one, without a CUDA graph: %s", reason)


def _memory(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _cut(tensors: Tensors, begin: int, size: int) -> Tensors:
    return tuple(one[begin : begin + size] for one in tensors)


def _copies(tensors: Tensors) -> Tensors:
    return tuple(one.clone() for one in tensors)  # strides are kept: another layout might round differently


def _write(buffers: Tensors, values: Tensors) -> None:
    for buffer, value in zip(buffers, values, strict=True):
        buffer.copy_(value)
