"""Trainers, one file each, and the training loop that they share."""

from chaosbench.trainers.base import TrainerSpec, TrainingStep, WindowTrainer
from chaosbench.trainers.bptt import BPTT
from chaosbench.trainers.dyslim import DySLIM
from chaosbench.trainers.forcing_scheme import ForcingScheme
from chaosbench.trainers.generalized_teacher_forcing import GeneralizedTeacherForcing
from chaosbench.trainers.gradient_flossing import GradientFlossing
from chaosbench.trainers.gradient_trainer import RATES, GradientTrainer, UnrollTrainer
from chaosbench.trainers.horizon_curriculum import HorizonCurriculum
from chaosbench.trainers.invariant_measure import InvariantMeasure
from chaosbench.trainers.jacobian_matching import JacobianMatching
from chaosbench.trainers.memorise import Memorise
from chaosbench.trainers.multiple_shooting import MultipleShooting
from chaosbench.trainers.one_step import one_step_error, random_pairs_error
from chaosbench.trainers.ridge import Ridge
from chaosbench.trainers.scheduled_sampling import ScheduledSampling
from chaosbench.trainers.sofo import SOFO
from chaosbench.trainers.sparse_teacher_forcing import SparseTeacherForcing
from chaosbench.trainers.training_state import Checkpoint, TrainingState
from chaosbench.trainers.truncated_bptt import TruncatedBPTT
from chaosbench.trainers.windowed_bptt import WindowedBPTT

__all__ = [
    "BPTT",
    "RATES",
    "SOFO",
    "Checkpoint",
    "DySLIM",
    "ForcingScheme",
    "GeneralizedTeacherForcing",
    "GradientFlossing",
    "GradientTrainer",
    "HorizonCurriculum",
    "InvariantMeasure",
    "JacobianMatching",
    "Memorise",
    "MultipleShooting",
    "Ridge",
    "ScheduledSampling",
    "SparseTeacherForcing",
    "TrainerSpec",
    "TrainingState",
    "TrainingStep",
    "TruncatedBPTT",
    "UnrollTrainer",
    "WindowTrainer",
    "WindowedBPTT",
    "one_step_error",
    "random_pairs_error",
]
