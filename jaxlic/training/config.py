"""The configuration of a training: each field, its default and its rule.

    config = Config(
      model=Model("mbt2018-mean", {"quality": 4}),
      data=Data(folder="photos", batch=8),
    )

Whatever reads a configuration reads attributes, so that train.py can have an
`ml_collections.ConfigDict` of the same fields, which flags change. The defaults
are CompressAI's: Adam at 1e-4, gradients clipped to norm 1.
"""

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax

from jaxlic import metrics, types
from jaxlic.errors import JaxlicError
from jaxlic.training import optimizer, rules, schedules
from jaxlic.training.loss import DISTORTIONS, weights
from jaxlic.training.rules import (
  Rule,
  decay,
  field,
  not_negative,
  one_of,
  positive,
  share,
)

NEVER = float("inf")


@dataclass(slots=True)
class Model:
  """Which model is trained: a name of the registry, and its options."""

  name: str
  options: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclass(kw_only=True, slots=True)
class Data:
  """Photographs, and the crops of them that make a batch."""

  folder: str = "photos"  # or a file made by `jaxlic prepare`
  batch: int = field(16, positive)  # of all devices together
  crop: int = field(256, positive)  # pixels a side
  # Photographs are shrunk by up to this factor.
  smallest_scale: float = field(1.0, share)
  # Or windows of these sides, in pixels, are resized to the crop; (): none.
  crop_sizes: tuple[int, ...] = ()
  # Pixels; photographs with a smaller side are left out.
  smallest_side: int = field(0, not_negative)
  # The first so many of the rest, by name; 0: all.
  limit: int = field(0, not_negative)
  resident: bool = False  # all decoded in each device's memory, cut there
  # Resident: steps that a device takes by itself.
  dispatch: int = field(1, positive)
  draw: str = "epochs"  # or pixels (resident): in proportion to their size
  threads: int = field(16, not_negative)  # that decode, in each process
  # Processes that decode, beside each process.
  workers: int = field(0, not_negative)


@dataclass(kw_only=True, slots=True)
class Eval:
  """Photographs that are held out, and when they are looked at."""

  folder: str = ""  # "": none
  # Or the last so many of data.folder, which are not trained on.
  split: int = field(0, not_negative)
  every: int = 50_000  # steps
  images: int = 24  # of the folder, at most
  crop: int = 0  # largest side, around the centre; 0: whole photographs
  pictures: int = 2  # shown in TensorBoard


@dataclass(kw_only=True, slots=True)
class Optimizer:
  """How a gradient moves parameters; `optimizer` and `schedules` say more."""

  name: str = field("adam", one_of(*optimizer.NAMES))
  weight_decay: float = 0.0  # adamw: decoupled from the gradient
  learning_rate: float = field(1e-4, positive)
  warmup_steps: int = 0  # of a linear rise from 0
  # Muon, soap: matrices learn at this times the rate.
  matrix_factor: float = field(1.0, positive)
  momentum: float = field(0.95, decay)  # muon, soap: of the mean gradient
  newton_schulz: int = field(3, positive)  # muon: steps of its iteration
  schedule: str = field("constant", one_of(*schedules.NAMES))
  steps: int = 2_000_000
  decay_steps: int = 10_000  # stable: the last, in which the rate falls
  final: float = 0.01  # cosine, stable: share of the rate that is left
  boundaries: tuple[int, ...] = ()  # step: where the rate falls
  factor: float = 0.5  # step, plateau: to this share
  delay: int = field(1_000, positive)  # power: steps until it falls steeply
  power: float = 0.8  # power: the exponent of its fall
  window: int = field(10_000, positive)  # plateau: steps whose mean is watched
  patience: int = field(20, positive)  # plateau: windows without a lower loss
  clip_norm: float = 1.0  # gradients are scaled down to it; NEVER: they are not
  slow: tuple[str, ...] = ()  # groups of parameters at slow_factor of the rate
  slow_factor: float = 1.0
  only: tuple[str, ...] = ()  # groups of parameters that learn; (): all
  # Steps after which a mask may open; 0: never.
  open_window: int = field(0, not_negative)
  # Share of the loss that a window must gain, or else the mask opens.
  open_threshold: float = field(0.01, not_negative)
  # Share of the rate that is left when all is open and nothing is gained.
  open_factor: float = field(0.1, positive)


@dataclass(kw_only=True, slots=True)
class Loss:
  """What is minimized, and which steps count."""

  distortion: str = field("mse", one_of(*DISTORTIONS))
  lambdas: tuple[float, ...] = ()  # of the distortion; (): the model's own
  continuous: float = 0.0  # share of images with a quality between levels
  balance: float = 0.5  # losses are divided by lambda^balance; papers have 0
  # Of the moving average, which is exported.
  average_decay: float = field(0.999, decay)
  max_norm: float = NEVER  # steps with a larger gradient are skipped
  max_skipped: int = field(100, positive)  # about so many in a row end the run
  # Temperature of soft rounding, of a lattice's softmax.
  temperature_start: float = field(1.0, positive)
  temperature_end: float = field(0.1, positive)
  temperature_steps: int = field(1_000_000, positive)


