"""BD-rate: two curves of quality over rate, as one number."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Num

from jaxlic.errors import JaxlicError

Curve = Num[np.ndarray, " _"] | Sequence[float]


def bd_rate(
  anchor_bpp: Curve, anchor_psnr: Curve, test_bpp: Curve, test_psnr: Curve
) -> float:
  """Returns how much more rate the test needs at equal quality, in percent.

  Both curves are interpolated as log rate over dB with monotone cubics (PCHIP),
  and the gap is averaged exactly over the dB that both reach. Any quality in
  decibels serves, for example `ms_ssim_db`. The points may come in any order.

  Raises:
    JaxlicError: If a curve has fewer than two points, its rates are not
      positive, quality does not rise with rate, or the curves share no quality.

  References:
    Bjontegaard, "Calculation of average PSNR differences between RD-curves",
    VCEG-M33, 2001; differs in PCHIP for the cubic polynomial, as JCT-VC does.
  """
  anchor = _sorted_curve("anchor", anchor_bpp, anchor_psnr)
  test = _sorted_curve("test", test_bpp, test_psnr)
  low = max(anchor[1][0], test[1][0])
  high = min(anchor[1][-1], test[1][-1])
  if not low < high:
    raise JaxlicError(
      f"BD-rate needs a common range of dB, got {_range(anchor[1])} and"
      f" {_range(test[1])}; add points"
    )
  areas = [
    _pchip_integral(db, np.log(rate), low, high) for rate, db in (anchor, test)
  ]
  return float(100 * np.expm1((areas[1] - areas[0]) / (high - low)))


def _sorted_curve(
  name: str, rate: Curve, db: Curve
) -> tuple[np.ndarray, np.ndarray]:
  """Rates and qualities, both strictly rising."""
  rate, db = np.asarray(rate, np.float64), np.asarray(db, np.float64)
  if rate.shape != db.shape or rate.size < 2:
    raise JaxlicError(
      f"a curve has two points or more, a bpp and a dB each; the {name} has"
      f" {rate.size} and {db.size}; add points"
    )
  order = np.lexsort((db, rate))
  rate, db = rate[order], db[order]
  finite = np.isfinite(rate).all() and np.isfinite(db).all()
  if not (finite and rate[0] > 0):
    raise JaxlicError(
      f"rates must be positive, and finite like the dB; the {name} has bpp"
      f" {_range(rate)} and dB {_range(db)}; leave such points out"
    )
  bad = np.flatnonzero((np.diff(rate) <= 0) | (np.diff(db) <= 0))
  if bad.size:
    i = bad[0]
    raise JaxlicError(
      f"dB must rise with the rate; the {name} has {db[i]:g} dB at"
      f" {rate[i]:g} bpp, then {db[i + 1]:g} at {rate[i + 1]:g}; leave one out"
    )
  return rate, db


def _range(values: np.ndarray) -> str:
  return f"{values[0]:g}..{values[-1]:g}"


def _pchip_integral(
  x: np.ndarray, y: np.ndarray, low: float, high: float
) -> float:
  """The integral of the monotone cubic through rising points."""
  width = np.diff(x)
  slope = np.diff(y) / width
  tangent = _pchip_tangents(width, slope)

  def primitive(end: float) -> np.ndarray:
    # Of each piece from its left end, in Hermite form; 0 before, full after.
    s = np.clip((end - x[:-1]) / width, 0, 1)
    values = y[:-1] * (s - s**3 + s**4 / 2) + y[1:] * (s**3 - s**4 / 2)
    left = tangent[:-1] * (s**2 / 2 - 2 * s**3 / 3 + s**4 / 4)
    right = tangent[1:] * (s**4 / 4 - s**3 / 3)
    return width * (values + width * (left + right))

  return float((primitive(high) - primitive(low)).sum())


def _pchip_tangents(width: np.ndarray, slope: np.ndarray) -> np.ndarray:
  """Derivatives at the points, for slopes that are all positive.

  References:
    Fritsch, Butland, "A method for constructing local monotone piecewise cubic
    interpolants", 1984; ends by the three-point formula, as SciPy has it.
  """
  if slope.size == 1:
    return np.repeat(slope, 2)
  before, after = 2 * width[1:] + width[:-1], width[1:] + 2 * width[:-1]
  inner = (before + after) / (before / slope[:-1] + after / slope[1:])

  def end(near: int, next_: int) -> float:
    total = width[near] + width[next_]
    value = (total + width[near]) * slope[near] - width[near] * slope[next_]
    return max(value / total, 0.0)

  return np.concatenate([[end(0, 1)], inner, [end(-1, -2)]])
