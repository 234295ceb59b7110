"""Train one DynaMix over several certified systems, and store its weights for zero-shot forecasts of others.

Run it as `python -m chaosbench_dynamix.pretrain weights.safetensors`; `--help` lists the options.
"""

import argparse
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from torch import Generator, Tensor

import chaosbench.systems as built_in
from chaosbench import ChaosbenchError, DataError, SystemSpec, seed_generator
from chaosbench.data import DataSpec, simulate
from chaosbench_dynamix.mixture import MixtureForecaster
from chaosbench_dynamix.model import DynaMix
from chaosbench_dynamix.weights import write

SYSTEMS = Path(__file__).with_name("systems.toml")


@dataclass(frozen=True)
class Schedule:
    """How weights are trained; defaults follow the authors' code, but for fewer updates and shorter contexts.

    A window is a context and what follows it. The model starts `overlap` steps before the end of the context and is
    compared with the data up to as many steps after it; every `interval` steps it is forced.
    """

    updates: int = 6_000
    batch: int = 32  # windows per update, each of a random system
    overlap: int = 25  # [steps]
    interval: int = 10  # [steps]
    learning_rate: float = 2e-3
    final_learning_rate: float = 1e-4  # reached exponentially
    clip_norm: float = 10.0
    noise_penalty: float = 0.2  # weight of mean exp(-|sigma| / 0.01), which keeps the attention's noise up
    data_noise: float = 0.02  # of all observations [standard deviations]


def pretrain(model: MixtureForecaster, orbits: Tensor, schedule: Schedule, seed: int) -> Iterator[float]:
    """Train a mixture of one seed in place, and yield the loss of each update.

    Args:
        orbits: `(systems, N, T, D)`, standardised; T is at least the model's context and `overlap`.

    Source:
        Hemmer and Durstewitz 2025, NeurIPS (2505.13192): sparse teacher forcing of the first N units, windows that
        overlap the context by half, noise on the query of the attention, RAdam, gradients clipped.
    """
    generator, noise = seed_generator(seed, "windows"), seed_generator(seed, "noise")
    model.noise.requires_grad_(True)
    optimizer = torch.optim.RAdam([p for p in model.parameters() if p.requires_grad], lr=schedule.learning_rate)
    decay = schedule.final_learning_rate / schedule.learning_rate
    for update in range(schedule.updates):
        windows = _windows(orbits, schedule.batch, model.shape.context + schedule.overlap, generator)
        windows = windows + schedule.data_noise * torch.randn(windows.shape, generator=noise)
        optimizer.zero_grad()
        loss = forced_loss(model, windows, schedule, noise)
        (loss + schedule.noise_penalty * torch.exp(-model.noise.abs() / 0.01).mean()).backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), schedule.clip_norm)
        for group in optimizer.param_groups:
            group["lr"] = schedule.learning_rate * decay ** (update / schedule.updates)
        if bool(norm.isfinite()):
            optimizer.step()
        yield float(loss.detach())
    model.noise.requires_grad_(False)


def forced_loss(model: MixtureForecaster, windows: Tensor, schedule: Schedule, noise: Generator) -> Tensor:
    """Return the mean squared error of forced predictions around the end of the contexts, `(1, B, W, D) -> ()`.

    The windows are standardised by system, as in the authors' code; forcing comes after the loss.
    """
    length, n = model.shape.context, model.shape.observables
    scale = torch.ones_like(windows[:, :, 0])
    state = model.in_context(windows[:, :, :length], 0 * scale, scale)
    first = length - 1 - schedule.overlap
    driving, targets = windows[:, :, first:-1], windows[:, :, first + 1 :]
    state = model.restarted(state, driving[:, :, 0])
    context = model.encoded(state[..., model.shape.hidden :])
    hidden, shown = state[..., : model.shape.hidden], []
    for step in range(driving.shape[2]):
        if step and step % schedule.interval == 0:
            hidden = torch.cat([driving[:, :, step], hidden[..., n:]], dim=-1)
        draw = torch.randn(*hidden.shape[:2], n, generator=noise) * model.noise.unsqueeze(1)
        hidden = model.advance(hidden, context, draw)
        shown.append(hidden[..., :n])
    return (torch.stack(shown, dim=2) - targets).square().mean()


