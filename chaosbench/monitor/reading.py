"""Read the state of campaigns from the files of a results directory, while they run or afterwards."""

import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from chaosbench.errors import StoreError, printable
from chaosbench.leaderboard.folder import MANIFEST, foreign
from chaosbench.leaderboard.store import read_all
from chaosbench.monitor.costs import Costs, Observation, Work
from chaosbench.monitor.lines import FOLDER, HEARTBEAT, lines
from chaosbench.monitor.state import Planned, State, worst

_NO_EVENT = (KeyError, TypeError, ValueError, ArithmeticError)  # raised by a line of another program

SILENT = 6 * HEARTBEAT  # [s] without a sign of life after which a campaign counts as stopped


@dataclass
class Campaign:
    """A campaign as its files describe it.

    Attributes:
        state: of its experiments.
        running: whether its process shows signs of life.
        left: number of experiments that are left at its end; None: it has not ended by itself.
        silent: time since its last sign of life [s].
        about: device, workers, host, pid and command.
        messages: why experiments have no result, by title.
    """

    state: State
    running: bool
    left: int | None
    silent: float
    about: Mapping[str, Any]
    messages: dict[str, str]


class Reader:
    """Reads the state of the campaigns of a results directory again and again, each event once.

    Args:
        results: the results directory.

    Raises:
        StoreError: where it does not exist.
    """

    def __init__(self, results: Path) -> None:
        if not results.is_dir():
            raise StoreError(f"there are no results in {str(results)!r}: it is no directory; name a results directory")
        self._results, self._folder = results, results / FOLDER
        self._campaigns: dict[Path, tuple[Campaign, int]] = {}  # with the position in the file
        self._positions: dict[Path, int] = {}  # in the files of experiments

    def campaigns(self) -> list[Campaign]:
        """Return the campaigns that run, or else the last one; an empty list where there is none."""
        files = sorted(self._folder.glob("campaign-*.jsonl"))
        seen = [campaign for path in files if (campaign := self._campaign(path)) is not None]
        running = [campaign for campaign in seen if campaign.running]
        for campaign in running:
            self._advance(campaign)
        if not running and seen and seen[-1].left is None:
            self._advance(seen[-1])
        return running or seen[-1:]

    def stored(self) -> dict[str, int]:
        """Return the number of published experiments by their worst status."""
        counts = Counter(
            worst(Counter(run["status"] for run in stored.runs))
            for stored in read_all(self._results, may_be_empty=True)
        )
        return dict(counts)

    def published(self) -> int:
        """Return the number of folders of experiments, without reading their results."""
        manifests = self._results.glob(f"[!.]*/{MANIFEST}")
        return sum(path.is_file() and not foreign(path) for path in manifests)

    def _campaign(self, path: Path) -> Campaign | None:
        try:
            changed = path.stat().st_mtime
        except OSError:
            return None
        campaign, position = self._campaigns.get(path, (None, 0))
        events, position = lines(path, position)
        for event in events:
            with suppress(*_NO_EVENT):
                if event["event"] == "campaign":
                    campaign = _begun(event)
                elif campaign is not None:
                    _take(campaign, event)
        if campaign is None:
            return None
        self._campaigns[path] = campaign, position
        campaign.silent = max(0.0, time.time() - changed)
        campaign.running = campaign.left is None and campaign.silent < SILENT
        return campaign

    def _advance(self, campaign: Campaign) -> None:
        """Read what the experiments of a campaign have done since the last call."""
        for key in [key for key in campaign.state.planned if key not in campaign.state.ended]:
            path = self._folder / f"{key}.jsonl"
            events, self._positions[path] = lines(path, self._positions.get(path, 0))
            for event in events:
                with suppress(*_NO_EVENT):
                    _advance(campaign.state, key, event)


def _begun(event: Mapping[str, Any]) -> Campaign:
    """Return a campaign at its beginning."""
    planned, costs = {}, Costs()
    for one in event.get("experiments", []):
        work = Work(**one["work"]) if one.get("work") else None
        planned[str(one["experiment"])] = Planned(printable(str(one["title"])), int(one["seeds"]), work)
        if work is not None and one.get("estimate"):  # what the campaign itself knew at its beginning
            training, rest = one["estimate"]
            costs.add(Observation(work, training / work.updates, rest))
    about = {name: _clean(event.get(name)) for name in ("device", "workers", "host", "pid", "command")}
    state = State(planned, workers=int(event.get("workers") or 1), costs=costs, began=_seconds(event))
    return Campaign(state, False, None, 0.0, about, {})


def _take(campaign: Campaign, event: Mapping[str, Any]) -> None:
    """Apply a later line of a campaign's file."""
    state = campaign.state
    if event["event"] == "campaign_end":
        campaign.left = int(event["left"])
    elif event["event"] == "end":
        key = str(event["experiment"])
        plan = state.planned.get(key)
        times = event.get("times")
        work = None if plan is None else plan.work
        observation = Observation(work, times[0], times[1]) if work is not None and times else None
        state.end(key, event["statuses"], observation=observation)
        if event.get("message"):
            campaign.messages[plan.title if plan else key] = printable(str(event["message"]))


def _advance(state: State, key: str, event: Mapping[str, Any]) -> None:
    """Apply a line of an experiment's file; one that ended in an earlier campaign begins again."""
    at = _seconds(event)
    if at < state.began:
        return
    match event["event"]:
        case "start":
            state.start(key, at, batch=event.get("batch"))
        case "phase":
            state.advance(key, printable(event["phase"]), at)
        case "progress":
            counts = {name: int(event[name]) for name in ("update", "updates")}
            loss, norm = (None if event.get(x) is None else float(event[x]) for x in ("loss", "gradient_norm"))
            state.advance(key, printable(event["phase"]), at, **counts, loss=loss, norm=norm)


def _clean(value: Any) -> Any:
    return printable(value) if isinstance(value, str) else value


def _seconds(event: Mapping[str, Any]) -> float:
    return datetime.fromisoformat(event["time"]).timestamp()
