"""Draw the pictures of finished experiments in processes of their own, while other experiments run."""

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console

from chaosbench import registry
from chaosbench.errors import one_line, printable
from chaosbench.execution.child import settle
from chaosbench.experiment import Experiment
from chaosbench.figures import draw as figures
from chaosbench.figures.base import ExperimentPicture
from chaosbench.formats import counted
from chaosbench.interrupts import Interrupts
from chaosbench.leaderboard.folder import Stored, read
from chaosbench.leaderboard.rank import rank
from chaosbench.plugin_choice import Choice
from chaosbench.processes import context
from chaosbench.registry import Registry
from chaosbench.spec import Spec

Failures = dict[str, str]
_TICK = 0.25  # [s] at most between two looks for an interruption


class Drawings:
    """The pictures of a campaign, several drawn at a time; a context manager, which gives up those that wait.

    Args:
        pictures: kinds of pictures, as in the registry; those of boards are left out.
        workers: the largest number of processes.
        plugins: those that the processes load.
        formats: of the pictures.
    """

    def __init__(
        self, pictures: Iterable[type[Spec]], workers: int, plugins: Choice, formats: Sequence[str] = figures.SCREEN
    ) -> None:
        self._formats = tuple(formats)
        kinds = [kind for kind in pictures if issubclass(kind, ExperimentPicture)]
        self._kinds = [str(kind.model_fields["kind"].default) for kind in kinds]
        self._workers, self._plugins = workers, plugins
        self._pool = self._new_pool(workers)
        self._waiting: dict[Path, dict[str, Future[Failures]]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:  # an interruption does not wait for pictures, which are drawn later
            _kill(self._pool)
        self._pool.shutdown(cancel_futures=True)

    def begin(self, folder: Path) -> None:
        """Draw the pictures of the experiment that is stored in a folder."""
        self._waiting[folder] = {kind: self._submit(folder, kind) for kind in self._kinds}

    def finished(self) -> Iterator[tuple[Path, Failures]]:
        """Yield the folders whose pictures have all been drawn since the last call, with the error of each failure."""
        for folder, futures in list(self._waiting.items()):
            if all(future.done() for future in futures.values()):
                del self._waiting[folder]
                failures = [self._failures(folder, kind, future) for kind, future in futures.items()]
                yield folder, {kind: error for one in failures for kind, error in one.items()}

    def rest(self, check: Callable[[], object]) -> Iterator[tuple[Path, Failures]]:
        """Yield the other folders, each as soon as its pictures are drawn.

        Args:
            check: is called several times a second, and may raise.
        """
        while self._waiting:
            pending = [one for futures in self._waiting.values() for one in futures.values() if not one.done()]
            wait(pending, _TICK, FIRST_COMPLETED)
            check()
            yield from self.finished()

    def _new_pool(self, workers: int) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(workers, mp_context=context(), initializer=_settle, initargs=(self._plugins,))

    def _submit(self, folder: Path, kind: str) -> Future[Failures]:
        try:
            return self._pool.submit(_draw, folder, kind, self._formats)
        except BrokenProcessPool:  # a picture before has ended its process
            self._pool.shutdown()
            self._pool = self._new_pool(self._workers)
            return self._pool.submit(_draw, folder, kind, self._formats)

    def _failures(self, folder: Path, kind: str, future: "Future[Failures]") -> Failures:
        """Return the error of a picture by its kind; nothing if it has been drawn.

        A process that dies takes other pictures with it, so that each of them is tried once more, alone.
        """
        error = future.exception()
        if isinstance(error, BrokenProcessPool):
            with self._new_pool(1) as pool:
                error = (future := pool.submit(_draw, folder, kind, self._formats)).exception()
        if isinstance(error, BrokenProcessPool):
            return {kind: "it has ended its process"}
        return future.result() if error is None else {kind: one_line(error)}


def draw_again(
    experiments: Sequence[Stored], results: Path | None, kinds: Registry, *, workers: int, formats: tuple[str, ...]
) -> int:
    """Draw the pictures of stored experiments, print what was drawn, and return the number of pictures that failed.

    Args:
        experiments: those to draw.
        results: the results directory, whose boards are drawn as well; None: no boards.
        kinds: the registry, with the kinds of pictures.
        workers: the largest number of processes.
        formats: of the pictures.
    """
    console, pictures, failed = Console(highlight=False, soft_wrap=True), kinds.kinds["picture"].values(), 0
    with Interrupts() as interrupts, Drawings(pictures, workers, kinds.choice(), formats) as drawings:
        for stored in experiments:
            drawings.begin(stored.folder)
        for folder, failures in drawings.rest(interrupts.check):
            failed += len(failures)
            _report(console, folder, failures)
    if results is not None:
        drawn = figures.draw_boards(rank(experiments), experiments, results, pictures, formats=formats)
        failed += len(drawn.failures)
        _report(console, results, drawn.failures)
    return failed


def draw_lost(experiments: Sequence[Experiment], earlier: Iterable[Stored], pictures: Sequence[type[Spec]]) -> None:
    """Draw the pictures that an interrupted command did not draw any more, and print how many they are.

    Args:
        experiments: those of the suite.
        earlier: what was stored before this command.
        pictures: kinds of pictures to draw.
    """
    console = Console(highlight=False, soft_wrap=True)
    identities = {experiment.identity for experiment in experiments}
    for stored in earlier if figures.available() else ():
        if stored.identity not in identities or stored.retryable:
            continue
        drawn = figures.draw_missing(stored, pictures)
        if count := sum(path.suffix == ".png" for path in drawn.files):
            console.print(f"{stored.folder}: {counted(count, 'missing picture')} drawn", markup=False)


def _report(console: Console, folder: Path, failures: Failures) -> None:
    for kind, error in failures.items():
        console.print(printable(f"{folder}: the picture {kind} could not be drawn: {error}"), markup=False)
    console.print(printable(f"{folder}: drawn"), markup=False)


def _kill(pool: ProcessPoolExecutor) -> None:
    """End the processes of a pool at once, which Python offers from 3.14 on."""
    for process in list((pool._processes or {}).values()):
        process.kill()


def _settle(plugins: Choice) -> None:
    plugins.export()
    settle()
    gc.collect()
    gc.freeze()  # what is loaded stays, and need not be searched for garbage again and again


def _draw(folder: Path, kind: str, formats: tuple[str, ...]) -> Failures:
    """Draw one picture in this process and return its error by its kind."""
    return figures.draw(read(folder), [_kinds()[kind]], formats=formats).failures


@cache
def _kinds() -> dict[str, type[Spec]]:
    return dict(registry.load().kinds["picture"])
