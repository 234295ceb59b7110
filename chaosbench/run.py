"""The straight line: data, model, training, diagnosis, forecasts, scores."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

from torch import Tensor

from chaosbench.assessment import diagnose_untrained, examine_and_score
from chaosbench.checkpoints import Checkpoints, Course
from chaosbench.data import Dataset, simulate
from chaosbench.diagnostics.base import DiagnosticSpec
from chaosbench.diagnostics.health import TrainingHealth
from chaosbench.errors import SpecError, one_line
from chaosbench.experiment import Experiment, Record, Result
from chaosbench.isolation import DeadlyError, acting, attempt, one_per_seed
from chaosbench.leaderboard import store
from chaosbench.models.forecaster import Forecaster
from chaosbench.progress import Progress, Watch
from chaosbench.provenance import checksum, of_command
from chaosbench.recording import Training, announce_rest, measured_records
from chaosbench.search.space import changed
from chaosbench.search.study import Found, find
from chaosbench.trainers.base import TrainerSpec, TrainingStep, WindowTrainer
from chaosbench.trainers.early_stopping import stopping_records
from chaosbench.trainers.forcing_scheme import ForcingScheme
from chaosbench.trainers.training_state import TrainingState

__all__ = ["Progress", "Watch", "run_experiment"]


def run_experiment(
    experiment: Experiment,
    *,
    device: str = "cpu",
    watch: Watch | None = None,
    plugins: dict[str, str] | None = None,
    results: Path | str | None = None,
    checkpoints: Checkpoints | None = None,
    announce: Callable[[Record], None] | None = None,
) -> Result:
    """Run one experiment in this process, all its seeds at once, on one device.

    Systems, models and trainers may be defined anywhere, a cell of a notebook included: nothing is pickled.

    Args:
        experiment: what to run.
        device: "cpu", or a CUDA device.
        watch: called at the start of each phase, and a few times a second during training.
        plugins: versions to add to the provenance of each run.
        results: directory in which to store the result, for `chaosbench rank` and `explain`, without the `events.jsonl`
            that campaigns write; None: nothing is stored.
        checkpoints: from which training goes on, and where its state is written; None: none are written.
        announce: called with each record as soon as it exists, those of diagnostics while the model trains.

    Returns:
        Rows, records, arrays of pictures and trained weights, in memory.

    Raises:
        ChaosbenchError: where the experiment cannot be run with this data, model and trainer.
    """
    started, clock = datetime.now(UTC), perf_counter()
    report = watch or _ignore
    report(Progress("data"))
    data = prepare([experiment], device)
    experiment, found = searched(experiment, data, report, checkpoints)
    checkpoints = checkpoints if checkpoints is None or found is None else checkpoints.of(experiment)
    model = build(experiment, data, experiment.seeds)
    report(Progress("diagnosis"))
    initial, remarks = diagnose_untrained(experiment, model, data)
    training = train(experiment, model, data, report, checkpoints, announce)
    training = replace(training, search=found, remarks=(*remarks, *training.remarks))
    rows = examine_and_score(experiment, model, data, initial, training, report)
    announce_rest(rows, training, announce or _ignore)
    result = rows.result(started=started, seconds=perf_counter() - clock, plugins=plugins or {})
    return _stored(result, results)


def _stored(result: Result, results: Path | str | None) -> Result:
    """Return the result; store it first, with the command that runs, if a directory is given."""
    if results is None:
        return result
    result = result.with_provenance(of_command())
    store.write(result, Path(results))
    return result


def prepare(experiments: Sequence[Experiment], device: str) -> Dataset:
    """Return the data that experiments share, on the device; check that every trainer can use them."""
    data = simulate(experiments[0].system, experiments[0].data)
    for experiment in experiments:
        experiment.trainer.check(data)
    return data.to(device, experiments[0].torch_dtype)


def searched(
    experiment: Experiment, data: Dataset, report: Watch, checkpoints: Checkpoints | None = None
) -> tuple[Experiment, Found | None]:
    """Return the experiment with the values that its search finds; without a search as it is."""
    search = experiment.search
    if search is None:
        return experiment, None
    found = find(
        search,
        experiment.model,
        experiment.trainer,
        data,
        file=None if checkpoints is None else checkpoints.trials_file(),
        report=lambda number: report(Progress("search", number, search.trials)),
    )
    model, trainer = changed(experiment.model, experiment.trainer, found.best.values)
    return experiment.replaced(model=model, trainer=trainer), found


def build(experiment: Experiment, data: Dataset, seeds: Sequence[int]) -> Forecaster:
    """Build an experiment's model for these seeds, in the precision of the data and on their device."""
    return experiment.model.build(data.dimension, seeds).to(data.train.device, experiment.torch_dtype)


def train(
    experiment: Experiment,
    model: Forecaster,
    data: Dataset,
    report: Watch,
    checkpoints: Checkpoints | None = None,
    announce: Callable[[Record], None] | None = None,
) -> Training:
    """Train in place; diagnostics measure what is due, and `report` is called a few times a second."""

    def announce_measured(diagnostic: DiagnosticSpec, update: int, values: Tensor) -> None:
        for one in measured_records(experiment, diagnostic, update, values):
            (announce or _ignore)(one)

    before = checksum(data)
    course = Course(TrainingHealth(experiment.trainer), announce=announce_measured if announce else None)
    training = resumed(experiment, model, data, experiment.seeds, course, report, checkpoints)
    remarks = [*course.failures.values(), *changes(experiment.trainer, data, before)]
    scheme = scheme_of(experiment.trainer, training, remarks)
    times, seeds, stopping = (course.seconds, course.watching), len(experiment.seeds), stopping_records(training)
    return Training(
        course.measured, course.updates, *times, course.health, scheme, seeds, stopping, None, before, tuple(remarks)
    )


