"""A benchmark for recurrent networks trained on chaotic data."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
API_VERSION = "0.1"  # of the hooks and of the classes that plug-ins derive from; docs/hooks.md gives its promise

# Where each public name lives; fetched when first asked for, so that `import chaosbench` brings no torch.
_HOMES = {
    "ChaosbenchError": "chaosbench.errors",
    "DataError": "chaosbench.errors",
    "DataSpec": "chaosbench.data",
    "Dataset": "chaosbench.data",
    "DiagnosticSpec": "chaosbench.diagnostics",
    "Diagnosis": "chaosbench.theory",
    "Evaluation": "chaosbench.metrics",
    "Experiment": "chaosbench.experiment",
    "Flow": "chaosbench.systems",
    "Forecaster": "chaosbench.models",
    "FullyObservedForecaster": "chaosbench.models",
    "GradientTrainer": "chaosbench.trainers",
    "Map": "chaosbench.systems",
    "MemorisingForecaster": "chaosbench.models",
    "MetricSpec": "chaosbench.metrics",
    "ModelSpec": "chaosbench.models",
    "PublishedBoard": "chaosbench.boards.loaded",
    "Record": "chaosbench.experiment",
    "RegressionForecaster": "chaosbench.models",
    "Result": "chaosbench.experiment",
    "Source": "chaosbench.source",
    "SystemSpec": "chaosbench.systems",
    "TrainerSpec": "chaosbench.trainers",
    "Trait": "chaosbench.models",
    "TrainingStep": "chaosbench.trainers",
    "diagnose": "chaosbench.theory",
    "EvaluationSpec": "chaosbench.experiment",
    "hookimpl": "chaosbench.hookspecs",
    "jacobian_growth": "chaosbench.dynamics",
    "kaplan_yorke_dimension": "chaosbench.dynamics",
    "load": "chaosbench.loading",
    "load_board": "chaosbench.boards.loaded",
    "lyapunov_spectrum": "chaosbench.dynamics",
    "one_step_error": "chaosbench.trainers",
    "orbit": "chaosbench.dynamics",
    "picture": "chaosbench.notebook",
    "run_experiment": "chaosbench.run",
    "runge_kutta_step": "chaosbench.dynamics",
    "score": "chaosbench.scoring",
    "seed_generator": "chaosbench.seeds",
    "show_ranking": "chaosbench.notebook",
}

__all__ = ["API_VERSION", "__version__", *sorted(_HOMES)]  # names served by __getattr__

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module 'chaosbench' has no attribute {name!r}")
        return getattr(import_module(_HOMES[name]), name)
