"""Optimizers and learning-rate schedules of the field, made of Optax's parts.

A configuration has these fields, each read here once:

| field | meaning |
|---|---|
| name, weight_decay | "adam", or "adamw" with decoupled decay |
| learning_rate, warmup_steps | the rate after a linear rise from 0 |
| schedule | "constant", "cosine", "step" or "plateau", below |
| steps, final | "cosine": falls to `final` times the rate at `steps` |
| boundaries, factor | "step": times `factor` at each boundary |
| factor, window, patience | "plateau": times `factor` when the mean loss of |
|   | `window` steps has not fallen for `patience` windows |
| clip_norm | the global norm of a gradient is scaled down to this; inf: off |
| slow, slow_factor | top-level parameters that learn slower |

Parameters of the names in `types.FIXED` stay as they are, under decay too.

References:
  Kingma, Ba, "Adam", 2015; Loshchilov, Hutter, "Decoupled weight decay
  regularization", 2019; Begaint et al., "CompressAI", 2020 (halving on
  plateaus of a held-out loss; here the training loss itself is watched, since
  it is the same on every host and part of the state).
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxlic.types import FIXED, JaxlicError


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
  return _sparing(optax.with_extra_args_support(optax.chain(*parts)))


def _sparing(chain: Any) -> optax.GradientTransformationExtraArgs:
  """The same, with a state of the same shape, but nothing moves FIXED."""

  def spare(path, moved):
    return jnp.zeros_like(moved) if path[-1].key in FIXED else moved

  def update(gradient, state, params=None, **extra):
    moved, state = chain.update(gradient, state, params, **extra)
    return jax.tree_util.tree_map_with_path(spare, moved), state

  return optax.GradientTransformationExtraArgs(chain.init, update)


def _learner(config: Any, factor: float) -> optax.GradientTransformation:
  rate = _schedule(config, factor)
  if config.name == "adam":
    return optax.adam(rate)
  if config.name == "adamw":
    return optax.adamw(rate, weight_decay=config.weight_decay)
  raise JaxlicError(
    f"optimizer.name is adam or adamw, got {config.name!r}; choose one"
  )


def _schedule(config: Any, factor: float) -> Callable:
  """The rate by step; a plateau's reductions come on top of it."""
  rate = factor * config.learning_rate
  rest = config.steps - config.warmup_steps
  after = {
    "constant": lambda: optax.constant_schedule(rate),
    "plateau": lambda: optax.constant_schedule(rate),
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


def _labels(params: dict, slow: tuple[str, ...]) -> dict:
  return {
    name: jax.tree.map(lambda _, n=name: "slow" if n in slow else "fast", v)
    for name, v in params.items()
  }
