"""The page on speed shows what the files of the benchmarks hold, and nothing else."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from benchmarks.lines import Line, Stored, Where
from benchmarks.results import append, latest, read
from benchmarks.rounds import Way, compared, needing
from docs.generate.performance import TARGETS, page, targets_table
from docs.generate.performance_gpu import CHANGED
from docs.generate.performance_pictures import slopes

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
WHERE = Where("a machine, 2 cores", "cpu", "2.0", "python -m benchmarks", datetime(2026, 1, 1, tzinfo=UTC))
LATER = replace(WHERE, date=WHERE.date + timedelta(days=1))
LINE = Line("training", "update of lstm", value=2.0, least=1.0, most=3.0, rival="published loop", rival_value=50.0,
            ratio=25.0, ratio_least=20.0, ratio_most=30.0, rounds=7, K=8, T=200, M=30)  # fmt: skip


class Clock:
    """A clock that only work advances."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def work(self, *seconds: float) -> Way:
        """Return a way whose calls take these times in turn."""
        left = [*seconds]

        def call() -> None:
            self.now += left[0] if len(left) == 1 else left.pop(0)

        return Way(call)


@pytest.mark.skipif(not PAGE.exists(), reason="an installed copy has no docs")
def test_the_page_in_the_docs_is_what_the_command_prints():
    """To update the page: python -m docs.generate.performance > docs/performance.md."""
    assert PAGE.read_text(encoding="utf-8") == page(latest(read())) + "\n"


def test_lines_survive_the_files_and_each_benchmark_and_machine_has_its_own(tmp_path: Path):
    other = replace(WHERE, machine="another machine", device="cpu")
    append([LINE, Line("memory", "bptt on lstm", "MiB", 5.0, 5.0, 5.0)], WHERE, tmp_path)
    append([LINE], other, tmp_path)
    append([LINE], LATER, tmp_path)
    assert len(list(tmp_path.iterdir())) == 3
    stored = read(tmp_path)
    assert len(stored) == 4
    assert stored[-1] == Stored(LINE, LATER)


def test_the_latest_number_counts_and_no_reason_replaces_a_number():
    newer = Stored(replace(LINE, value=1.5), LATER)
    absent = Stored(Line(LINE.benchmark, LINE.what, rival=LINE.rival, reason="gone", K=8, T=200, M=30), LATER)
    old = Stored(LINE, WHERE)
    assert latest([old, newer]) == [newer]
    assert latest([old, absent]) == [old]
    assert latest([absent]) == [absent]


def test_ratios_are_of_the_same_round():
    """Ours doubles in the rounds in which the rival does: the ratio stays, though both times vary."""
    clock = Clock()
    ours, rival = clock.work(9.0, 1.0, 2.0, 4.0), clock.work(9.0, 10.0, 20.0, 40.0)
    (line,) = compared(Line("b", "w"), ours, {"rival": rival}, rounds=3, clock=clock)
    assert (line.value, line.least, line.most, line.rival_value) == (2.0, 1.0, 4.0, 20.0)
    assert (line.ratio, line.ratio_least, line.ratio_most) == (10.0, 10.0, 10.0)


def test_a_very_slow_rival_takes_three_turns_of_seven_its_first_call_included():
    clock = Clock()
    ours = clock.work(*[1.0] * 5, 2.0, 1.0, 1.0, 4.0)
    (line,) = compared(Line("b", "w"), ours, {"rival": clock.work(30.0, 80.0, 80.0)}, clock=clock)
    assert (line.rounds, line.value, line.rival_value) == (3, 1.0, 80.0)
    assert (line.ratio, line.ratio_least, line.ratio_most) == (30.0, 20.0, 40.0)


def test_times_are_per_model():
    clock = Clock()
    ours = replace(clock.work(8.0), models=8)
    (line,) = compared(Line("b", "w"), ours, {"rival": clock.work(3.0)}, clock=clock)
    assert (line.value, line.ratio) == (1.0, 3.0)


def test_a_rival_that_is_not_installed_has_a_reason_and_no_ratio():
    clock = Clock()
    rivals = {"rival": needing("no_such_package", lambda: clock.work(1.0))}
    (line,) = compared(Line("b", "w"), clock.work(1.0), rivals, clock=clock)
    assert (line.value, line.rival_value, line.ratio) == (1.0, None, None)
    assert "no_such_package" in line.reason


def test_nothing_is_timed_that_takes_too_long():
    clock = Clock()
    (line,) = compared(Line("b", "w"), clock.work(9.0), {"rival": clock.work(1.0)}, longest=5.0, clock=clock)
    assert line.value is None
    assert "5 s" in line.reason
    assert clock.now == 9.0


def test_without_results_every_target_is_not_measured():
    assert targets_table([]).count("| not measured |") == len(TARGETS)


def test_a_target_shows_the_measured_ratio_with_its_spread():
    rows = targets_table([Stored(LINE, WHERE)]).splitlines()
    (row,) = [row for row in rows if "not measured" not in row and "`lstm`" in row]
    assert "25 (20 to 30)" in row
    assert "a machine" in row


def test_the_slopes_are_those_of_the_machine_that_was_measured_last():
    """Times of two machines on one curve would zigzag."""
    sizes = [
        Line("slopes", "update of lstm", value=1.0 * K, least=0.9 * K, most=1.1 * K, K=K, T=200, M=40)
        for K in (1, 2, 4)
    ]
    older = [Stored(replace(line, value=100.0, most=110.0), WHERE) for line in sizes]
    newer = [Stored(line, replace(LATER, machine="another machine, 4 cores")) for line in sizes]
    figure = slopes([*newer, *older])
    assert figure is not None
    assert "another machine" in figure.get_suptitle()
    curve = figure.axes[0].lines[0]
    assert curve.get_xdata().tolist() == [1, 2, 4]
    assert curve.get_ydata().tolist() == [1e3, 2e3, 4e3]
    assert slopes([]) is None


def test_a_time_on_a_gpu_that_is_older_than_the_kernels_says_so():
    line = Line("gpu", "update of lstm", value=1e-3, least=9e-4, most=2e-3, K=64)
    for date, older in ((CHANGED - timedelta(seconds=1), True), (CHANGED, False)):
        text = targets_table([Stored(line, replace(WHERE, device="NVIDIA H100", date=date))])
        (row,) = (row for row in text.splitlines() if "`lstm` on a GPU, K = 64" in row)
        assert "1.00 ms" in row
        assert ("older kernels" in row) == older
