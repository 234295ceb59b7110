"""Certify the systems outside the catalogue, or write their page.

`python -m docs.generate.verdicts certify [NAME ...]` certifies those whose definition has changed, and stores each at
once, so that the same command goes on where it was stopped; `python -m docs.generate.verdicts > docs/verdicts.md`
writes the page from what is stored.
"""

import argparse
import time
from collections.abc import Sequence

import torch

from chaosbench.errors import DataError
from chaosbench.exponents import certify, certify_orbit
from chaosbench.systems.certificate import Certificate
from docs.generate.verdicts.page import page
from docs.generate.verdicts.rows import Row, Verdict, rows, store, verdicts


def main(arguments: Sequence[str] | None = None) -> None:
    """Certify what is not stored, or print the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", nargs="?", choices=["certify"], help="without it, the page is printed")
    parser.add_argument("names", nargs="*", help="systems that are certified again; default: what has changed")
    options = parser.parse_args(arguments)
    if options.action is None:
        print(page(rows(), verdicts()), end="")
        return
    torch.set_num_threads(1)
    for row in rows():
        old = verdicts().get(row.name)
        if row.name in options.names or (not options.names and (old is None or old.identity != row.identity)):
            _keep(certified(row))


def certified(row: Row) -> Verdict:
    """Certify a row by the functions behind `chaosbench certify`; computing time counts, so that load does not."""
    began = time.process_time()
    certificate, refused = None, ""
    try:
        certificate = _certificate(row)
    except DataError as error:
        refused = str(error)
    seconds = round(time.process_time() - began, 1)
    return Verdict(name=row.name, identity=row.identity, seconds=seconds, certificate=certificate, refused=refused)


def _certificate(row: Row) -> Certificate:
    if row.orbit is not None:
        return certify_orbit(row.spec, row.orbit, duration=row.duration, budget=row.budget)
    return certify(row.spec, budget=row.budget, clock=time.process_time)


def _keep(verdict: Verdict) -> None:
    found = {**verdicts(), verdict.name: verdict}
    store([found[row.name] for row in rows() if row.name in found])
    exponents = "" if verdict.certificate is None else verdict.certificate.reference.exponents
    print(f"{verdict.name}: {verdict.state} {verdict.refused or exponents}, {verdict.seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
