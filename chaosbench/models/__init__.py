"""Architectures, one file each, and what every one of them answers."""

from chaosbench.models.base import Forecaster, ModelSpec, seed_generator
from chaosbench.models.lstm import LSTM
from chaosbench.models.plrnn import PLRNN
from chaosbench.models.rnn import RNN
from chaosbench.models.shallow_plrnn import ShallowPLRNN
from chaosbench.models.stack import stack

__all__ = ["LSTM", "PLRNN", "RNN", "Forecaster", "ModelSpec", "ShallowPLRNN", "seed_generator", "stack"]
