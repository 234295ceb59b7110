"""Ways to call plain modules of one seed for K seeds; which of them work depends on the operations inside."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

_LOGGER = logging.getLogger(__name__)
_REPORTED = set[tuple[str, str]]()


@dataclass(frozen=True)
class Way:
    """How plain modules are called for all seeds.

    Attributes:
        at_once: by `torch.vmap`; else one after another.
        plain_kernels: with fused kernels of torch switched off, which lack rules for `torch.vmap` and forward mode.
        forward_mode: whether tangents are computed in forward mode; else the Jacobian row by row in reverse mode.
    """

    at_once: bool = True
    plain_kernels: bool = False
    forward_mode: bool = True


# From the fastest to the one that works for every module.
WAYS = (
    Way(),
    Way(plain_kernels=True),
    Way(at_once=False),
    Way(at_once=False, plain_kernels=True),
    Way(at_once=False, forward_mode=False),
)


@contextmanager
def plain_kernels() -> Iterator[None]:
    """Switch fused kernels off: torch's attention and transformer layers, and oneDNN's LSTM."""
    onednn, layers = torch._C._get_mkldnn_enabled(), torch.backends.mha.get_fastpath_enabled()
    torch._C._set_mkldnn_enabled(False)  # torch.backends.mkldnn.flags would warn about graphics cards
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch._C._set_mkldnn_enabled(onednn)
        torch.backends.mha.set_fastpath_enabled(layers)


@contextmanager
def missing_rules_raise() -> Iterator[None]:
    """Let an operation raise that `torch.vmap` would call once per seed, with a warning, and silence other warnings."""
    always = torch.is_warn_always_enabled()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("error", message=".*batching rule.*")
        torch.set_warn_always(True)  # not only at the first call in this process
        try:
            yield
        finally:
            torch.set_warn_always(always)


def report_once(name: str, reason: str) -> None:
    """Log once in each process that the seeds of a module are computed one after another."""
    if (name, reason) not in _REPORTED:
        _REPORTED.add((name, reason))
        _LOGGER.warning(
            "%s: its seeds are computed one after another, and take as many times as long: %s", name, reason
        )
