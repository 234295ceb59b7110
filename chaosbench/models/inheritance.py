"""A check that a method that restates others, such as a fused unroll, still holds in a subclass."""

from functools import cache

from torch import nn

# Methods that may change below: fast paths call them, or they do not touch the map and what is seen of it.
_FREE = frozenset(
    {"coefficients", "describe_dynamics", "first_state", "initial_state", "parameters_per_seed", "tangent_step"}
)


@cache
def owner(cls: type[nn.Module], method: str) -> type[object]:
    """Return the class that defines a method of `cls`."""
    return next(one for one in cls.__mro__ if method in vars(one))


@cache
def still_holds(cls: type[nn.Module], method: str) -> bool:
    """Return whether `method`, which restates other methods of the class that defines it, holds in `cls`.

    It does unless a class below the defining one overrides a method that it inherits: a fast path that restates `step`
    would ignore another `step` silently. Methods of `torch.nn.Module` do not count.
    """
    order = cls.__mro__
    defining = next(index for index, one in enumerate(order) if method in vars(one))
    inherited = {
        name
        for one in order[defining:]
        if issubclass(one, nn.Module) and one is not nn.Module
        for name, value in vars(one).items()
        if callable(value) and not name.startswith("__")
    }
    return not any(inherited & vars(one).keys() - _FREE for one in order[:defining])
