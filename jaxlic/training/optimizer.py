"""Optimizers of the field, made of Optax's; `schedules` has their rates.

Adam and AdamW move every parameter; with Muon and SOAP, matrices and kernels
have an optimizer of their own, and all else Adam. Groups of parameters may
learn slower than the rest, or not at all, and what rests in the model (see
`resting`) stays as it is, under decay too.

References:
  Kingma, Ba, "Adam", 2015; Loshchilov, Hutter, "Decoupled weight decay
  regularization", 2019; Begaint et al., "CompressAI", 2020 (halving on
  plateaus of a held-out loss; here the training loss itself is watched, since
  it is the same on every host and part of the state). Others in muon.py,
  soap.py, schedules.py and opening.py.
"""

import math
from collections.abc import Sequence
from typing import Any

import jax
import optax
from jaxtyping import Array

from jaxlic.training import muon, resting, rules, schedules, soap
from jaxlic.training.opening import opening
from jaxlic.types import ModelSpec, Params

SMALLEST = 16  # channels of a matrix; smaller ones gain nothing by its bases
# GDN's, which is not negative, and vectors for each of some levels.
NO_MATRICES = ("gamma", "log_gain", "log_inverse_gain", "log_scale")


def make(config: Any, spec: ModelSpec) -> optax.GradientTransformationExtraArgs:
  """Returns the optimizer of a model; its `update` takes the loss as `value`.

  Args:
    config: See `config.Optimizer`.
    spec: What rests in the model, and what opens.

  Raises:
    JaxlicError: If there is no such optimizer or schedule.
  """
  rules.check("optimizer.name", config.name, rules.one_of(*NAMES))
  speeds = {"fast": _of_all(config, 1.0)}
  speeds |= {"slow": _of_all(config, config.slow_factor)}
  transforms = [optax.partition(speeds, lambda p: _speeds(p, config.slow))]
  if math.isfinite(config.clip_norm):
    transforms.insert(0, optax.clip_by_global_norm(config.clip_norm))
  if config.schedule == "plateau":
    transforms.append(_on_plateaus(config))
  optimizer = optax.with_extra_args_support(optax.chain(*transforms))
  optimizer = _sparing(optimizer, spec.rests, tuple(config.only))
  if not config.open_window:
    return optimizer
  return opening(
    optimizer,
    spec.opens,
    window=config.open_window,
    threshold=config.open_threshold,
    factor=config.open_factor,
  )


def _on_plateaus(config: Any) -> optax.GradientTransformationExtraArgs:
  return optax.contrib.reduce_on_plateau(
    factor=config.factor,
    patience=config.patience,
    accumulation_size=config.window,
  )


def _sparing(
  optimizer: optax.GradientTransformationExtraArgs,
  names: Sequence[str],
  only: Sequence[str],
) -> optax.GradientTransformationExtraArgs:
  """The same, with a state of the same shape, but what rests stays."""

  def update(gradient, state, params=None, **extra):
    # Optax counts in integers, and multiplies them with floats.
    with jax.numpy_dtype_promotion("standard"):
      updates, state = optimizer.update(gradient, state, params, **extra)
    return resting.without_update(updates, names, only), state

  return optax.GradientTransformationExtraArgs(optimizer.init, update)


def _of_all(config: Any, factor: float) -> optax.GradientTransformation:
  """What moves every parameter, at a factor of the rate."""
  rate = schedules.make(config, factor)
  if config.name in _WHOLE:
    return _WHOLE[config.name](config, rate)
  matrix_rate = schedules.make(config, factor * config.matrix_factor)
  matrix = optax.chain(
    _OF_MATRICES[config.name](config), optax.scale_by_learning_rate(matrix_rate)
  )
  return optax.partition(
    {"matrix": matrix, "other": optax.adam(rate)},
    lambda tree: jax.tree_util.tree_map_with_path(_kind, tree),
  )


def _kind(path: tuple, leaf: Array) -> str:
  """Whether a parameter maps channels to channels, signs and all."""
  matrix = leaf.ndim == 4 or (leaf.ndim == 2 and min(leaf.shape) >= SMALLEST)
  return "matrix" if matrix and path[-1].key not in NO_MATRICES else "other"


def _speeds(params: Params, slow: Sequence[str]) -> Params:
  return {
    name: jax.tree.map(lambda _, n=name: "slow" if n in slow else "fast", v)
    for name, v in params.items()
  }


def _adam(config: Any, rate: optax.Schedule) -> optax.GradientTransformation:
  return optax.adam(rate)


def _adamw(config: Any, rate: optax.Schedule) -> optax.GradientTransformation:
  return optax.adamw(rate, weight_decay=config.weight_decay)


def _muon(config: Any) -> optax.GradientTransformation:
  return muon.scale_by_muon(
    momentum=config.momentum, newton_schulz=config.newton_schulz
  )


def _soap(config: Any) -> optax.GradientTransformation:
  return soap.scale_by_soap(b1=config.momentum)


_WHOLE = {"adam": _adam, "adamw": _adamw}
_OF_MATRICES = {"muon": _muon, "soap": _soap}
NAMES = (*_WHOLE, *_OF_MATRICES)
