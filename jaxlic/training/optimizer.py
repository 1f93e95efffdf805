"""Optimizers and learning-rate schedules of the field, made of Optax's parts.

A configuration has these fields, each read here once:

| field | meaning |
|---|---|
| name | "adam", "adamw", or for matrices and kernels "muon" or "soap", with |
|   | Adam for all else |
| weight_decay | of adamw, decoupled from the gradient |
| learning_rate, warmup_steps | the rate after a linear rise from 0 |
| momentum, newton_schulz | muon: decay of the mean gradient; steps of the |
|   | iteration that makes it orthogonal. soap has its momentum, too |
| matrix_factor | muon, soap: matrices learn at this times the rate |
| schedule | "constant", "stable", "cosine", "step", "power" or "plateau" |
| steps, decay_steps, final | "stable": constant, but falls linearly to |
|   | `final` times the rate in the last `decay_steps` before `steps` |
| steps, final | "cosine": falls to `final` times the rate at `steps` |
| boundaries, factor | "step": times `factor` at each boundary |
| delay, power | "power": times `(delay / (delay + step)) ** power` |
| factor, window, patience | "plateau": times `factor` when the mean loss of |
|   | `window` steps has not fallen for `patience` windows |
| clip_norm | the global norm of a gradient is scaled down to this; inf: off |
| slow, slow_factor | top-level parameters that learn slower |
| only | top-level parameters that learn at all; (): all |
| open_window | steps whose mean loss decides on opening a channel; 0: never |
| open_threshold | a channel opens when less than this share was gained |
| open_factor | the rate falls to this share where all are open and none gains |

Parameters of the names in `types.FIXED` stay as they are, under decay too.

A mask, `params["mask"]["open"]` [c] of ones and zeros, opens channel after
channel: where the mean loss of a window is not lower than that of the window
before by the threshold, the next one opens, and the windows begin anew.

References:
  Kingma, Ba, "Adam", 2015; Loshchilov, Hutter, "Decoupled weight decay
  regularization", 2019; Begaint et al., "CompressAI", 2020 (halving on
  plateaus of a held-out loss; here the training loss itself is watched, since
  it is the same on every host and part of the state); Theis, Shi, Cunningham,
  Huszar, "Lossy image compression with compressive autoencoders", 2017, section
  3.1 and eq. 13 ("power", opening; the threshold is not stated there); Hu et
  al., "MiniCPM", 2024, section 4 ("stable"). Others in muon.py, soap.py.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array

from jaxlic.errors import JaxlicError
from jaxlic.training import muon, soap
from jaxlic.types import rests

SMALLEST = 16  # channels of a matrix; smaller ones gain nothing by its bases
# GDN's, which is not negative, and vectors for each of some levels.
NO_MATRICES = ("gamma", "log_gain", "log_inverse_gain", "log_scale")


def make(config: Any) -> optax.GradientTransformationExtraArgs:
  """Returns the optimizer; its `update` takes the loss as `value`.

  Raises:
    JaxlicError: If there is no such optimizer or schedule.
  """
  learners = {
    "fast": _learner(config, 1.0),
    "slow": _learner(config, config.slow_factor),
  }
  parts = [optax.partition(learners, lambda p: _labels(p, config.slow))]
  if math.isfinite(config.clip_norm):
    parts.insert(0, optax.clip_by_global_norm(config.clip_norm))
  if config.schedule == "plateau":
    parts.append(
      optax.contrib.reduce_on_plateau(
        factor=config.factor,
        patience=config.patience,
        accumulation_size=config.window,
      )
    )
  chain = optax.with_extra_args_support(optax.chain(*parts))
  chain = _sparing(chain, tuple(config.only))
  return _opening(chain, config) if config.open_window else chain


def _sparing(
  chain: Any, only: tuple[str, ...]
) -> optax.GradientTransformationExtraArgs:
  """The same, with a state of the same shape, but nothing moves FIXED.

  Nor, if there are names in `only`, parameters of other groups.
  """

  def spare(path, moved):
    return jnp.zeros_like(moved) if rests(path, only) else moved

  def update(gradient, state, params=None, **extra):
    moved, state = chain.update(gradient, state, params, **extra)
    return jax.tree_util.tree_map_with_path(spare, moved), state

  return optax.GradientTransformationExtraArgs(chain.init, update)


class Opening(NamedTuple):
  """What decides on opening a channel, beside the optimizer's own state."""

  inner: Any
  total: Array  # sum of the window's losses so far
  steps: Array  # int32, how many these are
  previous: Array  # mean loss of the window before; inf: there is none
  settled: Array  # bool: all are open, and no window gains any more


