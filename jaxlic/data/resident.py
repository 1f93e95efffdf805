"""Photographs that stay in a device's memory, and crops drawn there.

What `stream` decodes and cuts for each step on the host, a device does inside
the step: all photographs lie decoded in its memory, one pixel after the other,
and example number i = 0, 1, 2, ... is a function of the photographs, the seed,
the crop and the scales alone, on any number of devices. Draws are those of
`crops` in kind, from another generator, and so not the same crops.
"""

import functools
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from absl import logging
from jaxtyping import Array, Float, Int, UInt8, UInt32

from jaxlic.data import sources
from jaxlic.errors import JaxlicError

MAX_PIXELS = 2**31 - 1  # an index is an int32
ROOM = 0.8  # share of free memory that photographs may take
LOBES = 3  # of the Lanczos kernel
_DRAWS = 0x6372_6F70  # tells the draws' keys from the weights'


class Photos(NamedTuple):
  """All photographs, and where each lies."""

  pixels: UInt8[Array, "pixels 3"]
  first: Int[Array, "n"]  # its pixel in the upper left corner
  height: Int[Array, "n"]
  width: Int[Array, "n"]
  share: Float[Array, "n"]  # of the pixels, in it and those before


def load(
  source: sources.Source, *, copies: int = 1, threads: int = 16
) -> Photos:
  """Returns the photographs of a source, in the memory of the host.

  Damaged ones are left out, and logged.

  Args:
    source: The photographs.
    copies: Devices that are to hold all of them in the host's memory, too.
    threads: Threads that decode; 0 is one.

  Raises:
    JaxlicError: If they do not fit the devices' memory, or none can be decoded.
  """
  with futures.ThreadPoolExecutor(max(threads, 1)) as pool:
    sizes = list(pool.map(lambda i: _size(source, i), range(len(source))))
    first = np.cumsum([0, *(h * w for h, w in sizes)])
    check_fits(3 * int(first[-1]), _free_bytes(1 + copies))
    pixels = np.zeros((first[-1], 3), np.uint8)

    def fill(i: int) -> bool:
      if not sizes[i][0]:
        return False
      try:
        photo = sources.decode(source[i])
      except JaxlicError as error:
        logging.warning("left out: %s", error)
        return False
      sizes[i] = photo.shape[:2]  # upright
      pixels[first[i] : first[i + 1]] = photo.reshape(-1, 3)
      return True

    sound = np.flatnonzero(list(pool.map(fill, range(len(source)))))
  if not len(sound):
    raise JaxlicError(
      f"training needs photographs, none of {len(source)} can be decoded; get "
      "them again"
    )
  height, width = np.array(sizes, np.int32)[sound].T
  area = np.cumsum(height.astype(np.float64) * width)
  share = (area / area[-1]).astype(np.float32)
  return Photos(pixels, first[sound].astype(np.int32), height, width, share)


def check_fits(needed: int, free: int | None) -> None:
  """Refuses photographs that a device has no room for.

  Args:
    needed: Their bytes.
    free: Those of a device that are not in use; None: nobody knows.

  Raises:
    JaxlicError: If they take more than `ROOM` of these, or are too many.
  """
  gib, out = 2**30, "choose fewer, shrink them with `jaxlic prepare --max-side`"
  if needed > 3 * MAX_PIXELS:
    raise JaxlicError(
      f"data.resident holds at most {3 * MAX_PIXELS / gib:.1f} GiB of "
      f"photographs, these take {needed / gib:.1f} GiB decoded; {out}, or set "
      "it to False"
    )
  if free is not None and needed > ROOM * free:
    raise JaxlicError(
      f"data.resident needs photographs that fit {ROOM:.0%} of a device's free "
      f"memory, {free / gib:.1f} GiB, these take {needed / gib:.1f} GiB decoded"
      f"; {out}, or set it to False"
    )


