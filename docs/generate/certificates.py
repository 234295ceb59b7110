"""Certify the shipped systems and write `chaosbench/systems/certificates.json`.

Run `python -m docs.generate.certificates [KIND ...]`.
"""

import argparse
import json
import multiprocessing
import os
from collections.abc import Sequence
from pathlib import Path

from chaosbench import systems
from chaosbench.exponents.certify import certify
from chaosbench.files import write_whole
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
    systems.HenonHeiles(),
    systems.DoublePendulum(),
    systems.Henon(),
    systems.Logistic(),
    systems.Logistic(r=3.8),
    systems.Ikeda(),
    systems.Lozi(),
    systems.Tent(),
    systems.Torus(),
    systems.LimitCycle(),
    systems.Oregonator(),
    systems.TwoCycle(),
)
_PATH = Path(systems.__file__).with_name("certificates.json")


def main(arguments: Sequence[str] | None = None) -> None:
    """Certify the named kinds, or all, and keep the certificates of the others."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", help="kinds to certify; default: all")
    parser.add_argument("--budget", type=float, default=60.0, help="computing time per system on one core [seconds]")
    parser.add_argument("--workers", type=int, default=2, help="number of processes")
    options = parser.parse_args(arguments)
    entries = {entry["label"]: entry for entry in json.loads(_PATH.read_text())} if _PATH.exists() else {}
    chosen = [system for system in SHIPPED if not options.kinds or system.kind in options.kinds]
    with multiprocessing.get_context("spawn").Pool(options.workers, initializer=_single_thread) as pool:
        for certificate in pool.imap(_certified, [(system, options.budget) for system in chosen], chunksize=1):
            entries[certificate.label] = certificate.model_dump(mode="json")
            failed = ", ".join(check.name for check in certificate.checks if not check.passed)
            print(
                f"{certificate.label}: {certificate.regime}; {f'FAILED: {failed}' if failed else 'all checks passed'}"
            )
    ordered = [entries[system.label] for system in SHIPPED if system.label in entries]
    content = json.dumps(ordered, indent=1, ensure_ascii=False) + "\n"
    write_whole(_PATH, lambda temporary: temporary.write_text(content))


def _certified(arguments: tuple[SystemSpec, float]) -> Certificate:
    system, budget = arguments
    return certify(system, budget=budget)


def _single_thread() -> None:
    """Use one thread per process: small steps are many times slower on several threads of a busy machine."""
    import torch

    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)


if __name__ == "__main__":
    main()
