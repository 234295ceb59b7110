"""The command `certify`: its options, and what it does with them; heavy imports are inside the functions."""

from typing import TYPE_CHECKING, Annotated

import typer

from chaosbench import options
from chaosbench.errors import SpecError

if TYPE_CHECKING:
    from chaosbench.systems import SystemSpec
    from chaosbench.systems.certificate import Certificate

Kind = Annotated[str, typer.Argument(metavar="SYSTEM", help="A kind of system, such as lorenz63.")]
Changes = Annotated[
    list[str] | None, typer.Option("--set", metavar="PARAMETER=VALUE", help="Change a parameter, such as rho=38.")
]
Budget = Annotated[str, typer.Option(help="Running time, such as 60s or 5m.")]
Exponents = Annotated[
    int | None,
    typer.Option(min=1, help="Number of exponents (default: the system's, and more until their sum is negative)."),
]
Start = Annotated[
    str | None, typer.Option(help="Follow the one orbit from this state, such as 0,-0.25,0.42,0, and no others.")
]
Duration = Annotated[float | None, typer.Option(min=0, help="With --start: length of the orbit in the system's time.")]


def certified(
    system: "SystemSpec", *, budget: str, exponents: int | None, start: str | None, duration: float | None
) -> "Certificate":
    """Certify a system, or one orbit of it, and show the time left.

    Raises:
        SpecError: if options do not go together.
    """
    import torch

    from chaosbench.exponents import certify, certify_orbit
    from chaosbench.terminal.certificate import Countdown

    torch.set_num_threads(1)  # on a busy machine, several threads make such small steps many times slower
    seconds = options.seconds(budget, "--budget")
    if start is None:
        if duration is not None:
            raise SpecError("--duration is the length of one orbit; give its initial state by --start, too")
        with Countdown(system.label) as countdown:
            return certify(system, budget=seconds, exponents=exponents, report=countdown.report)
    if exponents is not None:
        raise SpecError("--exponents does not go with --start: one orbit gets all exponents of its system")
    return certify_orbit(system, options.numbers(start, "--start"), duration=duration, budget=seconds)
