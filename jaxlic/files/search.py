"""The quality whose file has a wanted rate or distortion.

Codecs with gain units have a quality for every rate. Rate and distortion grow
with it, smoothly (of ensembles of one-rate codecs in steps, of which the search
takes the nearest), so few encodes find it: the middle of the scale, the end
beyond the target, and then the quality at which a curve through the nearest
three, in the logarithm of the rate or in decibels, has the target.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from jaxlic import files, metrics, zoo
from jaxlic.coding import container
from jaxlic.data.images import Background, Photo
from jaxlic.errors import JaxlicError
from jaxlic.zoo import Trained

MOST_ENCODES = 8
# Near enough to end the search: a share of the rate, decibels.
BPP_TOLERANCE, PSNR_TOLERANCE_DB = 0.003, 0.02
# Still called the target, where no quality is nearer.
BPP_REACH, PSNR_REACH_DB = 0.01, 0.05


class Found(NamedTuple):
  """The file of a search that came nearest to its target."""

  data: bytes
  quality: float
  bpp: float  # bits per pixel, of the whole file
  psnr_db: float | None  # of 8-bit RGB, if that was the target
  encodes: int  # files that were made
  reached: bool  # whether bpp is within 1 %, or psnr_db within 0.05 dB


class _Goal(NamedTuple):
  """What a search looks for."""

  measure: Callable  # (data, model) -> what grows with the quality: log bpp, dB
  wanted: float  # likewise
  near: float  # a distance that ends the search
  reach: float  # a distance that is still the target


class _Try(NamedTuple):
  """A file of the search."""

  quality: float
  value: float  # as its goal measures it
  data: bytes


def compress_to(
  image: files.ImageLike,
  *,
  target_bpp: files.Number | None = None,
  target_psnr_db: files.Number | None = None,
  model: files.ModelLike = zoo.DEFAULT,
  quality_map: files.MapLike | None = None,
  background: Background = None,
  reduce_depth: bool = False,
  salvage: bool = False,
) -> Found:
  """Returns the file of an image with a wanted rate or PSNR.

  A target beyond the codec's qualities gives the nearest file, and `reached` is
  False.

  Args:
    image: As in `compress`.
    target_bpp: Bits per pixel of the whole file; or
    target_psnr_db: The PSNR of 8-bit RGB.
    model: As in `compress`.
    quality_map: As in `compress`.
    background: As in `compress`.
    reduce_depth: As in `compress`.
    salvage: As in `compress`.

  Raises:
    JaxlicError: As `compress`; or if not exactly one target is given, it is not
      a positive number, or the codec has one rate.
  """
  photo = files.photo_of(
    image, background=background, reduce_depth=reduce_depth, salvage=salvage
  )
  files.warn_of_notes("image", photo)
  return search(
    photo,
    target_bpp=target_bpp,
    target_psnr_db=target_psnr_db,
    model=model,
    quality_map=quality_map,
  )


def search(
  photo: Photo,
  *,
  target_bpp: files.Number | None = None,
  target_psnr_db: files.Number | None = None,
  model: files.ModelLike,
  quality_map: files.MapLike | None = None,
) -> Found:
  """As `compress_to`, keeping what else a photograph has."""
  goal = _goal(photo, target_bpp, target_psnr_db)
  trained = files.loaded(model)
  top = float(trained.spec.max_quality)
  if not top:
    raise JaxlicError(
      f"a target needs a codec of many rates, {trained.name} has one; name "
      "another as the model"
    )

  def attempt(quality: float) -> _Try:
    data = files.compress_photo(
      photo, quality=quality, model=trained, quality_map=quality_map
    )
    return _Try(quality, goal.measure(data, trained), data)

  tries = _tries(attempt, goal, top)
  best = min(tries, key=lambda t: abs(t.value - goal.wanted))
  return Found(
    best.data,
    best.quality,
    _bpp(photo, best.data),
    None if target_psnr_db is None else best.value,
    len(tries),
    abs(best.value - goal.wanted) <= goal.reach,
  )


def _goal(
  photo: Photo,
  target_bpp: files.Number | None,
  target_psnr_db: files.Number | None,
) -> _Goal:
  given = [t for t in (target_bpp, target_psnr_db) if t is not None]
  if len(given) != 1:
    raise JaxlicError(
      f"a search has one target, bpp or PSNR, got {len(given)}; give one"
    )
  target = files.number("a target", given[0])
  if not 0 < target < math.inf:  # False for NaN, too
    raise JaxlicError(
      f"a target is a positive number, got {target}; give bits per pixel, such "
      "as 0.5, or decibels, such as 35"
    )

  def log_bpp(data: bytes, model: Trained) -> float:
    return math.log(_bpp(photo, data))

  def psnr_db(data: bytes, model: Trained) -> float:
    shown = files.decompress_photo(data, model=model).pixels
    return metrics.psnr_db(photo.pixels, shown)

  if target_bpp is None:
    return _Goal(psnr_db, target, PSNR_TOLERANCE_DB, PSNR_REACH_DB)
  shares = (math.log1p(share) for share in (BPP_TOLERANCE, BPP_REACH))
  return _Goal(log_bpp, math.log(target), *shares)


def _bpp(photo: Photo, data: bytes) -> float:
  return metrics.bpp(len(data), *photo.pixels.shape[:2])


def _tries(attempt: Callable, goal: _Goal, top: float) -> list[_Try]:
  """Files ever nearer to the goal; the ends of the scale if that is beyond."""
  tries, quality = [], top / 2
  while quality is not None and len(tries) < MOST_ENCODES:
    tries.append(attempt(quality))
    quality = _next(tries, goal, top)
  return tries


def _next(tries: list[_Try], goal: _Goal, top: float) -> float | None:
  """The next quality to try; None where there is nothing nearer."""
  wanted = goal.wanted
  nearest = sorted(tries, key=lambda t: abs(t.value - wanted))
  if abs(nearest[0].value - wanted) <= goal.near:
    return None
  below = [t.quality for t in tries if t.value < wanted]
  above = [t.quality for t in tries if t.value >= wanted]
  low, high = max(below, default=0.0), min(above, default=top)
  tried = {t.quality for t in tries}
  if not below or not above:
    guess = low if above else high
    return None if guess in tried else guess
  distinct = {t.value: t for t in reversed(nearest)}
  guess = _interpolated(list(distinct.values())[-3:], wanted)
  for quality in (guess, (low + high) / 2):
    if low < quality < high:
      quality = container.quantize_quality(quality)
      if quality not in tried:
        return quality
  return None


def _interpolated(tries: list[_Try], wanted: float) -> float:
  """The quality at `wanted` on the curve through two or three tries.

  The curve is quality over value, by Lagrange.
  """
  total = 0.0
  for i, point in enumerate(tries):
    others = tries[:i] + tries[i + 1 :]
    factors = [(wanted - t.value) / (point.value - t.value) for t in others]
    total += point.quality * math.prod(factors)
  return total
