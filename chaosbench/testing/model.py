"""What a model promises."""

from dataclasses import dataclass

import torch
from torch import Tensor

from chaosbench.data import Dataset, DataSpec, simulate
from chaosbench.dynamics import orbit
from chaosbench.models.base import ModelSpec
from chaosbench.models.forecaster import Forecaster
from chaosbench.systems.lorenz63 import Lorenz63
from chaosbench.testing.assertions import ROUNDING, agree, check_record, check_tangents, demand, generator, same
from chaosbench.trainers.base import TrainerSpec

SEEDS = (4, 7, 11)
_STEPS = 8  # [steps] of each unroll: enough to tell maps apart, too few for chaos to magnify rounding


def check_model(spec: ModelSpec, dimension: int = 3, *, shows: bool = True, trainer: TrainerSpec | None = None) -> None:
    """Check a model in both precisions, on the CPU and, where there is one, on a CUDA device.

    Args:
        dimension: D, the observables it is built for.
        shows: whether a forced state shows the observation; False for a model that reads its input a step later.
        trainer: trains the model before it is checked; needed where it does not learn by gradients, since such a model
            may know nothing, and keep every promise, before.

    Raises:
        AssertionError: naming the promise that is broken, and by how much.
    """
    check_record(spec)
    _check_learning(spec, dimension, trainer)
    _check_seeds(spec, dimension)
    _check_company(spec, dimension, trainer)
    for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
        for dtype in ROUNDING:
            model = _trained(spec, dimension, trainer, SEEDS).to(device, dtype)
            observation = torch.randn(len(SEEDS), 4, dimension, dtype=torch.float64, generator=generator(0))
            case = _Case(f"{spec.label} in {dtype} on {device}", model, observation.to(device, dtype))
            with torch.no_grad():
                _check_shapes(case)
                _check_unroll(case)
                _check_forcing(case, shows)
                _check_portrait(case)
                _check_keeping(case, spec)
            check_tangents(case.name, model, case.state)
            _check_gradients(case)
            _check_neighbours(case)


@dataclass(frozen=True)
class _Case:
    """A model under test, with observations `(K, B, D)` of its device and precision."""

    name: str
    model: Forecaster
    observation: Tensor

    @property
    def state(self) -> Tensor:
        """States that no forcing has made, `(K, B, S)`."""
        shape = (*self.observation.shape[:2], self.model.state_size)
        return torch.randn(shape, dtype=torch.float64, generator=generator(1)).to(self.observation)


def _check_learning(spec: ModelSpec, dimension: int, trainer: TrainerSpec | None) -> None:
    """A model says how it learns, and what it says is so."""
    learned = [value for value in spec.build(dimension, SEEDS).parameters() if value.requires_grad]
    if spec.learning == "gradients":
        demand(bool(learned), f"{spec.label}: no parameter takes a gradient; say by `learning` how it is trained")
    else:
        promise = f"{spec.label}: it learns by {spec.learning}"
        demand(not learned, f"{promise}, so no parameter may ask for a gradient; {len(learned)} do")
        demand(trainer is not None, f"{promise}; give check_model a trainer that does the same")
    if trainer is not None:
        sentence = f"{trainer.label} trains by {trainer.learning}, and {spec.label} learns by {spec.learning}"
        demand(trainer.learning == spec.learning, sentence)


def _trained(spec: ModelSpec, dimension: int, trainer: TrainerSpec | None, seeds: tuple[int, ...]) -> Forecaster:
    model = spec.build(dimension, seeds)
    if trainer is not None:
        for _ in trainer.fit(model, _delays(dimension), seeds):
            pass
    return model


def _delays(dimension: int) -> Dataset:
    """Short orbits of Lorenz-63, whose first observable is seen with as many delays as give that dimension."""
    short = {"train_orbits": 4, "train_length": 300, "validation_orbits": 2, "validation_length": 300, "test_length": 2}
    spec = DataSpec.model_validate({**short, "observed": (0,), "embedding": dimension, "lag": 5})
    return simulate(Lorenz63(), spec).to("cpu", torch.float32)


