"""The conformance kit: checks for sources, systems, models and trainers of plug-ins.

Each failed check raises an `AssertionError` that names the broken promise, by how much it is broken, and how to keep
it.
"""

from chaosbench.testing.model import check_model
from chaosbench.testing.source import check_source
from chaosbench.testing.system import check_system
from chaosbench.testing.trainer import check_trainer

__all__ = ["check_model", "check_source", "check_system", "check_trainer"]