@dataclass(kw_only=True, slots=True)
class Config:
  """A training."""

  seed: int = 0
  start_from: str = ""  # a codec's folder, whose weights the run begins with
  start_partly: bool = False  # only with those of the same name and shape
  # Of convolutions in training.
  dtype: str = field("float32", one_of(*types.DTYPES))
  # Turns in which a device takes its share of a batch.
  accumulate: int = field(1, positive)
  log_every: int = field(100, positive)  # steps
  checkpoint_every: int = field(5_000, positive)  # steps
  data: Data = dataclasses.field(default_factory=Data)
  eval: Eval = dataclasses.field(default_factory=Eval)
  optimizer: Optimizer = dataclasses.field(default_factory=Optimizer)
  loss: Loss = dataclasses.field(default_factory=Loss)
  model: Model


def to_json(config: Any) -> str:
  """Returns a Config, or a ConfigDict of its fields, as JSON."""
  if dataclasses.is_dataclass(config):
    return json.dumps(dataclasses.asdict(config), indent=1)
  return config.to_json(indent=1)


def check(config: Any, model: types.Model, *, devices: int) -> None:
  """Refuses what would fail only after compilation, or mean nothing.

  Args:
    config: Of a run.
    model: The one that it trains.
    devices: How many share a batch.

  Raises:
    JaxlicError: Naming the first field that breaks a rule.
  """
  weights(model.spec, config.loss)
  rules.check_fields(Config, config)
  for name, rule in _between_fields(config, model.spec, devices):
    rules.check(name, rules.value_at(config, name), rule)
  for name in ("optimizer.slow", "optimizer.only"):
    _check_groups(name, rules.value_at(config, name), model)
  if config.optimizer.open_window and not model.spec.opens:
    raise JaxlicError(
      "optimizer.open_window is 0 for a model without a mask, got "
      f"{config.optimizer.open_window}; set it to 0, or if the model has it, "
      "model.options.open_at_first"
    )


def _between_fields(
  config: Any, spec: types.ModelSpec, devices: int
) -> Iterator[tuple[str, Rule]]:
  """Rules of fields that depend on others, on the model or on the devices."""
  yield "data.crop", rules.multiple_of(spec.stride, "the model's stride")
  if config.loss.distortion == "ms-ssim":
    least = metrics.MS_SSIM_MIN_SIDE
    yield "data.crop", rules.at_least(least, "for MS-SSIM")
  yield from _of_crops(config.data)
  turns = devices * config.accumulate
  yield "data.batch", rules.multiple_of(turns, "the devices times accumulate")
  yield from _of_resident(config)
  yield from _of_schedule(config.optimizer)
  # So that sums of metrics and losses are whole wherever a run resumes.
  log_every, checkpoint_every = config.log_every, config.checkpoint_every
  yield "checkpoint_every", rules.multiple_of(log_every, "log_every")
  if config.eval.folder:
    alone = Rule(lambda x: not x, "0 with eval.folder")
    yield "eval.split", alone
  if config.eval.folder or config.eval.split:
    rule = rules.multiple_of(checkpoint_every, "checkpoint_every")
    yield "eval.every", rule


def _of_crops(config: Any) -> Iterator[tuple[str, Rule]]:
  """What data.crop_sizes may be, and what they leave to no other field."""
  if not config.crop_sizes:
    return
  least = config.crop
  words = f"whole numbers of data.crop, {least}, or more"
  sizes = Rule(lambda x: all(type(s) is int and s >= least for s in x), words)
  yield "data.crop_sizes", sizes
  scale = Rule(lambda x: x == 1, "1 with data.crop_sizes")
  yield "data.smallest_scale", scale


def _of_resident(config: Any) -> Iterator[tuple[str, Rule]]:
  """What a stream cannot do, and what dispatches of several steps need."""
  if not config.data.resident:
    yield "data.dispatch", Rule(lambda x: x == 1, "1 unless data.resident")
    epochs = Rule(lambda x: x == "epochs", "epochs unless data.resident")
    yield "data.draw", epochs
  either = Rule(lambda x: x in ("epochs", "pixels"), "epochs or pixels")
  yield "data.draw", either
  for name in ("log_every", "optimizer.steps"):
    yield name, rules.multiple_of(config.data.dispatch, "data.dispatch")


def _of_schedule(config: Any) -> Iterator[tuple[str, Rule]]:
  """What has room before the last step."""
  warmup = config.warmup_steps
  words = f"above optimizer.warmup_steps, {warmup}"
  yield "optimizer.steps", Rule(lambda x: x > warmup, words)
  if config.schedule == "stable":
    rest = config.steps - warmup
    words = f"from 0 to the {rest} steps after the warm-up"
    yield "optimizer.decay_steps", Rule(lambda x: 0 <= x <= rest, words)


def _check_groups(
  name: str, groups: tuple[str, ...], model: types.Model
) -> None:
  if not groups:
    return
  known = sorted(jax.eval_shape(model.init, jax.random.key(0)))
  unknown = sorted(set(groups) - set(known))
  if unknown:
    raise JaxlicError(
      f"{name} has names out of {', '.join(known)}, got "
      f"{', '.join(unknown)}; correct it"
    )
