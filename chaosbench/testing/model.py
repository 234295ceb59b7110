"""Checks of a model."""

from dataclasses import dataclass

import torch
from torch import Tensor

from chaosbench.data import Dataset, DataSpec, simulate
from chaosbench.dynamics import orbit
from chaosbench.models.base import ModelSpec
from chaosbench.models.forecaster import Forecaster
from chaosbench.systems.lorenz63 import Lorenz63
from chaosbench.testing.assertions import (
    ROUNDING,
    assert_agree,
    assert_identical,
    check_spec_round_trip,
    check_tangents,
    new_generator,
    require,
)
from chaosbench.trainers.base import TrainerSpec

SEEDS = (4, 7, 11)
_STEPS = 8  # [steps] per unroll: enough to distinguish maps, too few for chaos to amplify rounding
_HISTORY = 5  # [steps] before a forecast, as few for the same reason


def check_model(spec: ModelSpec, dimension: int = 3, *, shows: bool = True, trainer: TrainerSpec | None = None) -> None:
    """Check a model in single and double precision, on the CPU and on a CUDA device if there is one.

    Args:
        dimension: D, observables for which it is built.
        shows: whether a forced state must show the observation; pass False for a model that shows it a step later.
        trainer: trains the model first. Required if the model does not learn by gradients, because an untrained model
            may be trivial and pass every check.

    Raises:
        AssertionError: naming the broken promise, by how much it is broken, and how to keep it.
    """
    check_spec_round_trip(spec)
    _check_learning(spec, dimension, trainer)
    _check_seeds(spec, dimension)
    _check_company(spec, dimension, trainer)
    for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
        for dtype in ROUNDING:
            model = _trained(spec, dimension, trainer, SEEDS).to(device, dtype)
            observation = torch.randn(len(SEEDS), 4, dimension, dtype=torch.float64, generator=new_generator(0))
            case = _Case(f"{spec.label} in {dtype} on {device}", model, observation.to(device, dtype))
            with torch.no_grad():
                _check_shapes(case)
                _check_unroll(case)
                _check_forcing(case, shows)
                _check_description(case)
                _check_state_dict(case, spec)
            check_tangents(case.name, model, case.state)
            _check_gradients(case)
            _check_neighbours(case)


@dataclass(frozen=True)
class _Case:
    """A model under test, with observations `(K, B, D)` on its device and in its precision."""

    name: str
    model: Forecaster
    observation: Tensor

    @property
    def state(self) -> Tensor:
        """Random states, `(K, B, S)`, that no forcing has produced."""
        shape = (*self.observation.shape[:2], self.model.state_size)
        return torch.randn(shape, dtype=torch.float64, generator=new_generator(1)).to(self.observation)

    @property
    def history(self) -> Tensor:
        """Random observations that end with `observation`, `(K, B, H, D)`."""
        (seeds, batch, dimension), generator = self.observation.shape, new_generator(4)
        earlier = torch.randn(seeds, batch, _HISTORY - 1, dimension, dtype=torch.float64, generator=generator)
        return torch.cat([earlier.to(self.observation), self.observation.unsqueeze(2)], dim=2)


def _check_learning(spec: ModelSpec, dimension: int, trainer: TrainerSpec | None) -> None:
    """Check that `learning` agrees with the parameters and with the trainer."""
    trainable = [value for value in spec.build(dimension, SEEDS).parameters() if value.requires_grad]
    if spec.learning == "gradients":
        promise = f"{spec.label}: a model with learning = 'gradients' must have parameters with requires_grad"
        require(bool(trainable), f"{promise}; it has none; set `learning` to the way it learns")
    else:
        name = f"{spec.label}: learning = {spec.learning!r}"
        require(
            not trainable,
            f"{name}, so no parameter may require a gradient; {len(trainable)} do; use requires_grad=False",
        )
        require(trainer is not None, f"{name}; pass check_model a trainer with the same learning")
    if trainer is not None:
        pair = f"{trainer.label} has learning = {trainer.learning!r} and {spec.label} has {spec.learning!r}"
        require(trainer.learning == spec.learning, f"{pair}; pass a trainer with the same learning")


def _trained(spec: ModelSpec, dimension: int, trainer: TrainerSpec | None, seeds: tuple[int, ...]) -> Forecaster:
    model = spec.build(dimension, seeds)
    if trainer is not None:
        for _ in trainer.fit(model, _delay_coordinates(dimension), seeds):
            pass
    return model


def _delay_coordinates(dimension: int) -> Dataset:
    """Simulate short orbits of Lorenz-63, as delay coordinates of x with the given dimension."""
    short = {"train_orbits": 4, "train_length": 300, "validation_orbits": 2, "validation_length": 300, "test_length": 2}
    spec = DataSpec.model_validate({**short, "observed": (0,), "embedding": dimension, "lag": 5})
    return simulate(Lorenz63(), spec).to("cpu", torch.float32)