def _opening(chain: Any, config: Any) -> optax.GradientTransformationExtraArgs:
  """The same, but it opens the mask, and slows down after the last channel."""

  def init(params: dict) -> Opening:
    zero = jnp.zeros(())
    return Opening(
      chain.init(params), zero, zero.astype(int), zero + jnp.inf, zero > 0
    )

  def update(gradient, state: Opening, params=None, *, value, **extra):
    moved, inner = chain.update(
      gradient, state.inner, params, value=value, **extra
    )
    total, steps = state.total + value, state.steps + 1
    ended, mean = steps == config.open_window, total / steps
    # Of the first window, infinite: it is no gain to compare with.
    gained = (state.previous - mean) / jnp.abs(state.previous)
    stuck = ended & jnp.isfinite(state.previous)
    stuck &= ~(gained >= config.open_threshold)
    is_open = params["mask"]["open"]
    opening = stuck & (is_open == 0).any()
    settled = state.settled | (stuck & ~opening)
    share = jnp.where(settled, config.open_factor, 1.0)
    moved = jax.tree.map(lambda m: share * m, moved)
    following = jax.nn.one_hot(is_open.argmin(), len(is_open))
    moved["mask"] = {"open": following * opening}
    previous = jnp.where(ended, mean, state.previous)
    return moved, Opening(
      inner,
      jnp.where(ended, 0.0, total),
      jnp.where(ended, 0, steps),
      jnp.where(stuck, jnp.inf, previous),
      settled,
    )

  return optax.GradientTransformationExtraArgs(init, update)


def _learner(config: Any, factor: float) -> optax.GradientTransformation:
  rate = _schedule(config, factor)
  whole = {
    "adam": lambda: optax.adam(rate),
    "adamw": lambda: optax.adamw(rate, weight_decay=config.weight_decay),
  }
  of_matrices = {
    "muon": lambda: muon.scale_by_muon(
      momentum=config.momentum, newton_schulz=config.newton_schulz
    ),
    "soap": lambda: soap.scale_by_soap(b1=config.momentum),
  }
  if config.name in whole:
    return whole[config.name]()
  if config.name not in of_matrices:
    raise JaxlicError(
      f"optimizer.name is one of {', '.join(whole | of_matrices)}, got "
      f"{config.name!r}; choose one"
    )
  matrix_rate = _schedule(config, factor * config.matrix_factor)
  matrix = optax.chain(
    of_matrices[config.name](), optax.scale_by_learning_rate(matrix_rate)
  )
  return optax.partition(
    {"matrix": matrix, "other": optax.adam(rate)},
    lambda tree: jax.tree_util.tree_map_with_path(_kind, tree),
  )


def _kind(path: tuple, leaf: Array) -> str:
  """Whether a parameter maps channels to channels, signs and all."""
  matrix = leaf.ndim == 4 or (leaf.ndim == 2 and min(leaf.shape) >= SMALLEST)
  return "matrix" if matrix and path[-1].key not in NO_MATRICES else "other"


def _schedule(config: Any, factor: float) -> Callable:
  """The rate by step; a plateau's reductions come on top of it."""
  rate = factor * config.learning_rate
  rest = config.steps - config.warmup_steps
  after = {
    "constant": lambda: optax.constant_schedule(rate),
    "plateau": lambda: optax.constant_schedule(rate),
    "power": lambda: _power_schedule(config, rate),
    "stable": lambda: _stable_schedule(config, rate),
    "cosine": lambda: optax.cosine_decay_schedule(rate, rest, config.final),
    "step": lambda: optax.piecewise_constant_schedule(
      rate,
      {b - config.warmup_steps: config.factor for b in config.boundaries},
    ),
  }
  if config.schedule not in after:
    raise JaxlicError(
      f"optimizer.schedule is one of {', '.join(after)}, got "
      f"{config.schedule!r}; choose one"
    )
  if config.warmup_steps == 0:
    return after[config.schedule]()
  rise = optax.linear_schedule(0.0, rate, config.warmup_steps)
  return optax.join_schedules(
    [rise, after[config.schedule]()], [config.warmup_steps]
  )


def _stable_schedule(config: Any, rate: float) -> Callable:
  return optax.join_schedules(
    [
      optax.constant_schedule(rate),
      optax.linear_schedule(rate, config.final * rate, config.decay_steps),
    ],
    [config.steps - config.warmup_steps - config.decay_steps],
  )


def _power_schedule(config: Any, rate: float) -> Callable:
  delay, power = config.delay, config.power
  return lambda step: rate * (delay / (delay + step)) ** power


def _labels(params: dict, slow: tuple[str, ...]) -> dict:
  return {
    name: jax.tree.map(lambda _, n=name: "slow" if n in slow else "fast", v)
    for name, v in params.items()
  }
