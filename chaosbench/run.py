"""The straight line: data, model, training, diagnosis, forecasts, scores."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter
from typing import Literal

from torch import Tensor

from chaosbench.data import Dataset, simulate
from chaosbench.diagnostics.base import DiagnosticSpec
from chaosbench.diagnostics.health import TrainingHealth
from chaosbench.evaluation import describe_dynamics, evaluate
from chaosbench.experiment import EvaluationSpec, Experiment, Result
from chaosbench.models.forecaster import Forecaster
from chaosbench.recording import Diagnoses, Rows, Training, record
from chaosbench.theory.diagnosis import Diagnosis
from chaosbench.theory.examination import examine
from chaosbench.trainers.base import TrainingStep
from chaosbench.trainers.forcing_scheme import ForcingScheme

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
    experiment: Experiment, *, device: str = "cpu", watch: Watch | None = None, plugins: dict[str, str] | None = None
) -> Result:
    """Run one experiment, all its seeds at once, on one device.

    Args:
        experiment: what to run.
        device: "cpu", or a CUDA device.
        watch: called at the start of each phase, and a few times a second during training.
        plugins: versions to add to the provenance of each run.

    Raises:
        ChaosbenchError: where the experiment cannot be run with this data, model and trainer.
    """
    started, clock = datetime.now(UTC), perf_counter()
    report = watch or _ignore
    report(Progress("data"))
    data = prepare([experiment], device)
    model = build(experiment, data, experiment.seeds)
    report(Progress("diagnosis"))
    initial = diagnose_model(model, data, experiment.evaluation, None, trained=False)
    training = train(experiment, model, data, report)
    rows = examine_and_score(experiment, model, data, initial, training, report)
    return rows.result(started=started, seconds=perf_counter() - clock, plugins=plugins or {})


def prepare(experiments: Sequence[Experiment], device: str) -> Dataset:
    """Return the data that experiments share, on the device; check that every trainer can use them."""
    data = simulate(experiments[0].system, experiments[0].data)
    for experiment in experiments:
        experiment.trainer.check(data)
    return data.to(device, experiments[0].torch_dtype)


def build(experiment: Experiment, data: Dataset, seeds: Sequence[int]) -> Forecaster:
    """Build an experiment's model for these seeds, in the precision of the data and on their device."""
    return experiment.model.build(data.dimension, seeds).to(data.train.device, experiment.torch_dtype)


def train(experiment: Experiment, model: Forecaster, data: Dataset, report: Watch) -> Training:
    """Train in place; diagnostics measure what is due, and `report` is called a few times a second."""
    steps = experiment.trainer.fit(model, data, experiment.seeds)
    course = follow(steps, TrainingHealth(experiment.trainer), experiment.diagnostics, report)
    training = None if course.last is None else course.last.training
    scheme = None if training is None else experiment.trainer.forcing_scheme(training)
    times = course.seconds, course.watching
    return Training(course.measured, course.updates, *times, course.health, scheme, len(experiment.seeds))


@dataclass(frozen=True)
class Course:
    """How a training went: its last step, and fields of `Training`."""

    last: TrainingStep | None
    measured: list[tuple[DiagnosticSpec, int, Tensor]]
    seconds: float
    watching: float
    health: TrainingHealth

    @property
    def updates(self) -> int:
        """Number of updates done."""
        return 0 if self.last is None else self.last.update


def follow(
    steps: Iterator[TrainingStep], health: TrainingHealth, diagnostics: Sequence[DiagnosticSpec], report: Watch
) -> Course:
    """Train to the end, or until every seed has diverged, and measure what is due."""
    measured: list[tuple[DiagnosticSpec, int, Tensor]] = []
    began, reported, watching = perf_counter(), 0.0, 0.0
    step: TrainingStep | None = None
    for step in steps:
        paused = perf_counter()
        health.see(step)
        for diagnostic in diagnostics:
            if diagnostic.due(step):
                measured.append((diagnostic, step.update, diagnostic.measure(step).detach()))
        watching += perf_counter() - paused
        if paused - reported > 0.3 or step.update == step.updates:
            reported = paused
            if not step.loss.isfinite().any():
                break
            report(Progress("training", step.update, step.updates, float(step.loss.nanmedian())))
    return Course(step, measured, perf_counter() - began - watching, watching, health)


def examine_and_score(
    experiment: Experiment, model: Forecaster, data: Dataset, initial: Diagnosis, training: Training, report: Watch
) -> Rows:
    """Diagnose the trained model, run it freely, compute forecasts, and score them."""
    report(Progress("diagnosis"))
    final = diagnose_model(model, data, experiment.evaluation, training.scheme)
    report(Progress("forecasts"))
    bounded = final.motion.bounded.double().mean(1)
    evaluation = evaluate(model, data, experiment.evaluation, final.spectrum / data.dt, bounded=bounded)
    traits = describe_dynamics(model, data, experiment.evaluation)
    report(Progress("scores"))
    device = str(data.train.device)
    return record(experiment, model, data, training, Diagnoses(initial, final), evaluation, traits, device=device)


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
