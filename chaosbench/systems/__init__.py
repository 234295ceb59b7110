"""Systems with an equation: the contract, and one file per published system."""

from chaosbench.systems.base import Map, SystemSpec
from chaosbench.systems.chen import Chen
from chaosbench.systems.double_pendulum import DoublePendulum
from chaosbench.systems.driven import DrivenFlow, WrappedFlow, clocked, wrapped
from chaosbench.systems.duffing import Duffing
from chaosbench.systems.flow import Flow
from chaosbench.systems.halvorsen import Halvorsen
from chaosbench.systems.henon import Henon
from chaosbench.systems.henon_heiles import HenonHeiles
from chaosbench.systems.hyper_rossler import HyperRossler
from chaosbench.systems.ikeda import Ikeda
from chaosbench.systems.kuramoto_sivashinsky import KuramotoSivashinsky
from chaosbench.systems.limit_cycle import LimitCycle
from chaosbench.systems.logistic import Logistic
from chaosbench.systems.lorenz63 import Lorenz63
from chaosbench.systems.lorenz84 import Lorenz84
from chaosbench.systems.lorenz96 import Lorenz96
from chaosbench.systems.lozi import Lozi
from chaosbench.systems.mackey_glass import MackeyGlass
from chaosbench.systems.oregonator import Oregonator
from chaosbench.systems.poincare_map import PoincareMap
from chaosbench.systems.reference import Reference
from chaosbench.systems.rossler import Rossler
from chaosbench.systems.stroboscopic_map import StroboscopicMap
from chaosbench.systems.tent import Tent
from chaosbench.systems.thomas import Thomas
from chaosbench.systems.torus import Torus
from chaosbench.systems.two_cycle import TwoCycle

__all__ = [
    "Chen",
    "DoublePendulum",
    "DrivenFlow",
    "Duffing",
    "Flow",
    "Halvorsen",
    "Henon",
    "HenonHeiles",
    "HyperRossler",
    "Ikeda",
    "KuramotoSivashinsky",
    "LimitCycle",
    "Logistic",
    "Lorenz63",
    "Lorenz84",
    "Lorenz96",
    "Lozi",
    "MackeyGlass",
    "Map",
    "Oregonator",
    "PoincareMap",
    "Reference",
    "Rossler",
    "StroboscopicMap",
    "SystemSpec",
    "Tent",
    "Thomas",
    "Torus",
    "TwoCycle",
    "WrappedFlow",
    "clocked",
    "wrapped",
]
