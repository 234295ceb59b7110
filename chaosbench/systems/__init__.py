"""Systems to learn from: the contract, and one file per published system."""

from chaosbench.systems.base import Flow, Map, SystemSpec
from chaosbench.systems.henon import Henon
from chaosbench.systems.lorenz63 import Lorenz63
from chaosbench.systems.reference import Reference, measured_reference
from chaosbench.systems.rossler import Rossler

__all__ = ["Flow", "Henon", "Lorenz63", "Map", "Reference", "Rossler", "SystemSpec", "measured_reference"]