def _check_seeds(spec: ModelSpec, dimension: int) -> None:
    """Check that K seeds are K models, each with the weights it has when built alone."""
    together = spec.build(dimension, SEEDS)
    actual, expected = (together.seeds, together.dimension), (len(SEEDS), dimension)
    require(actual == expected, f"{spec.label}: (seeds, dimension) after build must be {expected}; they are {actual}")
    for name, parameter in together.named_parameters():
        leading = parameter.shape[0] if parameter.dim() else None
        promise = f"{spec.label}: the leading axis of parameter {name!r} must have length {len(SEEDS)}, one per seed"
        require(leading == len(SEEDS), f"{promise}; it has {leading}")
    torch.randn(1)  # torch's global random state must not matter
    for index, seed in enumerate(SEEDS):
        alone = spec.build(dimension, (seed,))
        for (name, parameter), own in zip(together.named_parameters(), alone.parameters(), strict=True):
            promise = f"{spec.label}: parameter {name!r} of a seed must be the same alone and beside others"
            advice = "draw each slice from its seed's own generator, see chaosbench.models.weight_generators"
            assert_identical(parameter[index].detach(), own[0].detach(), promise, advice)


@torch.no_grad()
def _check_company(spec: ModelSpec, dimension: int, trainer: TrainerSpec | None) -> None:
    """Check that each seed predicts, up to rounding, what it predicts when built and trained alone.

    Forecasts follow training data, because a polynomial may blow up within a few steps elsewhere.
    """
    x = _delay_coordinates(dimension).train[:, : len(SEEDS) * _HISTORY].unflatten(1, (len(SEEDS), _HISTORY))
    x = x.transpose(0, 1).contiguous()
    together = _trained(spec, dimension, trainer, SEEDS)
    joint = together.predict(together.initial_state(x), _STEPS)[0]
    for index, seed in enumerate(SEEDS):
        alone = _trained(spec, dimension, trainer, (seed,))
        own = alone.predict(alone.initial_state(x[index : index + 1]), _STEPS)[0]
        promise = f"{spec.label}: a seed must predict the same alone and beside others"
        advice = "do not mix entries of the leading axis"
        assert_agree(own[0], joint[index], promise, ROUNDING[torch.float32], advice)


def _check_shapes(case: _Case) -> None:
    model, state, observation = case.model, case.state, case.observation
    (seeds, batch), size, dimension = observation.shape[:2], model.state_size, model.dimension
    observed, last = model.predict(state, _STEPS)
    states = model.unroll(state, _STEPS)
    for name, value, expected in (
        ("step", model.step(state), (seeds, batch, size)),
        ("observe", model.observe(state), (seeds, batch, dimension)),
        ("observe of an unroll", model.observe(states), (seeds, batch, _STEPS, dimension)),
        ("force", model.force(state, observation), (seeds, batch, size)),
        ("initial_state of one observation", model.initial_state(observation.unsqueeze(2)), (seeds, batch, size)),
        (f"initial_state of {_HISTORY} observations", model.initial_state(case.history), (seeds, batch, size)),
        ("unroll", states, (seeds, batch, _STEPS, size)),
        ("predict", observed, (seeds, batch, _STEPS, dimension)),
        ("the last state of predict", last, (seeds, batch, size)),
    ):
        shape = tuple(value.shape)
        require(shape == expected, f"{case.name}: {name} must return the shape {expected}; it returns {shape}")
        require(value.dtype == state.dtype, f"{case.name}: {name} must keep {state.dtype}; it returns {value.dtype}")


def _check_unroll(case: _Case) -> None:
    """Check that the fast paths equal a loop over `step`, up to the rounding of a few steps."""
    model, tolerance = case.model, ROUNDING[case.observation.dtype]
    looped = orbit(model, case.state, steps=_STEPS)
    observed, last = model.predict(case.state, _STEPS)
    advice = "leave the method out, and its default loops over step"
    for actual, expected, promise in (
        (model.unroll(case.state, _STEPS), looped, "unroll must equal a loop over step"),
        (observed, model.observe(looped), "predict must equal observe after a loop over step"),
        (last, looped[..., -1, :], "predict must return the last state of a loop over step"),
    ):
        assert_agree(actual, expected, f"{case.name}: {promise}", tolerance, advice)


