"""The straight line: data, model, training, diagnosis, forecasts, scores."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Literal

from chaosbench.checkpoints import Checkpoints, Course
from chaosbench.data import Dataset, simulate
from chaosbench.diagnostics.health import TrainingHealth
from chaosbench.evaluation import describe_dynamics, evaluate
from chaosbench.experiment import EvaluationSpec, Experiment, Result
from chaosbench.leaderboard import store
from chaosbench.models.forecaster import Forecaster
from chaosbench.recording import Diagnoses, Training, record
from chaosbench.theory.diagnosis import Diagnosis
from chaosbench.theory.examination import examine
from chaosbench.trainers.base import TrainerSpec, TrainingStep, WindowTrainer
from chaosbench.trainers.early_stopping import stopping_records
from chaosbench.trainers.forcing_scheme import ForcingScheme
from chaosbench.trainers.training_state import Checkpoint

Phase = Literal["data", "diagnosis", "training", "forecasts", "scores"]


@dataclass(frozen=True)
class Progress:
    """How far an experiment is.

    Attributes:
        phase: what it does now.
        update, updates: of the training; 0 in every other phase.
        loss: median training loss over seeds; None in every other phase.
    """

    phase: Phase
    update: int = 0
    updates: int = 0
    loss: float | None = None


Watch = Callable[[Progress], None]


def run_experiment(
    experiment: Experiment,
    *,
    device: str = "cpu",
    watch: Watch | None = None,
    plugins: dict[str, str] | None = None,
    results: Path | str | None = None,
    checkpoints: Checkpoints | None = None,
) -> Result:
    """Run one experiment in this process, all its seeds at once, on one device.

    Systems, models and trainers may be defined anywhere, a cell of a notebook included: nothing is pickled.

    Args:
        experiment: what to run.
        device: "cpu", or a CUDA device.
        watch: called at the start of each phase, and a few times a second during training.
        plugins: versions to add to the provenance of each run.
        results: directory in which to store the result, for `chaosbench rank` and `explain`; None: nothing is stored.
        checkpoints: from which training goes on, and where its state is written; None: none are written.

    Returns:
        Rows, records, arrays of pictures and trained weights, in memory.

    Raises:
        ChaosbenchError: where the experiment cannot be run with this data, model and trainer.
    """
    started, clock = datetime.now(UTC), perf_counter()
    report = watch or _ignore
    report(Progress("data"))
    data = simulate(experiment.system, experiment.data)
    experiment.trainer.check(data)
    data = data.to(device, experiment.torch_dtype)
    model = experiment.model.build(data.dimension, experiment.seeds).to(device, experiment.torch_dtype)
    report(Progress("diagnosis"))
    initial = diagnose_model(model, data, experiment.evaluation, None, trained=False)
    training = train(experiment, model, data, report, checkpoints)
    report(Progress("diagnosis"))
    final = diagnose_model(model, data, experiment.evaluation, training.scheme)
    report(Progress("forecasts"))
    evaluation = evaluate(
        model, data, experiment.evaluation, final.spectrum / data.dt, bounded=final.motion.bounded.double().mean(1)
    )
    traits = describe_dynamics(model, data, experiment.evaluation)
    report(Progress("scores"))
    rows = record(experiment, model, data, training, Diagnoses(initial, final), evaluation, traits, device=device)
    result = rows.result(started=started, seconds=perf_counter() - clock, plugins=plugins or {})
    if results is not None:
        store.write(result, Path(results))
    return result


def train(
    experiment: Experiment, model: Forecaster, data: Dataset, report: Watch, checkpoints: Checkpoints | None = None
) -> Training:
    """Train in place; diagnostics measure what is due, and `report` is called a few times a second."""
    course = Course(TrainingHealth(experiment.trainer))
    saved = None if checkpoints is None else checkpoints.resume(course, data.train.device)
    began, reported, earlier = perf_counter(), 0.0, course.seconds
    watched, step = course.watching, None
    for step in _steps(experiment, model, data, saved):
        paused = perf_counter()
        course.health.see(step)
        for diagnostic in experiment.diagnostics:
            if diagnostic.due(step):
                course.measured.append((diagnostic, step.update, diagnostic.measure(step).detach()))
        course.watching += perf_counter() - paused
        if checkpoints is not None:
            written = checkpoints.seconds
            checkpoints.see(step, course, earlier + paused - began - (course.watching - watched) - written)
        if paused - reported > 0.3 or step.update == step.updates:
            reported = paused
            if not step.loss.isfinite().any():
                _finish(experiment.trainer, model, step)
                break
            report(Progress("training", step.update, step.updates, float(step.loss.nanmedian())))
    scheme = None if step is None or step.training is None else experiment.trainer.forcing_scheme(step.training)
    aside = course.watching - watched + (0.0 if checkpoints is None else checkpoints.seconds)
    seconds = earlier + perf_counter() - began - aside
    updates = course.updates if step is None else step.update
    stopping = stopping_records(None if step is None else step.training)
    return Training(course.measured, updates, seconds, course.watching, course.health, scheme, stopping)


def _steps(
    experiment: Experiment, model: Forecaster, data: Dataset, saved: Checkpoint | None
) -> Iterator[TrainingStep]:
    """Return the updates of the training, from its start or from a checkpoint."""
    if saved is None:
        return experiment.trainer.fit(model, data, experiment.seeds)
    assert isinstance(experiment.trainer, WindowTrainer), "only trainers that support checkpoints write them"
    return experiment.trainer.fit(model, data, experiment.seeds, checkpoint=saved)


def _finish(trainer: TrainerSpec, model: Forecaster, step: TrainingStep) -> None:
    """Let a trainer that is not asked for further updates set the model to its final weights."""
    if isinstance(trainer, WindowTrainer) and step.training is not None:
        trainer.finish(model, step.training)


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


def _ignore(progress: Progress) -> None:
    """Report to nobody."""
