"""The part of an experiment after training: diagnosis, free runs, forecasts, scores; what raises is left out."""

from dataclasses import replace

import torch

from chaosbench.data import Dataset
from chaosbench.evaluation import describe_dynamics, evaluate
from chaosbench.experiment import EvaluationSpec, Experiment, Record
from chaosbench.isolation import attempt
from chaosbench.metrics.base import Evaluation
from chaosbench.models.forecaster import Forecaster, Trait
from chaosbench.progress import Progress, Watch
from chaosbench.recorded_scores import score_records
from chaosbench.recording import Diagnoses, Rows, Training, record
from chaosbench.theory.diagnosis import Diagnosis
from chaosbench.theory.examination import examine
from chaosbench.trainers.forcing_scheme import ForcingScheme


def diagnose_untrained(
    experiment: Experiment, model: Forecaster, data: Dataset
) -> tuple[Diagnosis | None, tuple[str, ...]]:
    """Return the diagnosis before training, or None and a sentence on what it raised.

    Models that do not learn by gradients have none: no gradient follows their first weights, which often are zero.
    """
    remarks = list[str]()
    if experiment.trainer.learning != "gradients":
        return None, ()
    what = f"the diagnosis of {experiment.model.label} before training"
    initial = attempt(
        lambda: diagnose_model(model, data, experiment.evaluation, None, trained=False),
        otherwise=None, what=what, remarks=remarks,
    )  # fmt: skip
    return initial, tuple(remarks)


def examine_and_score(
    experiment: Experiment,
    model: Forecaster,
    data: Dataset,
    initial: Diagnosis | None,
    training: Training,
    report: Watch,
) -> Rows:
    """Diagnose the trained model, run it freely, compute forecasts, and score them; what raises is left out."""
    spec, name, remarks = experiment.evaluation, experiment.model.label, list(training.remarks)
    report(Progress("diagnosis"))
    final = attempt(
        lambda: diagnose_model(model, data, spec, training.scheme),
        otherwise=None, what=f"the diagnosis of {name}", remarks=remarks,
    )  # fmt: skip
    report(Progress("forecasts"))
    evaluation = attempt(
        lambda: _evaluated(model, data, spec, final, remarks, name),
        otherwise=None, what=f"the free run of {name}", remarks=remarks,
    )  # fmt: skip
    none: dict[str, Trait] = {}
    traits = attempt(
        lambda: describe_dynamics(model, data, spec),
        otherwise=none, what=f"describe_dynamics of {name}", remarks=remarks,
    )  # fmt: skip
    report(Progress("scores"))
    training, device = replace(training, remarks=tuple(remarks)), str(data.train.device)
    return record(experiment, model, data, training, Diagnoses(initial, final), evaluation, traits, device=device)


def scored_again(experiment: Experiment, model: Forecaster, data: Dataset) -> list[Record]:
    """Return the scores of a trained model, computed from it alone."""
    spec, name = experiment.evaluation, experiment.model.label
    evaluation = _evaluated(model, data, spec, diagnose_model(model, data, spec, None), [], name)
    assert evaluation is not None, "only what raises has no evaluation, and here it is not caught"
    return score_records(experiment, evaluation)


def _evaluated(
    model: Forecaster, data: Dataset, spec: EvaluationSpec, final: Diagnosis | None, remarks: list[str], name: str
) -> Evaluation | None:
    """Return free runs and forecasts; without a diagnosis the exponents are unknown."""
    if final is None:
        unknown = torch.full((model.seeds, spec.exponent_count(data.dimension)), torch.nan)
        return evaluate(model, data, spec, unknown, failures=remarks, name=name)
    bounded = final.motion.bounded.double().mean(1)
    return evaluate(model, data, spec, final.spectrum / data.dt, bounded=bounded, failures=remarks, name=name)


def diagnose_model(
    model: Forecaster, data: Dataset, spec: EvaluationSpec, scheme: ForcingScheme | None, *, trained: bool = True
) -> Diagnosis:
    """Measure gradient growth and Lyapunov exponents; before training, exponents over a quarter of the steps."""
    return examine(
        model,
        data,
        context=spec.context,
        conditions=spec.exponent_conditions,
        steps=spec.exponent_steps if trained else max(1, spec.exponent_steps // 4),
        transient=spec.exponent_transient,
        # One more than the system can have: the gap behind its own exponents sets the others apart.
        exponents=spec.exponent_count(data.dimension) + 1,
        path=scheme,
        trained=trained,
    )
