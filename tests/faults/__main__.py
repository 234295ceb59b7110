"""Print what faults do: `python -m tests.faults` for a few tries each, `python -m tests.faults --long` for many."""

import logging
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "execution")]


def main() -> None:
    from catalogue_of_faults import FAULTS
    from tally import table

    logging.disable(logging.WARNING)  # damaged folders are what is looked for
    long, tallies = "--long" in sys.argv[1:], []
    for fault, few, many in FAULTS:
        with tempfile.TemporaryDirectory() as folder:
            tallies.append(fault(Path(folder), many if long else few))
        print(tallies[-1], file=sys.stderr, flush=True)
    print(table(tallies))
    sys.exit(not all(tally.sound for tally in tallies))


if __name__ == "__main__":
    main()
