"""Fast unrolls with gradients: a reference in torch, numba for the CPU, Triton for CUDA."""

from chaosbench.kernels.network import Activation, Forcing, Network
from chaosbench.kernels.unroll import backend_for, plain_torch, unroll

__all__ = ["Activation", "Forcing", "Network", "backend_for", "plain_torch", "unroll"]
