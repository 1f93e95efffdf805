"""Photographs that stay in a device's memory, and crops drawn there.

What `stream` decodes and cuts for each step on the host, a device does inside
the step: all photographs lie decoded in its memory, one pixel after the other,
and example number i = 0, 1, 2, ... is a function of the photographs, the seed,
the crop and its scales or sizes alone, on any number of devices. Draws are
those of `crops` in kind, from another generator, and so not the same crops.
"""

import functools
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from absl import logging
from jaxtyping import Array, Int, UInt8, UInt32

from jaxlic.data import device_crops, sources
from jaxlic.data.device_crops import Photos
from jaxlic.errors import JaxlicError

MAX_PIXELS = 2**31 - 1  # an index is an int32
ROOM = 0.8  # share of free memory that photographs may take
_DRAWS = 0x6372_6F70  # tells the draws' keys from the weights'


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
  *,
  seed: int,
  crop: int,
  smallest_scale: float = 1.0,
  windows: tuple[int, ...] = (),
  by: str,
) -> Callable[[Photos, UInt32[Array, "b"]], UInt8[Array, "b H W 3"]]:
  """Returns the function from numbers of examples to their crops.

  Args:
    seed: Of the run.
    crop: Side of the crops in pixels.
    smallest_scale: Photographs are shrunk by up to this factor; see `crops`.
    windows: Sides, in pixels, of what is resized to a crop; (): by the scale.
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

  cut = functools.partial(
    device_crops.cut, crop=crop, smallest_scale=smallest_scale, windows=windows
  )

  def draw(photos: Photos, number: UInt32[Array, ""]):
    u = jax.random.uniform(jax.random.fold_in(root, number), (6,))
    return cut(photos, choose(photos, number, u[5]), u[:5])

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


def _size(source: sources.Source, i: int) -> tuple[int, int]:
  """Height and width of a photograph, as stored; 0, 0 if it is damaged."""
  try:
    return sources.size_at(source, i)
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
