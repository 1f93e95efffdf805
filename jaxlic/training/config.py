"""The rules that a configuration keeps, checked before anything is compiled."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax

from jaxlic import metrics, training
from jaxlic.errors import JaxlicError
from jaxlic.types import Model, ModelSpec

_POSITIVE = """
  accumulate checkpoint_every data.batch data.crop data.dispatch log_every
  loss.max_skipped loss.temperature_end loss.temperature_start
  loss.temperature_steps
  optimizer.delay optimizer.learning_rate optimizer.matrix_factor
  optimizer.newton_schulz optimizer.open_factor optimizer.patience
  optimizer.window
""".split()
_NOT_NEGATIVE = """
  data.threads data.workers optimizer.open_threshold optimizer.open_window
""".split()
Rule = tuple[str, Callable[[Any], bool], str]  # field, holds(value), in words


def check(config: Any, model: Model, *, devices: int) -> None:
  """Refuses what would fail only after compilation, or mean nothing.

  Args:
    config: Of a run.
    model: The one that it trains.
    devices: How many share a batch.

  Raises:
    JaxlicError: Naming the first field that breaks a rule.
  """
  training.weights(model.spec, config.loss)
  for field, holds, rule in _rules(config, model.spec, devices):
    value = functools.reduce(lambda c, name: c[name], field.split("."), config)
    if not holds(value):
      raise JaxlicError(f"{field} is {rule}, got {value}; correct it")
  for field in ("slow", "only"):
    _check_groups(f"optimizer.{field}", config.optimizer[field], model)
  if config.optimizer.open_window and "mask" not in _groups(model):
    raise JaxlicError(
      "optimizer.open_window is 0 for a model without a mask, got "
      f"{config.optimizer.open_window}; set it to 0, or if the model has it, "
      "model.options.open_at_first"
    )


def _rules(config: Any, spec: ModelSpec, devices: int) -> Iterator[Rule]:
  for field in _POSITIVE:
    yield field, lambda x: x > 0, "positive"
  for field in _NOT_NEGATIVE:
    yield field, lambda x: x >= 0, "0 or more"
  yield "data.crop", *_multiple("the model's stride", spec.stride)
  if config.loss.distortion == "ms-ssim":
    least = metrics.MS_SSIM_MIN_SIDE
    yield "data.crop", lambda x: x >= least, f"{least} or more for MS-SSIM"
  shares = devices * config.accumulate
  yield "data.batch", *_multiple("the devices times accumulate", shares)
  yield from _resident_rules(config)
  share = "above 0, and 1 at most"
  yield "data.smallest_scale", lambda x: 0 < x <= 1, share
  decay = "from 0 to 1, without 1"
  for field in ("loss.average_decay", "optimizer.momentum"):
    yield field, lambda x: 0 <= x < 1, decay
  warmup = config.optimizer.warmup_steps
  above = f"above optimizer.warmup_steps, {warmup}"
  yield "optimizer.steps", lambda x: x > warmup, above
  if config.optimizer.schedule == "stable":
    rest = config.optimizer.steps - warmup
    within = f"from 0 to the {rest} steps after the warm-up"
    yield "optimizer.decay_steps", lambda x: 0 <= x <= rest, within
  # So that sums of metrics and losses are whole wherever a run resumes.
  yield "checkpoint_every", *_multiple("log_every", config.log_every)
  if config.eval.folder:
    unit = "checkpoint_every"
    yield "eval.every", *_multiple(unit, config[unit])


def _resident_rules(config: Any) -> Iterator[Rule]:
  """What a stream cannot do, and what dispatches of several steps need."""
  if not config.data.resident:
    yield "data.dispatch", lambda x: x == 1, "1 unless data.resident"
    yield "data.draw", lambda x: x == "epochs", "epochs unless data.resident"
  yield "data.draw", lambda x: x in ("epochs", "pixels"), "epochs or pixels"
  for field in ("log_every", "optimizer.steps"):
    yield field, *_multiple("data.dispatch", config.data.dispatch)


def _multiple(name: str, unit: int) -> tuple[Callable[[int], bool], str]:
  return lambda x: x > 0 and x % unit == 0, f"a multiple of {name}, {unit}"


def _check_groups(field: str, names: tuple[str, ...], model: Model) -> None:
  if not names:
    return
  known = _groups(model)
  unknown = sorted(set(names) - set(known))
  if unknown:
    raise JaxlicError(
      f"{field} has names out of {', '.join(known)}, got "
      f"{', '.join(unknown)}; correct it"
    )


def _groups(model: Model) -> list[str]:
  return sorted(jax.eval_shape(model.init, jax.random.key(0)))
