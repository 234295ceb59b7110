"""The output of `chaosbench status`: the campaigns on a results directory, once or as they go on."""

import os
import time
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from chaosbench.formats import counted, duration
from chaosbench.monitor.reading import Campaign, Reader
from chaosbench.monitor.state import Running
from chaosbench.terminal.dashboard import render, summary

_AGAIN, _LINES = 1.0, 10.0  # [s] between two readings on a terminal, and between two plain lines
_MOST = 5  # experiments without a result whose reasons are shown


def show(reader: Reader) -> None:
    """Print the campaigns that run, or the last one, and what the results directory has."""
    console = Console(highlight=False)
    console.print(page(reader, console), soft_wrap=True)


def watch(reader: Reader) -> None:
    """Redraw the campaigns until all of them have ended; without a terminal, print a line every ten seconds."""
    console = Console(highlight=False)
    if not console.is_terminal or console.is_dumb_terminal or "SLURM_JOB_ID" in os.environ:
        _print_lines(reader, console)
        return
    with Live(page(reader, console), console=console, auto_refresh=False, transient=True) as live:
        while any(campaign.running for campaign in reader.campaigns()):
            time.sleep(_AGAIN)
            live.update(page(reader, console), refresh=True)
    show(reader)


def row(reader: Reader) -> dict[str, Any]:
    """Return the campaigns and the number of published experiments by their status, as JSON holds them."""
    return {"campaigns": [_campaign(one) for one in reader.campaigns()], "published": reader.stored()}


def _print_lines(reader: Reader, console: Console) -> None:
    while True:
        campaigns = reader.campaigns()
        for campaign in campaigns:
            console.print(Text(_brief(campaign)), soft_wrap=True)
        console.file.flush()
        if not any(campaign.running for campaign in campaigns):
            return
        time.sleep(_LINES)


def _brief(campaign: Campaign) -> str:
    return f"{summary(campaign.state, time.time())}; {_condition(campaign)}"


def page(reader: Reader, console: Console) -> Text:
    """Return everything about the campaigns, in lines that fit the terminal."""
    size, plain = console.size, not console.encoding.lower().startswith("utf")
    campaigns = reader.campaigns()
    height = max(size.height // max(len(campaigns), 1) - _MOST - 2, 6)
    lines: list[Text] = []
    for campaign in campaigns:
        now = time.time() if campaign.running else time.time() - campaign.silent
        stopped = not campaign.running
        lines.append(render(campaign.state, width=size.width, height=height, now=now, plain=plain, stopped=stopped))
        lines += (line for line in _lost(campaign, size.width))
        lines.append(Text(_condition(campaign)))
    if not campaigns:
        lines.append(Text("no campaign has left its events here"))
    lines.append(Text(f"{counted(reader.published(), 'finished experiment')} in the results directory"))
    return Text("\n", no_wrap=True, overflow="ignore").join(lines)


def _lost(campaign: Campaign, width: int) -> Iterator[Text]:
    """Yield why experiments have no result, the last ones."""
    for title, message in list(campaign.messages.items())[-_MOST:]:
        text = f"{title}: {message}"
        yield Text(text if len(text) <= width else f"{text[: width - 4].rpartition(' ')[0]} ...", style="red")


def _condition(campaign: Campaign) -> str:
    """Return whether a campaign runs, has ended, or was stopped and how to go on."""
    if campaign.running:
        return f"running on {campaign.about['device']}, {campaign.about['workers']} at a time"
    if campaign.left == 0:
        return "ended"
    command = str(campaign.about["command"])
    again = f"; to go on: {command}" if command.startswith("chaosbench run") else ""
    if campaign.left is not None:
        return f"stopped, with {counted(campaign.left, 'experiment')} left{again}"
    return f"stopped: no sign of life for {duration(campaign.silent)}{again}"


def _campaign(campaign: Campaign) -> dict[str, Any]:
    state, now = campaign.state, time.time()
    left = state.seconds_left(now) if campaign.running else None
    return {
        "running": campaign.running,
        "left": campaign.left,
        "seconds_since_sign_of_life": campaign.silent,
        **campaign.about,
        "experiments": state.total,
        "counts": state.counts,
        "seconds": now - state.began,
        "seconds_left": None if left is None else left[0],
        "seconds_left_spread": None if left is None else left[1],
        "now": [_running(run) for run in state.running.values()],
        "messages": campaign.messages,
    }


def _running(run: Running) -> dict[str, Any]:
    return {
        "title": run.title,
        "batch": run.batch,
        "phase": run.phase,
        "update": run.update,
        "updates": run.updates,
        "updates_per_second": run.speed,
        "loss": run.losses[-1] if run.losses else None,
        "gradient_norm": run.norms[-1] if run.norms else None,
    }
