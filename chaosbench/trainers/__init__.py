"""Training methods, one file each, and the loop they share."""

from chaosbench.trainers.base import GradientTrainer, TrainerSpec, TrainingStep
from chaosbench.trainers.bptt import BPTT
from chaosbench.trainers.sparse_teacher_forcing import SparseTeacherForcing

__all__ = ["BPTT", "GradientTrainer", "SparseTeacherForcing", "TrainerSpec", "TrainingStep"]
