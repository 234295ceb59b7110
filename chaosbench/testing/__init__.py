"""The conformance kit: what a plug-in's system, model or trainer must keep, told in a sentence where it does not."""

from chaosbench.testing.model import check_model
from chaosbench.testing.system import check_system
from chaosbench.testing.trainer import check_trainer

__all__ = ["check_model", "check_system", "check_trainer"]
