"""What users pass, checked with a line that says what to do."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from jaxlic import zoo
from jaxlic.data.images import Photo
from jaxlic.errors import JaxlicError, one_line
from jaxlic.zoo import Trained

# Checked here, and not by a type checker.
ImageLike = Any  # what NumPy makes uint8 [H W 3] or [H W] of
BytesLike = Any  # bytes, bytearray or memoryview
Number = Any  # int, float or a number of NumPy
ModelLike = str | Path | Trained
MapLike = Any  # what NumPy makes float32 [H W] of


def photo_of(image: ImageLike) -> Photo:
  """Returns 8-bit samples, [H W 3] or [H W], as a photograph.

  Raises:
    JaxlicError: If the image has other samples or another shape.
  """
  samples = _samples(image)
  grey = samples.ndim == 2
  pixels = np.repeat(samples[..., None], 3, -1) if grey else samples
  return Photo(np.ascontiguousarray(pixels), grey, None)


def number(name: str, value: Number) -> float:
  """Returns `value` as a float.

  Raises:
    JaxlicError: If it is no number; the error calls it `name`.
  """
  try:
    return float(value)
  except (TypeError, ValueError) as error:
    raise JaxlicError(
      f"{name} is a number, got {value!r}; give one, such as 3.5"
    ) from error


def loaded(model: ModelLike) -> Trained:
  """Returns the codec; one that is loaded already stays as it is."""
  return model if isinstance(model, Trained) else zoo.load(model)


def _samples(
  image: ImageLike,
) -> UInt8[np.ndarray, "H W 3"] | UInt8[np.ndarray, "H W"]:
  """The image as an array; refuses what would have to be guessed."""
  # Other modes have as many bytes per pixel, but they are no grey and no RGB.
  if isinstance(image, Image.Image) and image.mode not in ("RGB", "L"):
    raise JaxlicError(
      f"a PIL image has mode RGB or L, got {image.mode}; convert it with "
      "image.convert('RGB')"
    )
  try:
    samples = np.asarray(image)
  except (TypeError, ValueError) as error:
    raise JaxlicError(
      f"an image is uint8 [H W 3] or [H W], got {type(image).__name__}, no "
      f"array ({one_line(error)}); make it one"
    ) from error
  if samples.dtype != np.uint8:
    way_out = "multiply by 255 and round, or read it with PIL"
  elif samples.ndim != 2 and samples.shape[2:] != (3,):
    way_out = "pass one image, without alpha, and grey as [H W]"
  elif not samples.size:
    way_out = "an image has at least one pixel"
  else:
    return samples
  raise JaxlicError(
    f"an image is uint8 [H W 3] or [H W], got {samples.dtype} {samples.shape}; "
    f"{way_out}"
  )
