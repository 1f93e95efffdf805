"""Opens a model's channels one after the other, when the loss stops falling.

A mask [c] of ones and zeros among the parameters says which channels are open.
Where the mean loss of a window of steps is not lower than that of the window
before by a threshold, the next one opens, and the windows begin anew; where all
are open, the rate falls instead, once and for good.

References:
  Theis, Shi, Cunningham, Huszar, "Lossy image compression with compressive
  autoencoders", 2017, section 3.1; the threshold is not stated there.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int

from jaxlic.types import Params


class Opening(NamedTuple):
  """What decides on opening a channel, beside the optimizer's own state."""

  inner: optax.OptState
  total: Float[Array, ""]  # sum of the window's losses so far
  steps: Int[Array, ""]  # how many these are
  previous: Float[Array, ""]  # mean of the window before; inf: there is none
  settled: Bool[Array, ""]  # all are open, and no window gains any more


def opening(
  optimizer: optax.GradientTransformationExtraArgs,
  path: tuple[str, ...],
  *,
  window: int,
  threshold: float,
  factor: float,
) -> optax.GradientTransformationExtraArgs:
  """Returns the optimizer, which opens a mask besides.

  Args:
    optimizer: What moves all else.
    path: Of the mask among the parameters.
    window: Steps whose mean loss decides.
    threshold: The share of the loss that a window must gain.
    factor: What is left of the rate where all is open and nothing is gained.
  """

  def init(params: Params) -> Opening:
    zero = jnp.zeros(())
    inner = optimizer.init(params)
    return Opening(inner, zero, zero.astype(int), zero + jnp.inf, zero > 0)

  def update(gradient, state: Opening, params=None, *, value, **extra):
    updates, inner = optimizer.update(
      gradient, state.inner, params, value=value, **extra
    )
    mask = functools.reduce(lambda tree, name: tree[name], path, params)
    state, stuck = _watch(state, value, window, threshold)
    opens = stuck & (mask == 0).any()
    settled = state.settled | (stuck & ~opens)
    rate = jnp.where(settled, factor, 1.0)
    updates = jax.tree.map(lambda update: rate * update, updates)
    following = jax.nn.one_hot(mask.argmin(), len(mask))
    opened = following * opens.astype(following.dtype)
    updates = _replaced(updates, path, opened)
    return updates, state._replace(inner=inner, settled=settled)

  return optax.GradientTransformationExtraArgs(init, update)


def _watch(
  state: Opening, loss: Array, window: int, threshold: float
) -> tuple[Opening, Bool[Array, ""]]:
  """The state with a step's loss, and whether the window has gained nothing."""
  total, steps = state.total + loss, state.steps + 1
  ended, mean = steps == window, total / steps.astype(total.dtype)
  # Of the first window, infinite: it is no gain to compare with.
  gained = (state.previous - mean) / jnp.abs(state.previous)
  stuck = ended & jnp.isfinite(state.previous) & ~(gained >= threshold)
  previous = jnp.where(ended, mean, state.previous)
  state = state._replace(
    total=jnp.where(ended, 0.0, total),
    steps=jnp.where(ended, 0, steps),
    previous=jnp.where(stuck, jnp.inf, previous),
  )
  return state, stuck


def _replaced(tree: Params, path: tuple[str, ...], leaf: Array) -> Params:
  """The tree with another leaf at a path."""
  name, *rest = path
  inner = _replaced(tree[name], tuple(rest), leaf) if rest else leaf
  return tree | {name: inner}