def _check_forcing(case: _Case, shows: bool) -> None:
    model, x, tolerance = case.model, case.observation, ROUNDING[case.observation.dtype]
    forced, other = model.force(case.state, x), model.force(2 * case.state + 1, x)
    if shows:
        advice = "if the model shows it a step later by design, pass shows=False"
        promise = f"{case.name}: a forced state must show the observation"
        assert_agree(model.observe(forced), x, promise, tolerance, advice)
        promise = f"{case.name}: an initial state must show the last observation of the history"
        assert_agree(model.observe(model.initial_state(case.history)), x, promise, tolerance, advice)
    if model.resets:
        promise, advice = f"{case.name}: with resets = True, force must ignore the state it replaces", "set it to False"
        assert_identical(other, forced, promise, advice)
        promise = f"{case.name}: with resets = True, initial_state must equal force with the last observation"
        assert_agree(model.initial_state(case.history), forced, promise, tolerance, advice)
    else:
        promise = f"{case.name}: with resets = False, force must depend on the state it replaces"
        require(not torch.equal(other, forced), f"{promise}; it does not; set resets = True, and trainers run faster")


def _check_description(case: _Case) -> None:
    """Check the shapes of `describe_dynamics`, and that a diverged seed leaves the numbers of the others unchanged."""
    states = case.model.unroll(case.state, _STEPS)
    spoiled = torch.where(torch.arange(len(SEEDS), device=states.device).view(-1, 1, 1, 1) == 1, torch.nan, states)
    traits, others = case.model.describe_dynamics(states), case.model.describe_dynamics(spoiled)
    for name, trait in traits.items():
        shape, trait_name = tuple(trait.value.shape), f"{case.name}: {name!r} of describe_dynamics"
        require(shape[:1] == (len(SEEDS),), f"{trait_name} must be (K, ...) with K = {len(SEEDS)}; it is {shape}")
        if trait.value.dim() == 1:
            promise = f"{trait_name} must not change for a seed when another one has NaN"
            assert_identical(others[name].value[[0, 2]], trait.value[[0, 2]], promise, "compute each seed by itself")


def _check_state_dict(case: _Case, spec: ModelSpec) -> None:
    """Check that `state_dict`, which is stored with the results, holds everything that was learned."""
    rebuilt = spec.build(case.model.dimension, SEEDS).to(case.observation)
    rebuilt.load_state_dict(case.model.state_dict())
    actual, expected = (model.predict(model.initial_state(case.history), _STEPS)[0] for model in (rebuilt, case.model))
    promise = f"{case.name}: a new model that loads the state_dict must predict the same"
    assert_identical(actual, expected, promise, "keep what is learned or drawn in parameters and buffers")


def _check_gradients(case: _Case) -> None:
    _, gradients = _backward(case)
    for name, parameter in case.model.named_parameters():
        if parameter.requires_grad:
            gradient = gradients.get(name)
            promise = f"{case.name}: parameter {name!r} must have a gradient"
            require(gradient is not None, f"{promise}; it has none; do not detach, and use every parameter")
            count = 0 if gradient is None else int((~gradient.isfinite()).sum())
            require(count == 0, f"{case.name}: the gradient of {name!r} must be finite; {count} entries are not")


def _check_neighbours(case: _Case) -> None:
    """Check that a seed with NaN changes no number of the other seeds, not even in the last bit."""
    promise = f"{case.name}: a seed with NaN must not change the other seeds"
    advice = "do not mix entries of the leading axis"
    steps = _STEPS if _backward(case, _STEPS)[0].isfinite().all() else 1  # a polynomial may blow up in a few steps
    observed, gradients = _backward(case, steps)
    spoil(case.model, 1)
    spoiled, others = _backward(case, steps)
    assert_identical(spoiled[[0, 2]], observed[[0, 2]], f"{promise}, but a prediction changes", advice)
    for name, gradient in gradients.items():
        changed = f"{promise}, but the gradient of {name!r} changes"
        assert_identical(others[name][[0, 2]], gradient[[0, 2]], changed, advice)


def _backward(case: _Case, steps: int = _STEPS) -> tuple[Tensor, dict[str, Tensor]]:
    """Return predictions from a start and after a forcing, and the gradients of their sum of squares."""
    case.model.zero_grad(set_to_none=True)
    observed, last = case.model.predict(case.model.initial_state(case.history), steps)
    after, _ = case.model.predict(case.model.force(last, case.observation), steps)
    both = torch.cat([observed, after], dim=2)
    if both.requires_grad:
        both.square().sum().backward()
    return both.detach(), {n: p.grad.clone() for n, p in case.model.named_parameters() if p.grad is not None}


def spoil(model: Forecaster, index: int) -> None:
    """Set all parameters and buffers of one seed to NaN."""
    for value in model.state_dict().values():
        if value.is_floating_point() and value.dim() and len(value) == model.seeds:
            value[index] = torch.nan