def _windows(orbits: Tensor, batch: int, length: int, generator: Generator) -> Tensor:
    """Draw windows of random systems, orbits and times, `(systems, N, T, D) -> (1, B, length, D)`."""
    flat = orbits.flatten(0, 1)
    which = torch.randint(len(flat), (batch,), generator=generator)
    starts = torch.randint(flat.shape[1] - length + 1, (batch,), generator=generator)
    return flat[which[:, None], starts[:, None] + torch.arange(length)].unsqueeze(0)


def read_systems(path: Path) -> list[SystemSpec]:
    """Return the systems that a TOML file lists as `[[systems]]`, of chaosbench and of chaosbench-dysts.

    Raises:
        DataError: where a kind is unknown, or a system has no certified chaos.
    """
    classes = [getattr(built_in, name) for name in built_in.__all__]
    if find_spec("chaosbench_dysts") is not None:
        classes += import_module("chaosbench_dysts").chaosbench_systems()
    kinds = {cls.model_fields["kind"].default: cls for cls in classes if "kind" in getattr(cls, "model_fields", {})}
    try:
        records = tomllib.loads(path.read_text(encoding="utf-8"))["systems"]
        return [_certified(kinds, record) for record in records]
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError, ValidationError) as error:
        raise DataError(f"{str(path)!r} lists no systems: {' '.join(str(error).split())}") from None


def _certified(kinds: Mapping[str, type[SystemSpec]], record: Mapping[str, Any]) -> SystemSpec:
    kind = record["kind"]
    if kind not in kinds:
        advice = "; install chaosbench-dysts" if str(kind).startswith("dysts") else ""
        raise DataError(f"no system is called {kind!r}{advice}")
    system = kinds[kind].model_validate(record)
    if system.reference is None or system.reference.exponents[0] <= 0:
        raise DataError(f"{system.label} has no certificate of chaos, and only certified systems are trained on")
    return system


def simulated(systems: Sequence[SystemSpec], length: int, stride: int) -> Tensor:
    """Return standardised orbits of all systems, `(systems, 4, length, D)`.

    Raises:
        DataError: where systems differ in their number of observables.
    """
    spec = DataSpec(train_orbits=4, train_length=length, validation_orbits=0, test_length=2, stride=stride)
    dimensions = {system.dimension for system in systems}
    if len(dimensions) != 1:
        raise DataError(f"all systems must have the same number of observables; they have {sorted(dimensions)}")
    return torch.stack([simulate(system, spec).to("cpu", torch.float32).train for system in systems])


def main(arguments: Sequence[str] | None = None) -> None:
    """Train from the command line, and store the weights."""
    options = _parser().parse_args(arguments)
    schedule = Schedule(updates=options.updates, batch=options.batch)
    try:
        spec = DynaMix(hidden=options.hidden, experts=options.experts, context=options.context)
        systems = read_systems(options.systems)
        print(f"simulating {len(systems)} systems", flush=True)
        orbits = simulated(systems, options.length, options.stride)
        model = spec.build(orbits.shape[-1], (options.seed,))
    except (ChaosbenchError, ValidationError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        raise SystemExit(2) from None
    assert isinstance(model, MixtureForecaster)
    start, every, total = time.monotonic(), max(1, schedule.updates // 20), 0.0
    for update, loss in enumerate(pretrain(model, orbits, schedule, options.seed), start=1):
        total += loss
        if update % every == 0:
            print(f"update {update}: loss {total / every:.4f}, {time.monotonic() - start:.0f} s", flush=True)
            total = 0.0
    write(options.weights, {name: value[0] for name, value in model.named_parameters()}, rectified=spec.rectified)
    print(f"wrote {options.weights}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m chaosbench_dynamix.pretrain", description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path, help="the safetensors file to write")
    parser.add_argument("--systems", type=Path, default=SYSTEMS, help="TOML file with [[systems]] (default: bundled)")
    parser.add_argument("--updates", type=int, default=Schedule.updates, help="default: %(default)s")
    parser.add_argument("--batch", type=int, default=Schedule.batch, help="windows per update (default: %(default)s)")
    parser.add_argument("--hidden", type=int, default=30, help="units M (default: %(default)s)")
    parser.add_argument("--experts", type=int, default=10, help="experts J (default: %(default)s)")
    parser.add_argument("--context", type=int, default=200, help="steps of each context (default: %(default)s)")
    parser.add_argument("--length", type=int, default=5_000, help="steps of each orbit (default: %(default)s)")
    parser.add_argument("--stride", type=int, default=2, help="system steps per observation (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    return parser


if __name__ == "__main__":
    main()
