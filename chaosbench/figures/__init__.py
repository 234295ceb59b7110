"""Pictures of experiments and boards, one file each; importing them imports neither torch nor matplotlib."""

from chaosbench.figures.attractor import Attractor
from chaosbench.figures.base import Axis, BoardPicture, ExperimentPicture, Layout, PictureSpec, Quantity
from chaosbench.figures.convergence import Convergence
from chaosbench.figures.error_growth import ErrorGrowth
from chaosbench.figures.forcing_curve import ForcingCurve
from chaosbench.figures.forecasts import Forecasts
from chaosbench.figures.gradient_growth import GradientGrowth
from chaosbench.figures.neighbour_separation import NeighbourSeparation
from chaosbench.figures.panels import legend, new_figure
from chaosbench.figures.power_spectrum import PowerSpectrum
from chaosbench.figures.return_map import ReturnMap
from chaosbench.figures.training_curves import TrainingCurves
from chaosbench.figures.valid_times import ValidTimes

__all__ = [
    "Attractor",
    "Axis",
    "BoardPicture",
    "Convergence",
    "ErrorGrowth",
    "ExperimentPicture",
    "ForcingCurve",
    "Forecasts",
    "GradientGrowth",
    "Layout",
    "NeighbourSeparation",
    "PictureSpec",
    "PowerSpectrum",
    "Quantity",
    "ReturnMap",
    "TrainingCurves",
    "ValidTimes",
    "legend",
    "new_figure",
]
