import os
import shutil
import signal
from datetime import UTC, datetime

import numpy as np
import pytest
from drawn import burst, line, pixels, spiral, words

from chaosbench.builtin import chaosbench_pictures
from chaosbench.errors import StoreError
from chaosbench.experiment import Experiment, Record, Result, Run
from chaosbench.figures import draw as figures
from chaosbench.figures import tables
from chaosbench.figures.base import Layout
from chaosbench.leaderboard import store
from chaosbench.leaderboard.folder import read
from chaosbench.metrics import StateSpaceDivergence
from chaosbench.models import RNN
from chaosbench.plugin_choice import Choice
from chaosbench.systems import Lorenz63
from chaosbench.terminal.drawing import Drawings
from chaosbench.trainers import BPTT

pytest.importorskip("matplotlib")


@pytest.fixture
def make_folder(tmp_path):
    """Return a function that stores an experiment: per seed D_stsp (None if diverged), free run and gradient norms."""

    def make(divergences, free_runs, *, norms=(3.0, 1.0), more=None):
        seeds = tuple(range(10, 10 + len(divergences)))
        experiment = Experiment(
            suite="toy", system=Lorenz63(), model=RNN(), trainer=BPTT(), metrics=(StateSpaceDivergence(),), seeds=seeds
        )
        digest = experiment.digest()
        runs = [
            Run(digest, "toy", seed, "lorenz63", "data", "rnn", "bptt", "ok" if d is not None else "diverged",
                "", 9, 2, 1.0, 1.0, "cpu", datetime.now(UTC))
            for seed, d in zip(seeds, divergences, strict=True)
        ]  # fmt: skip
        records = [
            Record(digest, seed, "state_space_divergence", d, 0.1, "nats", "lower", None)
            for seed, d in zip(seeds, divergences, strict=True)
        ]
        records += [
            Record(digest, seed, "gradient_norm(every=5)", norm, None, "1", "", 5 * (index + 1))
            for seed in seeds
            for index, norm in enumerate(norms)
        ]
        arrays = {"truth": spiral(), "free_run": np.stack(free_runs), "dt": np.array([0.1])} if free_runs else {}
        return store.write(Result(experiment, tuple(runs), tuple(records), arrays | (more or {})), tmp_path)

    return make


@pytest.fixture
def every_array():
    """Return all arrays from which pictures are drawn, for three seeds, of which the last diverged."""
    rng = np.random.default_rng(0)
    horizons, forced, steps, updates = (np.array(values) for values in ([1, 8, 64], [1, 2, 4], [10, 100], [1, 2, 3, 4]))
    growth = 0.1 * horizons + rng.normal(size=(3, 1))
    growth[2] = np.nan
    return {
        "growth_horizons": horizons,
        "growth_state": growth,
        "growth_initial_horizons": horizons[:2],
        "growth_initial": -growth[:, :2],
        "growth_parameters_horizons": horizons[1:],
        "growth_parameters": growth[:, 1:] + 1,
        "growth_forced_horizons": forced,
        "growth_forced": np.where(forced <= 2, 0.1 * forced, -np.inf) + np.zeros((3, 1)),
        "exponents_steps": steps,
        "exponents_running": rng.normal(size=(3, 4, 2, 3)),
        "training_updates": updates,
        "training_loss": rng.gamma(2, size=(3, 4)),
        "training_norm": rng.gamma(2, size=(3, 4)),
        "valid_times": rng.gamma(2, size=(3, 20)),
        "twin_valid_times": rng.gamma(9, size=20),
        "forecasts": rng.normal(size=(3, 4, 30, 2)),
        "futures": rng.normal(size=(4, 30, 2)),
        "deviation": np.ones(2),
        "largest_exponent": np.array([0.9]),
        "error_growth": rng.gamma(2, size=(3, 30)),
        "twin_error_growth": rng.gamma(2, size=30),
        "divergence": np.arange(5.0),
        "divergence_times": np.arange(5.0),
        "divergence_fit": np.array([1.0, 0.1, 0, 40]),
    }


ORBITS = {"attractor", "spectrum", "return_map"}
ALL = ORBITS | {"divergence", "growth", "convergence", "valid_times", "training", "forecasts", "error_growth"}


def draw(folder, pictures=()):
    return figures.draw(read(folder), [*chaosbench_pictures(), *pictures])


def test_every_picture_of_a_folder_is_drawn_and_the_folder_stays_readable(make_folder, every_array):
    folder = make_folder([0.2, 0.1, 0.3], [spiral(), 0.5 * spiral(), 2 * spiral()], more=every_array)
    drawn = draw(folder)
    assert not drawn.failures
    names = [path.name for path in drawn.files]
    assert sorted(names) == sorted(f"{name}.{ending}" for name in ALL for ending in ("arrow", "png"))
    starts = {".png": b"\x89PNG", ".arrow": b"ARROW1"}
    assert all(path.read_bytes().startswith(starts[path.suffix]) for path in drawn.files)
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]
    assert read(folder).runs


def test_only_pictures_that_are_not_there_are_drawn_after_an_interruption(make_folder, every_array):
    folder = make_folder([0.2, 0.1, 0.3], [spiral(), 0.5 * spiral(), 2 * spiral()], more=every_array)
    draw(folder)
    lost = {"growth", "training"}
    kept = {path: path.stat().st_mtime_ns for path in folder.glob("*.png") if path.stem not in lost}
    for name in lost:
        (folder / f"{name}.png").unlink()
    drawn = figures.draw_missing(read(folder), chaosbench_pictures())
    assert {path.stem for path in drawn.files} == lost
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert figures.draw_missing(read(folder), chaosbench_pictures()).files == []


