"""Architectures, one file each, and what every one of them answers."""

from chaosbench.models.almost_linear_rnn import AlmostLinearRNN, symbols, transition_matrix, visited_regions
from chaosbench.models.base import ModelSpec
from chaosbench.models.climatology import Climatology
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
from chaosbench.models.neural_ode import NeuralODE
from chaosbench.models.orthogonal_rnn import OrthogonalRNN
from chaosbench.models.persistence import Persistence
from chaosbench.models.plrnn import PLRNN
from chaosbench.models.regression import Regressed
from chaosbench.models.replay import Remembering
from chaosbench.models.rnn import RNN
from chaosbench.models.sampled_rnn import SampledRNN
from chaosbench.models.shallow_plrnn import ShallowPLRNN
from chaosbench.models.stack import stack
from chaosbench.models.unicornn import UnICORNN

__all__ = [
    "GRU",
    "LEM",
    "LSTM",
    "PLRNN",
    "RNN",
    "AlmostLinearRNN",
    "Climatology",
    "CoRNN",
    "ContextParroting",
    "DendriticPLRNN",
    "EchoStateNetwork",
    "Forecaster",
    "LinOSS",
    "LiquidTimeConstant",
    "ModelSpec",
    "NeuralODE",
    "OrthogonalRNN",
    "Persistence",
    "Regressed",
    "Remembering",
    "SampledRNN",
    "ShallowPLRNN",
    "Trait",
    "UnICORNN",
    "stack",
    "symbols",
    "transition_matrix",
    "visited_regions",
]
