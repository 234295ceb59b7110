"""Fast unrolls with gradients: a reference in torch, numba for the CPU, Triton for CUDA."""

from chaosbench.kernels.compiled_procedure import CompiledProcedure
from chaosbench.kernels.compiled_step import CompiledStep
from chaosbench.kernels.compiling import (
    compiled_growth,
    compiled_orbits,
    compiled_part,
    compiled_trace,
    for_data,
    for_exponents,
)
from chaosbench.kernels.decomposition import orthonormal_columns
from chaosbench.kernels.gated import GatedMap, GatedNetwork
from chaosbench.kernels.network import Activation, Forcing, Network
from chaosbench.kernels.readout import states_showing
from chaosbench.kernels.reservoir import Reservoir, ReservoirBackend, reservoir_backend_for
from chaosbench.kernels.scheme import Scheme
from chaosbench.kernels.tangents import CompiledTangents, TangentForcing, compiled_tangents
from chaosbench.kernels.unroll import (
    Backend,
    backend_for,
    comparing_backend_for,
    compiles_for_cpu,
    gated_backend_for,
    gated_comparing_backend_for,
    holds,
    plain_torch,
    squared_error,
    unroll,
)

__all__ = [
    "Activation",
    "Backend",
    "CompiledProcedure",
    "CompiledStep",
    "CompiledTangents",
    "Forcing",
    "GatedMap",
    "GatedNetwork",
    "Network",
    "Reservoir",
    "ReservoirBackend",
    "Scheme",
    "TangentForcing",
    "backend_for",
    "comparing_backend_for",
    "compiled_growth",
    "compiled_orbits",
    "compiled_part",
    "compiled_tangents",
    "compiled_trace",
    "compiles_for_cpu",
    "for_data",
    "for_exponents",
    "gated_backend_for",
    "gated_comparing_backend_for",
    "holds",
    "orthonormal_columns",
    "plain_torch",
    "reservoir_backend_for",
    "squared_error",
    "states_showing",
    "unroll",
]
