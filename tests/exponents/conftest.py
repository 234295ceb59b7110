"""Compile what certificates use before their time is counted: on a new machine that takes ten seconds."""

import pytest

from chaosbench.exponents import certify
from chaosbench.systems import Henon


@pytest.fixture(scope="session", autouse=True)
def _compiled() -> None:
    certify(Henon(), budget=0.1)
