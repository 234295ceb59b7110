"""Choose steps and transients for the systems of dysts, certify them, and write what the package ships.

python make_certificates.py run FOLDER --budget 20 [NAME ...]    # one file per system; finished ones are skipped
python make_certificates.py collect FOLDER                       # numerics.json, certificates.json, verdicts.json
"""

import argparse
import json
import time
import warnings
from math import floor, log10
from pathlib import Path
from typing import Any

import torch
from chaosbench_dysts import DystsDelay, DystsFlow, DystsMap, equations, installed
from chaosbench_dysts.numerics import Numerics, numerics
from torch import Generator, Tensor

import chaosbench
from chaosbench.dynamics import finite_time_exponents, orbit
from chaosbench.errors import ChaosbenchError
from chaosbench.exponents import certify
from chaosbench.files import write_whole
from chaosbench.systems import Flow, SystemSpec

KINDS: dict[str, type[DystsFlow] | type[DystsMap] | type[DystsDelay]] = {
    "dysts_flow": DystsFlow,
    "dysts_map": DystsMap,
    "dysts_delay": DystsDelay,
}
PACKAGE = Path(__file__).parent / "chaosbench_dysts"
_ERROR = 2e-7  # largest error of a step, in standard deviations of the orbit [1 / system time]
_PERIOD_ERROR = 1e-5  # the same per period that dysts stores
_SUBSTEPS = 4  # more would take long to compile; dt becomes shorter instead
_FINEST = 16  # part of a hundredth of a period; kinks are not resolved any better
_ALIGNED = 45  # Lyapunov times after which orbits a billionth apart are independent, and mixed
_NARROW = 0.2  # largest interval of a certified exponent, in units of the exponent
_SAMPLES = 60  # of a delay, so that twice as many can still be compiled


def names() -> list[tuple[str, str]]:
    """Return kind and name of every system."""
    flows = equations.entries("flows")
    kinds = [("dysts_delay" if entry.delayed else "dysts_flow", name) for name, entry in flows.items()]
    return kinds + [("dysts_map", name) for name in equations.entries("maps")]


def first_numerics(kind: str, name: str) -> Numerics:
    """Return a hundredth of the period that dysts stores as the step, before errors are measured."""
    entry = equations.entry("maps" if kind == "dysts_map" else "flows", name, delayed=kind == "dysts_delay")
    if kind == "dysts_map":
        return Numerics(1.0, 1, 1000.0)
    if kind == "dysts_delay":
        tau = entry.parameters["tau"]
        assert isinstance(tau, float)
        return Numerics(tau / min(_SAMPLES, max(12, round(100 * tau / entry.period))), 1, 100 * entry.period)
    return Numerics(_rounded(entry.period / 100), 1, 50 * entry.period)


def set_numerics(kind: str, name: str, chosen: Numerics) -> SystemSpec:
    """Use these numerics in this process, and return the system."""
    numerics()[kind][name] = chosen
    return KINDS[kind](name=name)


def resolved(kind: str, name: str, chosen: Numerics) -> Numerics:
    """Return the numerics with so short a step that its error is within bounds."""
    system = set_numerics(kind, name, chosen)
    if isinstance(system, DystsDelay):
        for substeps in (1, 2, 4, 8):
            if system.replaced(substeps=substeps).step_error() < _ERROR:
                break
        return chosen._replace(substeps=substeps)
    if not isinstance(system, DystsFlow):
        return chosen
    points = _points(system)
    parts = 1
    while parts < _FINEST and not _accurate(system.replaced(substeps=1, dt=system.dt / parts), points):
        parts *= 2
    substeps = min(parts, _SUBSTEPS)
    return chosen._replace(dt=_rounded(system.dt * substeps / parts), substeps=substeps)


def _points(system: DystsFlow) -> Tensor:
    """Return states along some orbits, `(N, S)`, by steps so short that the orbits stay finite."""
    for substeps in (1, 4):
        path = orbit(system.replaced(substeps=substeps), _starts(system, 8), steps=64, every=40, transient=100)
        if bool(path.isfinite().all()):
            return path.flatten(0, 1)[::2]
    points = path.flatten(0, 1)[::2]
    return points[points.isfinite().all(-1)]


def _accurate(system: DystsFlow, points: Tensor) -> bool:
    if len(points) < 8:
        return True  # it escapes, and no step helps
    difference = (Flow.step(system, points) - Flow.step(system.refined(), points)).abs()
    deviation = points.std(0)
    scaled = difference / torch.where(deviation > 0, deviation, torch.ones_like(deviation))
    error = float(scaled.nan_to_num(1e9).max()) / system.dt
    return error < _ERROR and error * system.entry.period < _PERIOD_ERROR


def with_transient(kind: str, name: str, chosen: Numerics) -> Numerics:
    """Return the numerics with a transient in which orbits become independent, from a short run."""
    system = set_numerics(kind, name, chosen)
    period = 1.0 if kind == "dysts_map" else system.entry.period  # type: ignore[attr-defined]  # has an entry
    rates = finite_time_exponents(
        system, _starts(system, 16), steps=4000, blocks=5, transient=2000, exponents=1, dt=system.dt
    )
    finite = rates[..., 0].mean(1)[rates[..., 0].isfinite().all(1)]
    largest = float(finite.mean()) if len(finite) else 0.0
    chaotic = largest * period > 2e-3
    wanted = max(chosen.transient, _ALIGNED / largest) if chaotic else 4 * chosen.transient
    return chosen._replace(transient=_rounded(min(wanted, (5000 if kind == "dysts_map" else 1000) * period)))