def changes(trainer: TrainerSpec, data: Dataset, before: str) -> Iterator[str]:
    """Yield a sentence if the training has changed the data, whose checksum before is given."""
    if checksum(data) != before:
        yield f"the trainer {trainer.label}, the model or a diagnostic has changed the data in place"


def scheme_of(trainer: TrainerSpec, training: TrainingState | None, remarks: list[str]) -> ForcingScheme | None:
    """Return where a trainer forces the state at its end; None if it does not say, or raises."""
    if training is None:
        return None
    what = f"forcing_scheme of the trainer {trainer.label}"
    return attempt(lambda: trainer.forcing_scheme(training), otherwise=None, what=what, remarks=remarks)


def resumed(
    experiment: Experiment,
    model: Forecaster,
    data: Dataset,
    seeds: Sequence[int],
    course: Course,
    report: Watch,
    checkpoints: Checkpoints | None,
    trainers: Sequence[TrainerSpec] = (),
) -> TrainingState | None:
    """Train to the end, from the last checkpoint if there is one, and record in `course` what is due.

    Args:
        experiment: the one that is trained, or the first of several that are trained as one batch.
        seeds: of the whole batch.
        trainers: one per seed, where they differ; empty: that of the experiment for all.
    """
    each: dict[str, Any] = {"trainers": trainers} if trainers else {}
    saved = None if checkpoints is None else checkpoints.resume(course, data.train.device)
    if saved is None:
        steps = experiment.trainer.fit(model, data, seeds, **each)
    elif course.updates == getattr(experiment.trainer, "updates", 0):
        return _checkpointed(experiment).finished(model, data, seeds, saved, **each)
    else:
        steps = _checkpointed(experiment).fit(model, data, seeds, checkpoint=saved, **each)
    return follow(steps, course, experiment, report, checkpoints)


def _checkpointed(experiment: Experiment) -> WindowTrainer:
    assert isinstance(experiment.trainer, WindowTrainer), "only trainers that support checkpoints write them"
    return experiment.trainer


def follow(
    steps: Iterator[TrainingStep],
    course: Course,
    experiment: Experiment,
    report: Watch,
    checkpoints: Checkpoints | None = None,
) -> TrainingState | None:
    """Train to the end, or until every seed has diverged, and record in `course` what is due.

    Args:
        steps: the updates to do.
        course: what earlier processes have recorded.
        experiment: the one that is trained, or the first of several that are trained as one batch.
        report: is called at the start, and a few times a second.
        checkpoints: where the state of the training is written; None: none is.

    Returns:
        The trainer's state after the last update; None if the trainer has none.

    Raises:
        SpecError: if there was no update.
    """
    began, reported, step = perf_counter(), 0.0, None
    earlier, watched = course.seconds, course.watching

    def seconds(now: float) -> float:
        aside = course.watching - watched + (0.0 if checkpoints is None else checkpoints.seconds)
        return earlier + now - began - aside

    report(Progress("training"))
    for step in steps:
        paused = perf_counter()
        _watch(step, course, experiment.diagnostics)
        if checkpoints is not None:
            checkpoints.see(step, course, seconds(perf_counter()))
        if paused - reported > 0.3 or step.update == step.updates:
            reported = paused
            if not step.loss.isfinite().any():
                _finish(experiment.trainer, step)
                break
            numbers = float(step.loss.nanmedian()), course.health.median_norm
            report(Progress("training", step.update, step.updates, *numbers))
    course.seconds = seconds(perf_counter())
    course.updates = course.updates if step is None else step.update
    if not course.updates:
        raise SpecError(f"the trainer {experiment.trainer.label} has made no update: its fit yielded no step")
    return None if step is None else step.training


def _watch(step: TrainingStep, course: Course, diagnostics: Sequence[DiagnosticSpec]) -> None:
    """Record the health of an update and measure what is due; a diagnostic that raises is left out from then on."""
    began = perf_counter()
    course.health.see(step)
    for diagnostic in diagnostics:
        if diagnostic.label in course.failures:
            continue
        try:
            if not diagnostic.due(step):
                continue
            with acting(f"the diagnostic {diagnostic.label}"):
                values = one_per_seed(diagnostic.measure(step), step.model.seeds)
        except (Exception, SystemExit) as error:  # one of a plug-in may raise anything, and training must not be lost
            what = str(error) if isinstance(error, DeadlyError) else f"raised {one_line(error)}"
            why = f"the diagnostic {diagnostic.label} {what}"
            course.failures[diagnostic.label] = f"{why} at update {step.update}, and is left out from there"
            continue
        course.measured.append((diagnostic, step.update, values))
        if course.announce is not None:
            course.announce(diagnostic, step.update, values)
    course.watching += perf_counter() - began


def _finish(trainer: TrainerSpec, step: TrainingStep) -> None:
    """Let a trainer that is not asked for further updates set the model to its final weights."""
    if isinstance(trainer, WindowTrainer) and step.training is not None:
        trainer.finish(step.model, step.training)


def _ignore(_: object) -> None:
    """Report to nobody."""