def make_draw(
  *, seed: int, crop: int, smallest_scale: float, by: str
) -> Callable[[Photos, UInt32[Array, "b"]], UInt8[Array, "b H W 3"]]:
  """Returns the function from numbers of examples to their crops.

  Args:
    seed: Of the run.
    crop: Side of the crops in pixels.
    smallest_scale: Photographs are shrunk by up to this factor; see `crops`.
    by: "epochs", in which each photograph comes once, in an order of its own;
      or "pixels": each in proportion to its size, whatever came before.
  """
  key = jax.random.key(seed, impl="threefry2x32")
  root, epoch_root = jax.random.split(jax.random.fold_in(key, _DRAWS))

  def choose(photos: Photos, number, u) -> Int[Array, ""]:
    n = len(photos.first)
    if by == "pixels":
      return jnp.minimum(jnp.searchsorted(photos.share, u, side="right"), n - 1)
    epoch_key = jax.random.fold_in(epoch_root, number // n)
    return jax.random.permutation(epoch_key, n)[number % n]

  def draw(photos: Photos, number: UInt32[Array, ""]):
    u = jax.random.uniform(jax.random.fold_in(root, number), (6,))
    return _cut(
      photos, choose(photos, number, u[5]), u[:5], crop, smallest_scale
    )

  return jax.vmap(draw, (None, 0))


def numbers(
  *,
  start: int,
  batch: int,
  dispatch: int = 1,
  process: int = 0,
  processes: int = 1,
) -> Iterator[tuple[UInt32[np.ndarray, "b k"]]]:
  """Yields the numbers of this process's examples of `dispatch` steps each.

  They are shared as those of `stream.batches` are, modulo 2**32; column j is
  those of step j.
  """
  share = batch // processes
  steps = batch * np.arange(dispatch, dtype=np.uint64)
  rows = process * share + np.arange(share, dtype=np.uint64)[:, None] + steps
  while True:
    yield (((start + rows) % 2**32).astype(np.uint32),)
    start += batch * dispatch


def _cut(photos, i, u, crop, smallest):
  """A crop of photograph i, by draws [5] that are uniform within [0, 1)."""
  scale, top, left, flip, transpose = u
  height, width = photos.height[i], photos.width[i]
  rows, columns = (jnp.maximum(side, crop) for side in (height, width))
  least = crop / jnp.minimum(rows, columns)
  scale = jnp.maximum(smallest + (1 - smallest) * scale, least)
  row, row_weight = _window(crop, smallest, scale, rows, top)
  column, column_weight = _window(crop, smallest, scale, columns, left)
  row, column = _reflect(row, height), _reflect(column, width)
  place = photos.first[i] + row[:, None] * width + column[None]
  pixels = photos.pixels[place]
  if row_weight is not None:
    sums = functools.partial(jnp.einsum, precision="highest")
    shrunk = sums("ir,rcd->icd", row_weight, pixels.astype(float))
    shrunk = sums("jc,icd->ijd", column_weight, shrunk)
    pixels = jnp.clip(jnp.round(shrunk), 0, 255).astype(jnp.uint8)
  pixels = jnp.where(flip < 0.5, pixels[:, ::-1], pixels)
  return jnp.where(transpose < 0.5, pixels.swapaxes(0, 1), pixels)


def _window(crop, smallest, scale, side, place):
  """The samples that a crop takes along one axis, and their weights.

  At scale 1 it takes the samples as they are, and if no other scale is drawn
  there are no weights. Those of other scales are Pillow's for Lanczos.
  """
  real, places = jnp.float32, side - crop + 1
  whole = jnp.minimum((place * places.astype(real)).astype(int), places - 1)
  if smallest >= 1:
    return whole + jnp.arange(crop), None
  length = side.astype(real)
  size = jnp.minimum(crop / scale, length)
  start = jnp.where(scale >= 1, whole.astype(real), place * (length - size))
  reach = int(np.ceil(LOBES / smallest)) + 1
  taken = int(np.ceil(crop / smallest)) + 2 * reach
  samples = start.astype(int) - reach + jnp.arange(taken)
  ratio = size / crop
  centre = start + (jnp.arange(crop, dtype=real) + 0.5) * ratio - 0.5
  distance = (samples[None].astype(real) - centre[:, None]) / ratio
  weight = jnp.sinc(distance) * jnp.sinc(distance / LOBES)
  inside = (samples >= 0) & (samples < side)
  weight *= ((jnp.abs(distance) < LOBES) & inside[None]).astype(real)
  return samples, weight / weight.sum(1, keepdims=True)


def _reflect(index, side):
  """Positions in a photograph that goes on mirrored at its last samples."""
  period = jnp.maximum(2 * (side - 1), 1)
  index = jnp.abs(index) % period
  return jnp.minimum(jnp.minimum(index, period - index), side - 1)


def _size(source: sources.Source, i: int) -> tuple[int, int]:
  """Height and width of a photograph, as stored; 0, 0 if it is damaged."""
  try:
    return sources.size(source[i])
  except JaxlicError as error:
    logging.warning("left out: %s", error)
    return 0, 0


def _free_bytes(copies: int) -> int | None:
  """Bytes that a device can still hold; CPUs' copies share the host's."""
  stats = jax.local_devices()[0].memory_stats()
  if stats and "bytes_limit" in stats:
    return stats["bytes_limit"] - stats["bytes_in_use"]
  try:
    lines = Path("/proc/meminfo").read_text().splitlines()
  except OSError:  # not Linux
    return None
  sizes = dict(line.split(":") for line in lines)
  return 1024 * int(sizes["MemAvailable"].split()[0]) // copies
