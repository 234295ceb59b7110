"""The command line: `python -m chaosbench`, and the script that is installed."""

from chaosbench.interrupts import leave_at_once


def main() -> None:
    """Run the command line; a signal ends it with one line from the first moment on."""
    leave_at_once()
    from chaosbench import cli  # takes a tenth of a second

    cli.main()


if __name__ == "__main__":
    main()
