"""The conformance kit: checks for everything that plug-ins offer.

Each failed check raises an `AssertionError` that names the broken promise, by how much it is broken, and how to keep
it.
"""

from chaosbench.testing.diagnostic import check_diagnostic
from chaosbench.testing.metric import check_metric
from chaosbench.testing.model import check_model
from chaosbench.testing.picture import check_picture
from chaosbench.testing.source import check_source
from chaosbench.testing.system import check_system
from chaosbench.testing.trainer import check_trainer

__all__ = [
    "check_diagnostic",
    "check_metric",
    "check_model",
    "check_picture",
    "check_source",
    "check_system",
    "check_trainer",
]