def _check_seeds(spec: ModelSpec, dimension: int) -> None:
    """K seeds are K models: each has the weights that it would alone."""
    together = spec.build(dimension, SEEDS)
    found = (together.seeds, together.dimension)
    wanted = (len(SEEDS), dimension)
    demand(found == wanted, f"{spec.label}: build must give (seeds, dimension) = {wanted}; it gives {found}")
    for name, many in together.named_parameters():
        leading = many.shape[0] if many.dim() else None
        promise = f"{spec.label}: the leading axis of parameter {name!r} must be the {len(SEEDS)} seeds"
        demand(leading == len(SEEDS), f"{promise}; it is {leading}")
    torch.randn(1)  # torch's own random state must not matter
    for index, seed in enumerate(SEEDS):
        alone = spec.build(dimension, (seed,))
        for (name, many), one in zip(together.named_parameters(), alone.parameters(), strict=True):
            promise = f"{spec.label}: parameter {name!r} of a seed must be the same alone and beside others"
            same(many[index].detach(), one[0].detach(), promise)


@torch.no_grad()
def _check_company(spec: ModelSpec, dimension: int, trainer: TrainerSpec | None) -> None:
    """Each seed shows the numbers that it would alone."""
    x = torch.randn(len(SEEDS), 4, dimension, generator=generator(3))
    together = _trained(spec, dimension, trainer, SEEDS)
    many = together.predict(together.initial_state(x), _STEPS)[0]
    for index, seed in enumerate(SEEDS):
        alone = _trained(spec, dimension, trainer, (seed,))
        one = alone.predict(alone.initial_state(x[index : index + 1]), _STEPS)[0]
        promise = f"{spec.label}: a seed must predict the same alone and beside others"
        agree(one[0], many[index], promise, ROUNDING[torch.float32])


def _check_shapes(case: _Case) -> None:
    model, state, observation = case.model, case.state, case.observation
    (seeds, batch), size, dimension = observation.shape[:2], model.state_size, model.dimension
    observed, last = model.predict(state, _STEPS)
    states = model.unroll(state, _STEPS)
    for name, found, expected in (
        ("step", model.step(state), (seeds, batch, size)),
        ("observe", model.observe(state), (seeds, batch, dimension)),
        ("observe of an unroll", model.observe(states), (seeds, batch, _STEPS, dimension)),
        ("force", model.force(state, observation), (seeds, batch, size)),
        ("initial_state", model.initial_state(observation), (seeds, batch, size)),
        ("unroll", states, (seeds, batch, _STEPS, size)),
        ("predict", observed, (seeds, batch, _STEPS, dimension)),
        ("the last state of predict", last, (seeds, batch, size)),
    ):
        demand(found.shape == expected, f"{case.name}: {name} must be {expected}; it is {tuple(found.shape)}")
        demand(found.dtype == state.dtype, f"{case.name}: {name} must keep {state.dtype}; it is {found.dtype}")


def _check_unroll(case: _Case) -> None:
    """Fast ways are the slow way, up to the rounding of a few steps."""
    model, tolerance = case.model, ROUNDING[case.observation.dtype]
    looped = orbit(model, case.state, steps=_STEPS)
    observed, last = model.predict(case.state, _STEPS)
    agree(model.unroll(case.state, _STEPS), looped, f"{case.name}: unroll must equal looped steps", tolerance)
    agree(observed, model.observe(looped), f"{case.name}: predict must equal observe of looped steps", tolerance)
    agree(last, looped[..., -1, :], f"{case.name}: predict must return the last state of looped steps", tolerance)


