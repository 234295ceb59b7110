"""Training and test data: what a model learns from, and the truth that its forecasts are compared with."""

from chaosbench.data.dataset import Dataset, first_condition
from chaosbench.data.simulate import require_possible, simulate
from chaosbench.source import DataSpec

__all__ = ["DataSpec", "Dataset", "first_condition", "require_possible", "simulate"]
