"""What a codec makes of a photograph, stage by stage and place by place.

    looked = inside.inspect(jaxlic.load("lapped-2"), pixels, 3.0)
    looked.stages["z"].bits         # what every symbol costs, [h w s]
    inside.bits_per_pixel(looked)   # where the bits go, [H W]

Stages are visited as `evaluate` and the decoder visit them, by the same
functions: the image is bit for bit theirs, and the bits of a stage add up to
its estimate but for the order of summation.
"""

import functools
import json
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float

from jaxlic import codec, models
from jaxlic.codec import compiled, inputs
from jaxlic.errors import JaxlicError
from jaxlic.files.samples import samples_of
from jaxlic.types import Grid, Known, Model, Params, Stage, StageSpec
from jaxlic.zoo import ENSEMBLE, Trained


class StageInside(NamedTuple):
  """A stage's arrays of one image, without the axis of a batch."""

  spec: StageSpec
  latent: np.ndarray  # [*positions c] float32, before it is quantized
  known: Known  # of arrays [*positions ...]: what predicts the latent, as the
  # stage's own pytree, most often a `Prediction` of mean and scale
  symbols: np.ndarray  # [*positions s] int32, what the coder takes
  y_hat: np.ndarray  # [*positions c] float32, what the decoder has
  bits: np.ndarray  # [*positions s] float32, of every symbol


class Inside(NamedTuple):
  """What became of one image."""

  image: np.ndarray  # [H W 3] float32 in [0, 1], as a decoder shows it
  stages: dict[str, StageInside]  # by name, in coding order


# From parameters, an image uint8 [H W 3], and a quality.
Inspect = Callable[[Params, Any, float], Inside]


def inspect(trained: Trained, image: Any, quality: float = 0.0) -> Inside:
  """Returns what a finished codec makes of an image.

  Args:
    trained: The codec, as `jaxlic.load` gives it.
    image: uint8 [H W 3], or grey [H W].
    quality: From 0 to the codec's best; ignored by codecs of one rate.

  Raises:
    JaxlicError: If the codec is an ensemble, the image is none, or the quality
      is out of range.
  """
  if trained.architecture == ENSEMBLE:
    raise JaxlicError(
      f"one looks inside a codec of one model, {trained.name} is an ensemble; "
      "load one of its members"
    )
  options = json.dumps(trained.options)
  maker = models.MODELS.get(trained.architecture)
  look = _make_by_name(trained.architecture, options, maker)
  return look(trained.params, image, quality)


def make(model: Model) -> Inspect:
  """Returns what looks inside any model, compiled on first use.

  Call it as `look(params, image, quality)`, as `inspect` without the codec.
  """
  programs = compiled.compile_model(model)
  examine = {s.spec.name: jax.jit(_examine(s)) for s in model.stages}

  def look(params: Params, image: Any, quality: float = 0.0) -> Inside:
    level = codec.checked_quality(model.spec, quality)
    samples = _in_colour(image) / np.float32(255)
    with jax.transfer_guard("allow"):
      return _look(model, programs, examine, params, samples, level)

  return look


def bits_per_pixel(inside: Inside) -> Float[np.ndarray, "H W"]:
  """Returns where the bits of all stages go; the sum is that of their bits.

  The bits of a position are shared equally by the pixels that it covers, a
  square of its stage's stride. Of a position at the edge those are the pixels
  inside the image: padding gets none. A stage whose positions have nothing to
  do with the image's is shared by all pixels. For one stage alone write
  `inside._replace(stages={name: inside.stages[name]})`.
  """
  height, width = inside.image.shape[:2]
  total = np.zeros((height, width))
  for stage in inside.stages.values():
    if stage.spec.stride is None:
      total += stage.bits.sum(dtype=np.float64) / total.size
    else:
      bits = stage.bits.sum(-1, dtype=np.float64)
      total += _spread(bits, stage.spec.stride, (height, width))
  return total


@functools.lru_cache(maxsize=8)
def _make_by_name(
  architecture: str, options: str, maker: Callable | None
) -> Inspect:
  """That of a model of the registry, where `maker` may be defined anew."""
  return make(models.make(architecture, **json.loads(options)))


def _in_colour(image: Any) -> np.ndarray:
  samples = samples_of(image)
  return np.stack([samples] * 3, -1) if samples.ndim == 2 else samples


def _examine(stage: Stage) -> Callable:
  """From symbols and what is known to what is decoded, and what it costs."""

  def examine(params: Params, symbols: Array, known: Known):
    decoded = stage.quantizer.from_symbols(symbols, known)
    return decoded.value, stage.density.bits(params, decoded.coded, known)

  return examine


def _look(
  model: Model,
  programs: compiled.Compiled,
  examine: dict[str, Callable],
  params: Params,
  samples: Float[np.ndarray, "H W 3"],
  level: float,
) -> Inside:
  height, width = samples.shape[:2]
  blocks, wanted = inputs.padded(model.spec, samples, level, None)
  latents = programs.analyze(params, blocks, wanted)
  parts: dict[str, list] = {stage.spec.name: [] for stage in model.stages}

  def quantize(portion: compiled.Portion, known: Known, rows: Array) -> Array:
    name = portion.stage.spec.name
    symbols = portion.quantize(latents, known)
    seen = known, symbols, *examine[name](params, symbols, known)
    places = portion.places
    parts[name].append(
      (
        None if places is None else places[: portion.coded],
        jax.tree.map(np.asarray, seen),
      )
    )
    return symbols

  context = compiled.visit(
    model, programs, params, (height, width), level, quantize
  )
  shown = programs.synthesize(params, context)
  grid, stages = inputs.grid(model.spec, height, width), {}
  for stage in model.stages:
    name = stage.spec.name
    latent = np.asarray(latents[name])[0]
    known, symbols, y_hat, bits = _joined(parts[name], grid)
    stages[name] = StageInside(stage.spec, latent, known, symbols, y_hat, bits)
  return Inside(np.asarray(shown)[0, :height, :width], stages)


def _joined(parts: list[tuple[np.ndarray | None, Any]], grid: Grid) -> Any:
  """One pytree of the parts of a stage, which with an order are its groups."""
  places, trees = zip(*parts, strict=True)
  if places[0] is None:
    return jax.tree.map(lambda array: array[0], trees[0])
  order = np.argsort(np.concatenate(places))

  def join(*groups: np.ndarray) -> np.ndarray:
    rows = [g[0, : len(p), 0] for g, p in zip(groups, places, strict=True)]
    whole = np.concatenate(rows)[order]
    return whole.reshape(*grid, *whole.shape[1:])

  return jax.tree.map(join, *trees)


def _spread(
  bits: Float[np.ndarray, "h w"], stride: int, size: tuple[int, int]
) -> Float[np.ndarray, "H W"]:
  """Bits of positions, shared by those pixels of an image that each covers."""
  rows, columns = (np.arange(side) // stride for side in size)
  area = np.outer(np.bincount(rows), np.bincount(columns))
  return (bits / area)[rows][:, columns]
