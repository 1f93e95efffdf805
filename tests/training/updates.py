"""Optimizers of a configuration, and what they move small trees by."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxlic.training import optimizer as optimizers
from jaxlic.training.config import Optimizer
from jaxlic.types import ModelSpec

PARAMS = {"a": jnp.ones(3), "b": {"c": jnp.ones(2)}}
# Adam's first steps move every parameter by the rate, whatever its gradient
# (Kingma, Ba, 2015, section 2.1), up to its epsilon of 1e-8.
GRADIENT = {"a": jnp.array([1.0, -2.0, 3.0]), "b": {"c": jnp.array([5.0, 1.0])}}
SPEC = ModelSpec("m", 16, rests=("median", "open"), opens=("mask", "open"))


def make(**fields):
  """An optimizer with a rate of 0.1, unless the fields say otherwise."""
  return optimizers.make(Optimizer(**{"learning_rate": 0.1} | fields), SPEC)


def rates(optimizer, steps, value=1.0):
  """How far each of so many steps moves parameter a[0]; values may differ."""
  state, moved = optimizer.init(PARAMS), []
  for v in np.broadcast_to(value, steps):
    updates, state = optimizer.update(
      GRADIENT, state, PARAMS, value=jnp.float32(v)
    )
    moved.append(-float(updates["a"][0]))
  return moved


def updates_of(optimizer, gradients):
  """The updates for each of some gradients."""
  state, updates = optimizer.init(gradients[0]), []
  step = jax.jit(optimizer.update)
  with jax.numpy_dtype_promotion("standard"):  # as Optax wants it
    for gradient in gradients:
      update, state = step(gradient, state, gradient)
      updates.append(update)
  return updates


def normal(*shape, seed=0):
  """Normal numbers."""
  return jax.random.normal(jax.random.key(seed), shape)


MATRICES = {"dense": normal(48, 20), "conv": normal(3, 3, 4, 20, seed=1)}
OTHERS = {
  "small": normal(8, 8),
  "gamma": normal(20, 20),  # GDN's, which is not negative
  "batch": normal(20, 3, 3),
  "bias": normal(20),
}