def _starts(system: SystemSpec, count: int) -> Tensor:
    return system.random_starts(count, Generator().manual_seed(0))


def _rounded(value: float) -> float:
    """Return the number with two significant digits."""
    unit = 10.0 ** (floor(log10(value)) - 1)
    return float(f"{round(value / unit) * unit:.6g}")


def work(kind: str, name: str, budget: float, path: Path) -> dict[str, Any]:
    """Certify a system and write its numerics and its certificate, or why there is none."""
    row: dict[str, Any] = {"kind": kind, "name": name, "budget": budget}
    row["versions"] = {"chaosbench": chaosbench.__version__, "dysts": installed.VERSION}
    try:
        chosen = with_transient(kind, name, resolved(kind, name, first_numerics(kind, name)))
        row["numerics"] = chosen
        certificate = certify(set_numerics(kind, name, chosen), budget=budget, clock=time.process_time)
        row["certificate"] = json.loads(certificate.model_dump_json())
        row["failed"] = [check.name for check in certificate.checks if not check.passed]
    except torch.linalg.LinAlgError:
        row["error"] = "orbits from the stored state are not finite"
    except (ChaosbenchError, ArithmeticError, RuntimeError, NotImplementedError) as error:
        row["error"] = str(error)
    write_whole(path, lambda beside: beside.write_text(json.dumps(row)))
    return row


def collect(folder: Path) -> None:
    """Write the package's numerics and certificates, and a verdict for each system, from the files of all runs."""
    rows = {}
    for path in sorted(folder.glob("*.json")):
        row = json.loads(path.read_text())
        rows[row["kind"], row["name"]] = row
    table: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
    for kind, name in sorted(names()):
        table[kind][name] = rows.get((kind, name), {}).get("numerics") or first_numerics(kind, name)
    certified = [row for row in rows.values() if verdict(row) == "certified"]
    lines = [json.dumps({"versions": row["versions"], **row["certificate"]}) for row in certified]
    _write(PACKAGE / "certificates.json", "[\n" + ",\n".join(lines) + "\n]\n")
    _write(PACKAGE / "numerics.json", _one_a_line(table))
    verdicts = {kind: {name: _verdict_row(rows.get((kind, name))) for name in table[kind]} for kind in table}
    _write(PACKAGE.parent / "verdicts.json", _one_a_line(verdicts))


def verdict(row: dict[str, Any] | None) -> str:
    """Return "certified", or why a system is not: a word for the reason."""
    if row is None or not row["budget"]:
        return "not tried"
    if "certificate" not in row:
        return "refused"
    if row["failed"]:
        return "check failed"
    if row["certificate"]["regime"] == "undecided":
        return "undecided"
    return "certified" if _narrow(row) else "wide interval"


def _narrow(row: dict[str, Any]) -> bool:
    """Return whether the interval of the largest exponent is narrow beside it, or beside a period where it is zero."""
    reference = row["certificate"]["reference"]
    largest, interval = reference["exponents"][0], reference["intervals"][0]
    if row["certificate"]["regime"] == "chaotic":
        return bool(interval < _NARROW * largest)
    system = KINDS[row["kind"]](name=row["name"])
    return bool(interval < _NARROW / 10 / (1.0 if row["kind"] == "dysts_map" else system.entry.period))


def _verdict_row(row: dict[str, Any] | None) -> dict[str, Any]:
    content: dict[str, Any] = {"verdict": verdict(row)}
    if row is None or content["verdict"] == "not tried":
        return content
    if "certificate" in row:
        content |= {"regime": row["certificate"]["regime"], "failed": row["failed"]}
        content["largest"] = row["certificate"]["reference"]["exponents"][0]
        content["interval"] = row["certificate"]["reference"]["intervals"][0]
    else:
        content["reason"] = row["error"]
    return content


def _one_a_line(table: dict[str, dict[str, Any]]) -> str:
    """Return JSON with a line for each system."""
    kinds = []
    for kind, entries in table.items():
        lines = [f"  {json.dumps(name)}: {json.dumps(entry)}" for name, entry in entries.items()]
        kinds.append(f' "{kind}": {{\n' + ",\n".join(lines) + "\n }")
    return "{\n" + ",\n".join(kinds) + "\n}\n"


def _write(path: Path, text: str) -> None:
    write_whole(path, lambda beside: beside.write_text(text))


def main() -> None:
    """Run or collect, as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["run", "collect"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", help="default: all")
    parser.add_argument("--budget", type=float, default=20.0, help="processor time for each system [seconds]")
    options = parser.parse_args()
    if options.action == "collect":
        collect(options.folder)
        return
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    options.folder.mkdir(parents=True, exist_ok=True)
    for kind, name in names():
        path = options.folder / f"{kind}.{name}.json"
        if not path.exists() and (not options.names or name in options.names):
            row = work(kind, name, options.budget, path)
            print(name, verdict(row), row.get("error", ""), flush=True)


if __name__ == "__main__":
    main()
