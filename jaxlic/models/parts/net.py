"""A network with its name among the parameters, and what it takes."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxlic.types import Array, Params

# From a key to parameters, by the names of their groups.
Init = Callable[[Array], Params]


@runtime_checkable
class Network(Protocol):
  """What computes, of parameters that it begins with."""

  @property
  def inits(self) -> tuple[Init, ...]:
    """What makes its parameters, of a key each."""

  def __call__(self, params: Params, *given: Any) -> Any:
    """Returns what it computes, of all parameters of the model."""


class Net(NamedTuple):
  """A network whose parameters are `params[name]`."""

  name: str
  module: nn.Module
  inputs: tuple[Any, ...]  # the shape of each array that it takes, of another
  # type than float32 as jax.ShapeDtypeStruct, and as they are what else it
  # takes, such as grids, from `Given`

  def init(self, key: Array) -> Params:
    """Returns its parameters, in a dictionary of its name."""
    given = [_first(x) for x in self.inputs]
    return {self.name: self.module.init(key, *given)}

  @property
  def inits(self) -> tuple[Init, ...]:
    """What makes its parameters."""
    return (self.init,)

  def __call__(self, params: Params, *given: Any) -> Any:
    """Returns what it computes."""
    return self.module.apply(params[self.name], *given)


class Both(NamedTuple):
  """Two networks of one input, whose outputs lie side by side."""

  first: Net
  second: Net

  @property
  def inits(self) -> tuple[Init, ...]:
    """What makes the parameters of both."""
    return self.first.init, self.second.init

  def __call__(self, params: Params, *given: Any) -> Array:
    """Returns what both compute, along the last axis."""
    outputs = self.first(params, *given), self.second(params, *given)
    return jnp.concatenate(outputs, -1)


class Given(NamedTuple):
  """What a network takes that is no array of numbers."""

  value: Any


def _first(taken: Any) -> Any:
  """What an input is when parameters are made."""
  if isinstance(taken, Given):
    return taken.value
  if isinstance(taken, jax.ShapeDtypeStruct):
    return jnp.zeros(taken.shape, taken.dtype)
  return jnp.zeros(taken)


def init_of(
  name: str, init: Callable[..., Params], *options: Any, **more: Any
) -> Init:
  """Returns the `Init` of a group of parameters: `init(key, *options, ...)`."""
  return lambda key: {name: init(key, *options, **more)}


def together(inits: Sequence[Init]) -> Init:
  """Returns the `Init` of all their parameters, of a key each in this order.

  The order is that of the random numbers: a model keeps it, so that a seed
  starts as it did.
  """

  def init(key: Array) -> Params:
    params: Params = {}
    for one, one_key in zip(
      inits, jax.random.split(key, len(inits)), strict=True
    ):
      params |= one(one_key)
    return params

  return init
