"""What users pass, checked with a line that says what to do."""

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from jaxlic import zoo
from jaxlic.data import images
from jaxlic.data.images import Background, Photo
from jaxlic.errors import JaxlicError
from jaxlic.files.samples import samples_of
from jaxlic.zoo import Trained

# Checked here, and not by a type checker.
ImageLike = Any  # a PIL image, or what NumPy makes uint8 [H W 3] or [H W] of
PathLike = Any  # str or os.PathLike
BytesLike = Any  # bytes, bytearray or memoryview
Number = Any  # int, float or a number of NumPy
ModelLike = str | Path | Trained
MapLike = Any  # what NumPy makes float32 [H W] of


def photo_of(
  image: ImageLike,
  *,
  background: Background = None,
  reduce_depth: bool = False,
  salvage: bool = False,
) -> Photo:
  """Returns a PIL image, or 8-bit samples [H W 3] or [H W], as a photograph.

  Args:
    image: A PIL image is read as a file is, see `jaxlic.data.images.from_pil`.
    background: Of a PIL image: the colour under transparent pixels.
    reduce_depth: Of a PIL image: whether deep samples are rounded.
    salvage: Of a PIL image: whether the rest of a damaged one is taken.

  Raises:
    JaxlicError: If the image has other samples or another shape, or a PIL
      image would lose something.
  """
  if isinstance(image, Image.Image):
    return images.from_pil(
      image,
      background=background,
      reduce_depth=reduce_depth,
      salvage=salvage,
    )
  samples = samples_of(image)
  grey = samples.ndim == 2
  pixels = np.repeat(samples[..., None], 3, -1) if grey else samples
  return Photo(np.ascontiguousarray(pixels), grey)


def warn_of_notes(name: str, photo: Photo) -> None:
  """Warns the caller's caller of what a photograph has lost in reading."""
  for note in photo.notes:
    warnings.warn(f"{name}: {note}", stacklevel=3)


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


def path_of(path: PathLike) -> str:
  """Returns a path as text.

  Raises:
    JaxlicError: If it is none.
  """
  if isinstance(path, str | os.PathLike):
    return os.fsdecode(path)
  raise JaxlicError(
    f"a path is str or os.PathLike, got {type(path).__name__}; arrays, PIL "
    "images and bytes are for jaxlic.compress and jaxlic.decompress"
  )
