"""Architectures, one file each, and the contracts that they fulfil.

Write a model of your own as a `ModelSpec` whose `module` returns a plain `nn.Module` of one seed, or whose `build`
returns a `Forecaster` of all seeds. Base classes for the second way: `FullyObservedForecaster` if the state is the
observation, `ReadoutForecaster` if a read-out shows the state, `ClosedLoopNetwork` if the output is the next input,
`RegressionForecaster` if linear regression trains the model, `MemorisingForecaster` if it stores the data.
"""

from chaosbench.models.almost_linear_rnn import AlmostLinearRNN, symbols, transition_matrix, visited_regions
from chaosbench.models.analogue import Analogue
from chaosbench.models.base import ModelSpec
from chaosbench.models.climatology import Climatology
from chaosbench.models.closed_loop import ClosedLoopNetwork
from chaosbench.models.context_parroting import ContextParroting
from chaosbench.models.cornn import CoRNN
from chaosbench.models.dendritic_plrnn import DendriticPLRNN
from chaosbench.models.echo_state_network import EchoStateNetwork
from chaosbench.models.forecaster import Forecaster, Trait
from chaosbench.models.gru import GRU
from chaosbench.models.lem import LEM
from chaosbench.models.linoss import LinOSS
from chaosbench.models.liquid_time_constant import LiquidTimeConstant
from chaosbench.models.lstm import LSTM
from chaosbench.models.neural_ode import NeuralODE, runge_kutta_4
from chaosbench.models.orthogonal_rnn import OrthogonalRNN
from chaosbench.models.persistence import Persistence
from chaosbench.models.plrnn import PLRNN
from chaosbench.models.readouts import (
    AffineReadout,
    FullyObservedForecaster,
    IdentityReadout,
    LinearReadout,
    ReadoutForecaster,
)
from chaosbench.models.regression import RegressionForecaster
from chaosbench.models.replay import MemorisingForecaster, ReplayForecaster
from chaosbench.models.rnn import RNN
from chaosbench.models.sampled_rnn import SampledRNN
from chaosbench.models.shallow_plrnn import ShallowPLRNN
from chaosbench.models.stack import stack
from chaosbench.models.unicornn import UnICORNN
from chaosbench.models.weights import (
    multiply_tangents,
    normal,
    parameter_without_gradient,
    uniform,
    weight_generators,
    zeros,
)

__all__ = [
    "GRU",
    "LEM",
    "LSTM",
    "PLRNN",
    "RNN",
    "AffineReadout",
    "AlmostLinearRNN",
    "Analogue",
    "Climatology",
    "ClosedLoopNetwork",
    "CoRNN",
    "ContextParroting",
    "DendriticPLRNN",
    "EchoStateNetwork",
    "Forecaster",
    "FullyObservedForecaster",
    "IdentityReadout",
    "LinOSS",
    "LinearReadout",
    "LiquidTimeConstant",
    "MemorisingForecaster",
    "ModelSpec",
    "NeuralODE",
    "OrthogonalRNN",
    "Persistence",
    "ReadoutForecaster",
    "RegressionForecaster",
    "ReplayForecaster",
    "SampledRNN",
    "ShallowPLRNN",
    "Trait",
    "UnICORNN",
    "multiply_tangents",
    "normal",
    "parameter_without_gradient",
    "runge_kutta_4",
    "stack",
    "symbols",
    "transition_matrix",
    "uniform",
    "visited_regions",
    "weight_generators",
    "zeros",
]