@pytest.fixture
def shown(monkeypatch):
    """Return a function that draws a folder without writing images, and returns the figures by name."""

    def show(folder):
        figures_by_name = {}
        record = lambda figure, path, formats: figures_by_name.update({path.name: figure}) or []  # noqa: E731  # two words
        monkeypatch.setattr(figures, "_save_figure", record)
        assert not draw(folder).failures
        return figures_by_name

    return show


def test_every_picture_can_be_drawn_again_from_its_arrow_file_alone(make_folder, every_array, shown, tmp_path):
    folder = make_folder([0.2, 0.1, None], [spiral(), burst(spiral(), after=9), spiral()], more=every_array)
    drawn = shown(folder)
    assert drawn.keys() == ALL
    for name, figure in drawn.items():
        alone = (folder / f"{name}.arrow").rename(tmp_path / "elsewhere.arrow")
        np.testing.assert_array_equal(pixels(figures.redraw(alone)), pixels(figure), err_msg=name)


def test_every_column_beside_a_picture_has_a_description_and_a_unit_if_it_has_one(make_folder, every_array, shown):
    folder = make_folder([0.2, 0.1, 0.3], [spiral()] * 3, more=every_array)
    for name in shown(folder):
        table = tables.read(folder / f"{name}.arrow")
        fields = {name: table.schema.field(name).metadata for name in table.column_names}
        assert all(field[b"description"] for field in fields.values())
        assert all(fields[name][b"unit"] for name in {"horizon", "step", "time", "update", "steps"} & fields.keys())
        assert table.num_rows


def test_a_picture_of_an_unknown_kind_is_refused(tmp_path):
    table = tables.to_table("tarot", Layout("cards", {}), {})
    with pytest.raises(StoreError, match="'tarot'"):
        figures.redraw(tables.write(tmp_path / "tarot.arrow", table))


@pytest.mark.parametrize(
    ("divergences", "index"),
    [((0.2, 0.1, 0.3), 0), ((None, 0.1, 0.3), 2), ((None, None, 0.3), 0), ((0.4, 0.1), 1), ((5.0,), 0)],
)
def test_the_seed_that_is_drawn_is_the_median_one(make_folder, divergences, index):
    assert read(make_folder(divergences, [])).median_run == index


def test_an_experiment_whose_seeds_all_diverged_is_drawn(make_folder, every_array, shown):
    diverged = {
        name: np.full_like(array, np.nan) if array.ndim > 1 and name.startswith(("growth", "exp", "train")) else array
        for name, array in every_array.items()
    }
    drawn = shown(make_folder([None] * 3, [burst(spiral(), after=0)] * 3, norms=(None, None), more=diverged))
    assert drawn.keys() == ALL
    for name in [*ORBITS, "growth", "convergence", "training"]:
        assert "diverged" in words(drawn[name])
        drawn[name].draw_without_rendering()


def test_a_single_seed_is_drawn(make_folder, every_array, shown):
    arrays = {
        name: array[:1] if array.shape[0] == 3 and array.ndim > 1 else array for name, array in every_array.items()
    }
    drawn = shown(make_folder([0.1], [spiral()], more=arrays))
    assert drawn.keys() == ALL
    for name in ("growth", "convergence", "valid_times", "training"):
        drawn[name].draw_without_rendering()


def test_pictures_without_their_arrays_are_skipped(make_folder, shown):
    assert shown(make_folder([0.1], [], norms=())).keys() == set()
    assert shown(make_folder([0.1, 0.2], [])).keys() == {"training"}
    assert shown(make_folder([0.1, 0.2, 0.3], [spiral()] * 3)).keys() == {*ORBITS, "training"}


def test_a_folder_without_training_curves_shows_the_records_of_the_diagnostics(make_folder, shown):
    figure = shown(make_folder([0.1, None], [], norms=(3.0, None)))["training"]
    (axes,) = figure.axes
    assert axes.get_ylabel() == "gradient norm before clipping [1]"
    assert list(line(axes, "next update is not finite").get_xdata()) == [5, 5]
    assert "2 of 2 seeds diverged" in words(figure)


def test_valid_times_are_not_drawn_for_systems_without_a_lyapunov_time(make_folder, every_array, shown):
    every_array["valid_times"][:] = np.nan
    assert "valid_times" not in shown(make_folder([0.2, 0.1, 0.3], [spiral()] * 3, more=every_array))


def test_without_matplotlib_nothing_is_drawn(make_folder, monkeypatch):
    monkeypatch.setattr(figures, "find_spec", lambda name: None)
    assert not figures.available()
    assert draw(make_folder([0.1], [spiral()])).files == []


def test_pictures_that_a_killed_process_was_to_draw_are_drawn_by_another(make_folder, every_array, tmp_path):
    """The process dies before or while it draws; what waits for it, and what comes later, is drawn all the same."""
    folder = make_folder([0.2, 0.1, 0.3], [spiral(), 0.5 * spiral(), 2 * spiral()], more=every_array)
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    few = [kind for kind in chaosbench_pictures() if kind.model_fields["kind"].default in {"attractor", "training"}]
    with Drawings(few, 1, Choice((), ())) as drawings:
        drawings.begin(folder)
        (process,) = drawings._pool._processes.values()
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        drawings.begin(other)
        drawn = dict(drawings.rest(lambda: None))
    assert drawn == {folder: {}, other: {}}
    for one in drawn:
        assert {path.stem for path in one.glob("*.png")} == {"attractor", "training"}
