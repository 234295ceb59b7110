"""What the pictures of an experiment show: their arguments, gathered from its folder."""

import math
from typing import Any

import numpy as np

from chaosbench.figures.power_spectrum import spectra
from chaosbench.figures.return_map import returns
from chaosbench.leaderboard.folder import Arrays, Stored

Arguments = dict[str, Any]


def known_exponents(stored: Stored) -> list[float]:
    """The system's own Lyapunov exponents, leading ones first, as far as they are known [1 / system time]."""
    truth = {row["name"]: row["floor"] for row in stored.records if row["update"] is None}
    found: list[float] = []
    while (value := truth.get(f"diagnosis.lyapunov_exponent_{len(found) + 1}")) is not None:
        found.append(value)
    return found


def attractor(stored: Stored, arrays: Arrays) -> Arguments:
    """The true orbit, of a measured series the training data, and the free run of the median seed."""
    place = stored.median_run
    orbits = arrays.get("measured", arrays["truth"]), arrays["free_run"][place]
    truth, free_run = (series[:, :3] for series in orbits)
    return {"truth": truth, "free_run": free_run, "label": _label(stored, place=place)}


def spectrum(stored: Stored, arrays: Arrays) -> Arguments:
    """Power spectra of the truth and of the free run of the median seed."""
    place = stored.median_run
    shown = spectra(arrays["truth"], arrays["free_run"][place], float(arrays["dt"].item()))
    return {**shown, "label": _label(stored, place=place)}


def return_map(stored: Stored, arrays: Arrays) -> Arguments:
    """Successive maxima of the truth and of the free run of the median seed."""
    place = stored.median_run
    shown = returns(arrays["truth"], arrays["free_run"][place])
    return {**shown, "label": _label(stored, place=place)}


def divergence(stored: Stored, arrays: Arrays) -> Arguments:
    """The divergence of neighbours in a measured series, and the line fitted to it."""
    slope, interval, start, stop = arrays["divergence_fit"].tolist()
    return {
        "times": arrays["divergence_times"],
        "log_divergence": arrays["divergence"],
        "slope": slope,
        "interval": interval,
        "fit": (start, stop),
        "dt": float(arrays["dt"].item()),
        "label": stored.runs[0]["system"],
    }


def growth(stored: Stored, arrays: Arrays) -> Arguments:
    """How the gradients of each seed grow, with the slopes and exponents that were found."""
    dt, exponents = float(arrays["dt"].item()), arrays.get("exponents_running")
    known = known_exponents(stored)
    return {
        "horizons": arrays["growth_horizons"],
        "state": arrays["growth_state"],
        "slopes": _diagnosed(stored, "gradient_growth", dt),
        "parameter_horizons": arrays.get("growth_parameters_horizons"),
        "parameters": arrays.get("growth_parameters"),
        "parameter_slopes": _diagnosed(stored, "loss_gradient_growth", dt),
        "initial_horizons": arrays.get("growth_initial_horizons"),
        "initial": arrays.get("growth_initial"),
        "forced_horizons": arrays.get("growth_forced_horizons"),
        "forced": arrays.get("growth_forced"),
        "chain": None if (reach := _diagnosed(stored, "chain_length", 1.0)) is None else float(reach[0]),
        "exponents": None if exponents is None else dt * exponents[:, :, -1, 0].mean(axis=1),
        "data_exponent": dt * known[0] if known else None,
        "seeds": _seeds(stored),
        "label": _label(stored),
    }


def convergence(stored: Stored, arrays: Arrays) -> Arguments:
    """Running estimates of the exponents of the median seed."""
    place = stored.median_run
    known = known_exponents(stored)
    return {
        "steps": arrays["exponents_steps"],
        "running": arrays["exponents_running"][place],
        "reference": np.array(known) if known else None,
        "label": _label(stored, place=place),
    }


def valid_times(stored: Stored, arrays: Arrays) -> Arguments | None:
    """Valid prediction times of each seed; None where the system has no Lyapunov time."""
    if not np.isfinite(arrays["valid_times"]).any():
        return None
    twin = arrays.get("twin_valid_times")
    return {"model": arrays["valid_times"], "twin": twin, "seeds": _seeds(stored), "label": _label(stored)}


def training(stored: Stored, arrays: Arrays) -> Arguments | None:
    """From the arrays, or of a folder without them from what the diagnostics recorded; None of a single update.

    A trainer without gradients has no more than one.
    """
    if stored.runs[0]["updates"] == 1:
        return None
    shared = {"clip": stored.experiment["trainer"].get("clip_norm"), "seeds": _seeds(stored), "label": _label(stored)}
    if "training_updates" in arrays:
        curves = {name: arrays.get(f"training_{name}") for name in ("updates", "loss", "norm")}
        return {**curves, **shared}
    recorded = {name: _watched(stored, kind) for name, kind in (("loss", "loss"), ("norm", "gradient_norm"))}
    found = {name: watched for name, watched in recorded.items() if watched}
    if not found:
        return None
    updates = sorted({update for watched in found.values() for update, _ in watched})
    table = {
        name: np.array([[watched.get((update, seed), np.nan) for update in updates] for seed in shared["seeds"]])
        for name, watched in found.items()
    }
    return {"updates": np.array(updates), **table, **shared}


def _label(stored: Stored, *, place: int | None = None) -> str:
    run = stored.runs[0 if place is None else place]
    seed = "" if place is None else f", seed {run['seed']}"
    return f"{run['trainer']} on {run['model']}, {run['system']}{seed}"


def _seeds(stored: Stored) -> list[int]:
    return [run["seed"] for run in stored.runs]


def _diagnosed(stored: Stored, name: str, unit: float) -> np.ndarray[Any, Any] | None:
    """A number that the diagnosis found for each seed, in another unit; NaN where the seed has none."""
    found = {
        row["seed"]: row["value"]
        for row in stored.records
        if row["update"] is None and row["name"] == f"diagnosis.{name}" and row["value"] is not None
    }
    return np.array([unit * found.get(seed, math.nan) for seed in _seeds(stored)]) if found else None


def _watched(stored: Stored, kind: str) -> dict[tuple[int, int], float]:
    """What a diagnostic recorded, by update and seed; NaN where the seed had diverged."""
    return {
        (row["update"], row["seed"]): math.nan if row["value"] is None else row["value"]
        for row in stored.records
        if row["update"] is not None and row["name"].partition("(")[0] == kind
    }
