"""Systems to learn from: the contract, and one file per published system."""

from chaosbench.systems.base import Flow, Map, SystemSpec
from chaosbench.systems.lorenz63 import Lorenz63
from chaosbench.systems.reference import Reference, measured_reference

__all__ = ["Flow", "Lorenz63", "Map", "Reference", "SystemSpec", "measured_reference"]
