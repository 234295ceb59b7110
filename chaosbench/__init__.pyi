# The public names of __init__.py, which fetches them when first asked for; for type checkers and editors.
from chaosbench.boards.loaded import PublishedBoard as PublishedBoard
from chaosbench.boards.loaded import load_board as load_board
from chaosbench.data import Dataset as Dataset
from chaosbench.data import DataSpec as DataSpec
from chaosbench.diagnostics import DiagnosticSpec as DiagnosticSpec
from chaosbench.dynamics import jacobian_growth as jacobian_growth
from chaosbench.dynamics import kaplan_yorke_dimension as kaplan_yorke_dimension
from chaosbench.dynamics import lyapunov_spectrum as lyapunov_spectrum
from chaosbench.dynamics import orbit as orbit
from chaosbench.dynamics import runge_kutta_step as runge_kutta_step
from chaosbench.errors import ChaosbenchError as ChaosbenchError
from chaosbench.errors import DataError as DataError
from chaosbench.experiment import EvaluationSpec as EvaluationSpec
from chaosbench.experiment import Experiment as Experiment
from chaosbench.experiment import Record as Record
from chaosbench.experiment import Result as Result
from chaosbench.hookspecs import hookimpl as hookimpl
from chaosbench.loading import load as load
from chaosbench.metrics import Evaluation as Evaluation
from chaosbench.metrics import MetricSpec as MetricSpec
from chaosbench.models import Forecaster as Forecaster
from chaosbench.models import FullyObservedForecaster as FullyObservedForecaster
from chaosbench.models import MemorisingForecaster as MemorisingForecaster
from chaosbench.models import ModelSpec as ModelSpec
from chaosbench.models import RegressionForecaster as RegressionForecaster
from chaosbench.models import Trait as Trait
from chaosbench.notebook import picture as picture
from chaosbench.notebook import show_ranking as show_ranking
from chaosbench.run import run_experiment as run_experiment
from chaosbench.scoring import score as score
from chaosbench.seeds import seed_generator as seed_generator
from chaosbench.source import Source as Source
from chaosbench.systems import Flow as Flow
from chaosbench.systems import Map as Map
from chaosbench.systems import SystemSpec as SystemSpec
from chaosbench.theory import Diagnosis as Diagnosis
from chaosbench.theory import diagnose as diagnose
from chaosbench.trainers import GradientTrainer as GradientTrainer
from chaosbench.trainers import TrainerSpec as TrainerSpec
from chaosbench.trainers import TrainingStep as TrainingStep
from chaosbench.trainers import one_step_error as one_step_error

API_VERSION: str
__version__: str
