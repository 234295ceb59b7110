"""Certifies the shipped systems and writes `certificates.json`: `python -m docs.generate.certificates [KIND ...]`."""

import argparse
import json
import multiprocessing
import os
from collections.abc import Sequence
from pathlib import Path

from chaosbench import systems
from chaosbench.exponents.certify import certify
from chaosbench.systems.base import SystemSpec
from chaosbench.systems.certificate import Certificate

SHIPPED: tuple[SystemSpec, ...] = (
    systems.Lorenz63(),
    systems.Lorenz63(rho=38.0),
    systems.Rossler(),
    systems.Rossler(a=0.15, c=10.0),
    systems.Lorenz96(),
    systems.Lorenz96(size=20, forcing=16.0, dt=0.01),
    systems.Duffing(),
    systems.MackeyGlass(),
    systems.MackeyGlass(tau=16.0),
    systems.KuramotoSivashinsky(),
    systems.Lorenz84(),
    systems.Chen(),
    systems.Halvorsen(),
    systems.Thomas(),
    systems.HyperRossler(),
    systems.Henon(),
    systems.Logistic(),
    systems.Logistic(r=3.8),
    systems.Ikeda(),
    systems.Lozi(),
    systems.Tent(),
    systems.Torus(),
    systems.LimitCycle(),
    systems.TwoCycle(),
)
_PATH = Path(__file__).with_name("certificates.json")


def main(arguments: Sequence[str] | None = None) -> None:
    """Certify the kinds that are named, or all, and write them beside the others."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", help="only these")
    parser.add_argument("--budget", type=float, default=60.0, help="for each system, on one core [seconds]")
    parser.add_argument("--workers", type=int, default=2, help="processes at once")
    given = parser.parse_args(arguments)
    known = {entry["label"]: entry for entry in json.loads(_PATH.read_text())} if _PATH.exists() else {}
    chosen = [system for system in SHIPPED if not given.kinds or system.kind in given.kinds]
    with multiprocessing.get_context("spawn").Pool(given.workers, initializer=_single_thread) as pool:
        for certificate in pool.imap(_certified, [(system, given.budget) for system in chosen], chunksize=1):
            known[certificate.label] = certificate.model_dump(mode="json")
            failed = ", ".join(check.name for check in certificate.checks if not check.passed)
            print(
                f"{certificate.label}: {certificate.regime}; {f'FAILED: {failed}' if failed else 'all checks passed'}"
            )
    ordered = [known[system.label] for system in SHIPPED if system.label in known]
    beside = _PATH.with_suffix(".part")
    beside.write_text(json.dumps(ordered, indent=1, ensure_ascii=False) + "\n")
    beside.replace(_PATH)


def _certified(order: tuple[SystemSpec, float]) -> Certificate:
    system, budget = order
    return certify(system, budget=budget)


def _single_thread() -> None:
    """Tiny steps run many times slower on several threads of a busy machine."""
    import torch

    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)


if __name__ == "__main__":
    main()