def _check_forcing(case: _Case, shows: bool) -> None:
    model, x, tolerance = case.model, case.observation, ROUNDING[case.observation.dtype]
    forced, other = model.force(case.state, x), model.force(2 * case.state + 1, x)
    if shows:
        agree(model.observe(forced), x, f"{case.name}: a forced state must show the observation", tolerance)
        promise = f"{case.name}: an initial state must show the observation"
        agree(model.observe(model.initial_state(x)), x, promise, tolerance)
    if model.resets:
        same(other, forced, f"{case.name}: `resets` is True, so force must ignore the state it replaces")
        promise = f"{case.name}: `resets` is True, so initial_state must equal force"
        agree(model.initial_state(x), forced, promise, tolerance)
    else:
        sentence = f"{case.name}: `resets` is False, but force ignores the state it replaces"
        demand(not torch.equal(other, forced), f"{sentence}; declare True, and training folds")


def _check_portrait(case: _Case) -> None:
    """Numbers and arrays of each seed, of which one that has blown up leaves its neighbours' as they are."""
    states = case.model.unroll(case.state, _STEPS)
    spoiled = torch.where(torch.arange(len(SEEDS), device=states.device).view(-1, 1, 1, 1) == 1, torch.nan, states)
    told, others = case.model.describe_dynamics(states), case.model.describe_dynamics(spoiled)
    for name, trait in told.items():
        found = tuple(trait.value.shape)
        promise = f"{case.name}: portrait {name!r} must be (K, ...), with K = {len(SEEDS)}; it is {found}"
        demand(found[:1] == (len(SEEDS),), promise)
        if trait.value.dim() == 1:
            promise = f"{case.name}: a seed with NaN must leave its neighbours as they are, but portrait {name!r}"
            same(others[name].value[[0, 2]], trait.value[[0, 2]], f"{promise} changes")


def _check_keeping(case: _Case, spec: ModelSpec) -> None:
    """What is learned is in `state_dict`, which is stored: a new model that takes it is the same one."""
    again = spec.build(case.model.dimension, SEEDS).to(case.observation)
    again.load_state_dict(case.model.state_dict())
    found, expected = (model.predict(model.initial_state(case.observation), _STEPS)[0] for model in (again, case.model))
    same(found, expected, f"{case.name}: a new model with its `state_dict` must predict the same")


def _check_gradients(case: _Case) -> None:
    _, gradients = _backward(case)
    for name, parameter in case.model.named_parameters():
        if parameter.requires_grad:
            gradient = gradients.get(name)
            demand(gradient is not None, f"{case.name}: parameter {name!r} must have a gradient; it has none")
            count = 0 if gradient is None else int((~gradient.isfinite()).sum())
            demand(count == 0, f"{case.name}: the gradient of {name!r} must be finite; {count} entries are not")


def _check_neighbours(case: _Case) -> None:
    """A seed that has blown up must not touch the numbers of the others, not even their last bit."""
    promise = f"{case.name}: a seed with NaN must leave its neighbours as they are"
    observed, gradients = _backward(case)
    spoil(case.model, 1)
    spoiled, others = _backward(case)
    same(spoiled[[0, 2]], observed[[0, 2]], f"{promise}, but a prediction changes")
    for name, gradient in gradients.items():
        same(others[name][[0, 2]], gradient[[0, 2]], f"{promise}, but the gradient of {name!r} changes")


def _backward(case: _Case) -> tuple[Tensor, dict[str, Tensor]]:
    """Predictions, and the gradients of their squares from a start and a forcing."""
    case.model.zero_grad(set_to_none=True)
    observed, last = case.model.predict(case.model.initial_state(case.observation), _STEPS)
    after, _ = case.model.predict(case.model.force(last, case.observation), _STEPS)
    both = torch.cat([observed, after], dim=2)
    if both.requires_grad:
        both.square().sum().backward()
    return both.detach(), {n: p.grad.clone() for n, p in case.model.named_parameters() if p.grad is not None}


def spoil(model: Forecaster, index: int) -> None:
    """Make NaN of every number that one seed has."""
    for value in model.state_dict().values():
        if value.is_floating_point() and value.dim() and len(value) == model.seeds:
            value[index] = torch.nan
