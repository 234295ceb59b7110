"""Runs the command line: `python -m chaosbench`."""

from chaosbench.cli import main

if __name__ == "__main__":
    main()
