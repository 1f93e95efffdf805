"""Random square crops of stored photographs, cut by a device.

The same as those of `crops`, by the same draws, but for a rounding between rows
and columns, as functions that JAX compiles and maps.
"""

import functools
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt8

LOBES = 3  # of the Lanczos kernel


class Photos(NamedTuple):
  """All photographs, and where each lies."""

  pixels: UInt8[Array, "pixels 3"]
  first: Int[Array, "n"]  # its pixel in the upper left corner
  height: Int[Array, "n"]
  width: Int[Array, "n"]
  share: Float[Array, "n"]  # of the pixels, in it and those before


def cut(
  photos: Photos,
  i: Int[Array, ""],
  draws: Float[Array, "5"],
  *,
  crop: int,
  smallest_scale: float = 1.0,
  windows: tuple[int, ...] = (),
) -> UInt8[Array, "{crop} {crop} 3"]:
  """Returns a crop of photograph i.

  Args:
    photos: All photographs.
    i: Which one.
    draws: Uniform within [0, 1), for what `crops.draw` draws.
    crop: Side of the crop in pixels.
    smallest_scale: The photograph is shrunk by up to this factor.
    windows: Sides, in pixels, of what is resized to a crop; (): by the scale.
  """
  size, top, left, flip, transpose = draws
  sides = photos.height[i], photos.width[i]
  if windows:
    axis = _windows_along(sides, size, crop, windows)
  else:
    axis = _scaled_along(sides, size, crop, smallest_scale)
  row, column = axis(sides[0], top), axis(sides[1], left)
  pixels = _taken(photos, i, row, column)
  pixels = jnp.where(flip < 0.5, pixels[:, ::-1], pixels)
  return jnp.where(transpose < 0.5, pixels.swapaxes(0, 1), pixels)


def _scaled_along(sides, u, crop, smallest):
  """The function that places a window of the scale that u draws on an axis."""
  rows, columns = (jnp.maximum(side, crop) for side in sides)
  least = crop / jnp.minimum(rows, columns)
  scale = jnp.maximum(smallest + (1 - smallest) * u, least)
  return lambda side, place: _scaled_window(
    crop, smallest, scale, jnp.maximum(side, crop), place
  )


def _windows_along(sides, u, crop, windows):
  """The same for one of these sides that fits, or the smallest."""
  max_side, windows = max(windows), jnp.array(sorted(windows))
  fitting = jnp.maximum((windows <= jnp.minimum(*sides)).sum(), 1)
  size = windows[_whole(u, fitting)]
  return functools.partial(_fixed_window, crop, max_side, size)


def _taken(photos, i, row, column):
  """The samples of photograph i at `row` and `column`, weighed if they are."""
  (row, row_weight), (column, column_weight) = row, column
  height, width = photos.height[i], photos.width[i]
  row, column = _reflect(row, height), _reflect(column, width)
  place = photos.first[i] + row[:, None] * width + column[None]
  pixels = photos.pixels[place]
  if row_weight is None:
    return pixels
  sums = functools.partial(jnp.einsum, precision="highest")
  shrunk = sums("ir,rcd->icd", row_weight, pixels.astype(float))
  shrunk = sums("jc,icd->ijd", column_weight, shrunk)
  return jnp.clip(jnp.round(shrunk), 0, 255).astype(jnp.uint8)


def _scaled_window(crop, smallest, scale, side, place):
  """The samples that a crop takes along one axis, and their weights.

  At scale 1 it takes the samples as they are, and if no other scale is drawn
  there are no weights. Those of other scales are Pillow's for Lanczos.
  """
  real = jnp.float32
  whole = _whole(place, side - crop + 1)
  if smallest >= 1:
    return whole + jnp.arange(crop), None
  length = side.astype(real)
  size = jnp.minimum(crop / scale, length)
  start = jnp.where(scale >= 1, whole.astype(real), place * (length - size))
  reach = int(np.ceil(LOBES / smallest)) + 1
  taken = int(np.ceil(crop / smallest)) + 2 * reach
  samples = start.astype(int) - reach + jnp.arange(taken)
  inside = (samples >= 0) & (samples < side)
  return samples, _lanczos(crop, samples, inside, start, size)


def _fixed_window(crop, largest, size, side, place):
  """The same for a window of a whole size, resized by itself."""
  start = _whole(place, jnp.maximum(side, size) - size + 1)
  samples = jnp.arange(largest)
  real = jnp.float32
  weight = _lanczos(crop, samples, samples < size, real(0), size.astype(real))
  return start + samples, weight


def _lanczos(crop, samples, inside, start, size):
  """Weights [crop samples] of a window from `start` on, of `size` samples."""
  real, ratio = jnp.float32, size / crop
  centre = start + (jnp.arange(crop, dtype=real) + 0.5) * ratio - 0.5
  distance = (samples[None].astype(real) - centre[:, None]) / ratio
  weight = jnp.sinc(distance) * jnp.sinc(distance / LOBES)
  weight *= ((jnp.abs(distance) < LOBES) & inside[None]).astype(real)
  return weight / weight.sum(1, keepdims=True)


def _whole(u, count):
  """One of so many whole numbers, by a draw within [0, 1)."""
  return jnp.minimum((u * count.astype(jnp.float32)).astype(int), count - 1)


def _reflect(index, side):
  """Positions in a photograph that goes on mirrored at its last samples."""
  period = jnp.maximum(2 * (side - 1), 1)
  index = jnp.abs(index) % period
  return jnp.minimum(jnp.minimum(index, period - index), side - 1)
