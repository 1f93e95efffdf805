"""Held-out rate and distortion during a training, with rounded latents.

Rates are estimates, since tables are frozen only when a codec is exported;
`jaxlic eval` measures real files.
"""

import logging
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import UInt8

from jaxlic import metrics
from jaxlic.data import images, sources
from jaxlic.data.sources import Source
from jaxlic.errors import JaxlicError
from jaxlic.training import devices
from jaxlic.training.logs import Logs
from jaxlic.training.loss import metric_names, rate_distortion, weights
from jaxlic.training.step import State
from jaxlic.types import Codec, Model, Outcome, Params

Picture = UInt8[np.ndarray, "H W 3"]


class Held(NamedTuple):
  """One process's share of the held-out photographs."""

  photos: list[Picture]
  count: int  # of all processes


class Result(NamedTuple):
  """What was measured on one process's photographs."""

  sums: np.ndarray  # [levels, metrics] float64, as loss.metric_names
  shown: list[Picture]  # original and reconstruction, side by side


class HeldOut(NamedTuple):
  """What a run evaluates beside its loop."""

  config: Any  # that of the run
  model: Model  # at full precision
  codec: Codec
  held: Held

  @classmethod
  def load(
    cls,
    config: Any,
    model: Model,
    codec: Codec,
    source: Source | None = None,
  ) -> "HeldOut":
    """Returns this process's share of a source, or else of eval.folder.

    Raises:
      JaxlicError: See `load`.
    """
    held = load(
      config.eval,
      source,
      distortion=config.loss.distortion,
      process=jax.process_index(),
      processes=jax.process_count(),
    )
    return cls(config, model, codec, held)

  def evaluate(self, state: State, step: int, logs: Logs) -> float:
    """Evaluates the moving average, logs it, and returns its loss."""
    loss = self.config.loss
    result = evaluate(
      self.model,
      self.codec,
      devices.unreplicate(state.average),
      self.held.photos,
      loss,
      pictures=self.config.eval.pictures,
    )
    sums = devices.sum_over_processes(result.sums)
    means = points(self.model, loss, sums, self.held.count)
    logs.evaluation(step, means, result.shown)
    return mean_loss(self.model, loss, means)


def load(
  config: Any,
  source: Source | None = None,
  *,
  distortion: str = "mse",
  process: int = 0,
  processes: int = 1,
) -> Held:
  """Returns every `processes`-th photograph, from number `process` on.

  They are those of a source, or else of a folder. What cannot be read is left
  out, and logged by the first process. Deep samples are rounded to 8 bits, as
  for training.

  Args:
    config: Has `folder`, `images` (how many of it at most), and `crop` (the
      largest side, cut around the centre; 0 for whole photographs).
    source: Photographs, all of which are used.
    distortion: What they are to be large enough for.
    process: Number of this process.
    processes: How many share the photographs.

  Raises:
    JaxlicError: If no photograph can be read, or one is too small for the
      distortion.
  """
  source = _open_folder(config) if source is None else source
  photos = []
  for i in range(len(source)):
    try:
      record = source[i]
      photo = _centre(sources.decode(record), config.crop)
    except JaxlicError as error:
      if process == 0:
        logging.warning("left out of the evaluation: %s", error)
      continue
    _check_size(record.name, photo, distortion)
    photos.append(photo)
  if not photos:
    raise JaxlicError(
      f"{config.folder or 'eval.split'}: no photograph here can be read; give "
      "others to evaluate"
    )
  return Held(photos[process::processes], len(photos))


def evaluate(
  model: Model,
  codec: Codec,
  params: Params,
  photos: list[Picture],
  config: Any,
  *,
  pictures: int = 0,
) -> Result:
  """Returns sums of loss, bpp and quality at every level of the model.

  `config` is that of the loss. Reconstructions are rounded to 8 bits. The first
  `pictures` photographs are shown at the middle level.
  """
  lambdas = weights(model.spec, config)
  names = metric_names(model, config)
  sums, shown = np.zeros((len(lambdas), len(names))), []
  for level, weight in enumerate(lambdas):
    for i, photo in enumerate(photos):
      image = photo / np.float32(255)
      outcome = codec.evaluate(params, image, float(level))
      pixels = np.round(np.asarray(outcome.image) * 255)
      rounded = outcome._replace(image=pixels / np.float32(255))
      values = _measure(rounded, image, weight, config.distortion)
      sums[level] += [values[name] for name in names]
      if level == len(lambdas) // 2 and i < pictures:
        shown.append(np.concatenate([photo, pixels.astype(np.uint8)], 1))
  return Result(sums, shown)


def points(
  model: Model, config: Any, sums: np.ndarray, count: int
) -> list[dict[str, float]]:
  """Returns the means over `count` photographs, a dictionary per level."""
  names = metric_names(model, config)
  return [
    {"quality": float(level)}
    | dict(zip(names, (row / count).tolist(), strict=True))
    for level, row in enumerate(sums)
  ]


def mean_loss(
  model: Model, config: Any, means: list[dict[str, float]]
) -> float:
  """Returns the loss that training lowers, balanced over the levels."""
  lambdas = np.array(weights(model.spec, config))
  losses = np.array([point["loss"] for point in means])
  shares = lambdas / lambdas.mean()
  return float((losses / shares**config.balance).mean())


def _measure(
  outcome: Outcome, image: np.ndarray, weight: float, distortion: str
) -> dict[str, float]:
  """The metrics of one image."""
  bits, shown, original, lambdas = jax.tree.map(
    lambda x: jnp.asarray(x, jnp.float32)[None],
    (outcome.bits, outcome.image, image, weight),
  )
  _, values = rate_distortion(
    Outcome(shown, bits), original, lambdas, distortion
  )
  return {name: float(value[0]) for name, value in values.items()}


def _open_folder(config: Any) -> Source:
  """The first photographs of the folder, readable or not."""
  paths = images.list_photos(config.folder)[: config.images]
  return Source(lambda i: sources.read_file(Path(), str(paths[i])), len(paths))


def _check_size(name: str, photo: Picture, distortion: str) -> None:
  least = metrics.MS_SSIM_MIN_SIDE if distortion == "ms-ssim" else 1
  height, width = photo.shape[:2]
  if min(height, width) < least:
    raise JaxlicError(
      f"{name}: MS-SSIM needs sides of at least {least} pixels, got "
      f"{height}x{width}; remove the photograph, or raise eval.crop"
    )


def _centre(photo: Picture, crop: int) -> UInt8[np.ndarray, "h w 3"]:
  if crop:
    top, left = (max(side - crop, 0) // 2 for side in photo.shape[:2])
    photo = photo[top : top + crop, left : left + crop]
  return photo
