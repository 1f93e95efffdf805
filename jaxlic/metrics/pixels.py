"""What a file costs per pixel, and how far its picture is from the image."""

import numpy as np
from jaxtyping import Array, UInt8

from jaxlic.errors import JaxlicError


def psnr_db(
  a: UInt8[np.ndarray, "H W C"], b: UInt8[np.ndarray, "H W C"]
) -> float:
  """Returns `10 log10(255² / mse)` over all samples; inf for equal images.

  Raises:
    JaxlicError: If the shapes differ.
  """
  check_shapes(a, b)
  mse = np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2)
  return float(10 * np.log10(255**2 / mse)) if mse else float("inf")


def bpp(size_bytes: int, height: int, width: int) -> float:
  """Returns the bits per pixel of a whole file."""
  return 8 * size_bytes / (height * width)


def check_shapes(a: Array | np.ndarray, b: Array | np.ndarray) -> None:
  """Refuses images of two shapes, which NumPy would broadcast.

  Raises:
    JaxlicError: If the shapes differ.
  """
  if a.shape != b.shape:
    raise JaxlicError(
      f"images must have one shape, got {a.shape} and {b.shape}; crop one"
    )
