"""Arrays as images: 8-bit samples are taken, the rest is told what to do."""

import os
from typing import Any

import numpy as np
from jaxtyping import UInt8

from jaxlic.coding import container
from jaxlic.errors import JaxlicError, one_line

_RULE = "an image is uint8 [H W 3] or [H W]"


def samples_of(
  image: Any,
) -> UInt8[np.ndarray, "H W 3"] | UInt8[np.ndarray, "H W"]:
  """Returns the image as an array; refuses what would have to be guessed.

  Raises:
    JaxlicError: If it is no array of bytes, or of another shape.
  """
  samples = _array(image)
  # By NumPy's letters. Records are void, and so are numbers that NumPy lacks.
  records = isinstance(samples.dtype, np.dtypes.VoidDType)
  if samples.dtype.kind in "OSUMmc" or records:
    raise JaxlicError(
      f"{_RULE}, got {type(image).__name__}, no array of real numbers; open a "
      "file with PIL.Image.open"
    )
  way_out = _of_size(samples) or _of_type(samples) or _of_shape(samples.shape)
  if way_out:
    raise JaxlicError(
      f"{_RULE}, got {samples.dtype} {samples.shape}; {way_out}"
    )
  return samples


def _array(image: Any) -> np.ndarray:
  """What NumPy makes of it."""
  if isinstance(image, str | os.PathLike):
    raise JaxlicError(
      f"{_RULE}, got the path {os.fspath(image)!r}; use jaxlic.compress_file, "
      "or open it with PIL.Image.open"
    )
  if isinstance(image, bytes | bytearray):
    coded = image.startswith(container.MAGIC)
    raise JaxlicError(
      f"{_RULE}, got bytes of a "
      + (
        ".jlic file, which is compressed; jaxlic.decompress gives its image"
        if coded
        else "file; open them with PIL.Image.open(io.BytesIO(data))"
      )
    )
  try:
    return np.asarray(image)
  except Exception as error:  # each library raises its own kinds
    raise JaxlicError(
      f"{_RULE}, got {type(image).__name__}, no array ({one_line(error)}); "
      + _of_conversion(image)
    ) from error


def _of_conversion(image: Any) -> str:
  """The way out where NumPy makes no array of it."""
  if hasattr(image, "detach"):
    return "pass tensor.detach().cpu().numpy()"
  if type(image).__module__.startswith("jax"):
    return "call this outside of jax.jit, with an array of this process"
  return "make it one"


def _of_size(samples: np.ndarray) -> str | None:
  return None if samples.size else "an image has at least one pixel"


def _of_type(samples: np.ndarray) -> str | None:
  """The way out of samples that are no bytes; None if they are."""
  if samples.dtype == np.uint8:
    return None
  if samples.dtype == bool:
    return "pass image.astype(np.uint8) * 255"
  # As floats if they are no integers; some, such as bfloat16, NumPy lacks.
  floats = samples.dtype.kind not in "ui"
  values = samples.astype(np.float64) if floats else samples
  low, high = values.min(), values.max()
  top = high if low >= 0 else np.inf  # of NaN, too
  if floats and top <= 1:
    return "multiply by 255 and round, and convert to uint8"
  if floats and top <= 255:
    return "round and convert to uint8"
  if top <= 255 and samples.dtype != np.uint16:
    return "pass image.astype(np.uint8)"
  if not floats and top <= 65535:
    return (
      "divide by 257 and round if 65535 is white, and convert to uint8; if 255 "
      "is, pass image.astype(np.uint8)"
    )
  return (
    f"its values are {low:g}..{high:g}: scale them to 0..255, round and "
    "convert to uint8"
  )


def _of_shape(shape: tuple[int, ...]) -> str | None:
  """The way out of another shape; None if it is that of an image."""
  if len(shape) == 2 or (len(shape) == 3 and shape[2] == 3):
    return None
  if len(shape) > 3:
    return "pass one image, such as images[0]"
  if len(shape) < 2:
    return "pass rows of pixels; of a file's bytes PIL.Image.open makes them"
  if shape[2] == 1:
    return "pass grey as image[..., 0]"
  if shape[2] == 4:
    return "pass it without alpha, as image[..., :3]"
  if shape[0] == 3:
    return "channels are last, pass np.moveaxis(image, 0, -1)"
  if shape[0] == 1:
    return "pass one image, as image[0]"
  return "pass one image, without alpha, and grey as [H W]"
