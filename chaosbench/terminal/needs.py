"""The expected needs of a campaign in words."""

from collections.abc import Iterator

from chaosbench.execution import Plan
from chaosbench.formats import counted, roughly, size


def needs(plan: Plan, workers: int) -> Iterator[str]:
    """Yield the expected time of a campaign, and its memory and disk.

    Args:
        plan: of the campaign.
        workers: number of processes at a time.
    """
    low, high = map(roughly, plan.range)
    span = f" ({low} to {high})" if low != high else ""
    basis = (
        f"from {counted(plan.experience, 'experiment')} on this machine"
        if plan.experience
        else "a first guess, since nothing has run on this machine yet; --measure times a few updates"
    )
    alone = f", {roughly(plan.alone)} with one" if workers > 1 else ""
    yield f"about {roughly(plan.seconds)}{span} with {counted(workers, 'worker')}{alone}: {basis}"
    memory = f"about {size(plan.memory)} of memory"
    together = f" for a worker, {size(plan.together)} for all" if workers > 1 else ""
    yield f"{memory}{together}; {size(plan.disk)} on the disk"
