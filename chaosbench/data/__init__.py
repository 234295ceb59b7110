"""Training and test data: what a model sees of a system, and the truth it is judged by."""

from chaosbench.data.dataset import Dataset
from chaosbench.data.simulate import simulate
from chaosbench.data.spec import DataSpec

__all__ = ["DataSpec", "Dataset", "simulate"]
