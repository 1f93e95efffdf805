"""How good and how large: PSNR, MS-SSIM, bits per pixel, BD-rate.

Qualities are of 8-bit RGB, as a viewer would see it, and per image: the mean
over a data set is of decibels and of bits per pixel, as CompressAI averages.
"""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Num, UInt8

from jaxlic.errors import JaxlicError

Images = Num[Array | np.ndarray, "b H W C"]
Curve = Num[np.ndarray, " _"] | Sequence[float]

_SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_WINDOW, _SIGMA = 11, 1.5
# The coarsest scale, of H / 16 pixels, must hold a window.
MS_SSIM_MIN_SIDE = (_WINDOW - 1) * 2 ** (len(_SCALE_WEIGHTS) - 1) + 1


def psnr_db(
  a: UInt8[np.ndarray, "H W C"], b: UInt8[np.ndarray, "H W C"]
) -> float:
  """Returns `10 log10(255² / mse)` over all samples; inf for equal images.

  Raises:
    JaxlicError: If the shapes differ.
  """
  _check_shapes(a, b)
  mse = np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2)
  return float(10 * np.log10(255**2 / mse)) if mse else float("inf")


def ms_ssim(a: Images, b: Images, *, peak: float = 255.0) -> Float[Array, " b"]:
  """Returns the multi-scale structural similarity of each pair, 1 if equal.

  Differentiable, in float32. Five scales, an 11x11 Gaussian window of sigma 1.5
  on valid positions, negative similarities cut at 0, mean over channels.
  Between scales comes 2x2 mean pooling, where an odd side gets one zero in
  front: all of this as `pytorch_msssim.ms_ssim`, and so CompressAI, has it.

  Args:
    a: Images of any real dtype.
    b: As `a`.
    peak: The value of white: 255 for 8 bits, 1 for images in [0, 1].

  Raises:
    JaxlicError: If the shapes differ, or a side is shorter than 161 pixels.

  References:
    Wang, Simoncelli, Bovik, "Multi-scale structural similarity for image
    quality assessment", 2003, equations 7 and 8.
  """
  _check_shapes(a, b)
  if min(a.shape[1:3]) < MS_SSIM_MIN_SIDE:
    raise JaxlicError(
      f"MS-SSIM needs sides of at least {MS_SSIM_MIN_SIDE} pixels, got"
      f" {a.shape[1]}x{a.shape[2]}; use larger images, or PSNR"
    )
  return _ms_ssim(a, b, peak)


def ms_ssim_db(value: float) -> float:
  """Returns `-10 log10(1 - value)`, which spreads values near 1; inf at 1."""
  return float(-10 * np.log10(1 - value)) if value < 1 else float("inf")


def bpp(size_bytes: int, height: int, width: int) -> float:
  """Returns the bits per pixel of a whole file."""
  return 8 * size_bytes / (height * width)


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


def _check_shapes(a: Array | np.ndarray, b: Array | np.ndarray) -> None:
  if a.shape != b.shape:
    raise JaxlicError(
      f"images must have one shape, got {a.shape} and {b.shape}; crop one"
    )


@jax.jit
def _ms_ssim(
  a: Images, b: Images, peak: Float[Array, ""]
) -> Float[Array, " b"]:
  a, b = (jnp.asarray(x, jnp.float32) / peak for x in (a, b))
  factors = []
  for weight in _SCALE_WEIGHTS:
    if factors:
      a, b = _halve(a), _halve(b)
    ssim, contrast = _similarities(a, b)
    last = len(factors) == len(_SCALE_WEIGHTS) - 1
    factors.append(_power(ssim if last else contrast, weight))
  return functools.reduce(jnp.multiply, factors).mean(1)


def _similarities(
  a: Float[Array, "b H W C"], b: Float[Array, "b H W C"]
) -> tuple[Float[Array, "b C"], Float[Array, "b C"]]:
  """SSIM, and its factor of contrast and structure, of images in [0, 1]."""
  maps = _blur(jnp.concatenate([a, b, a * a, b * b, a * b]))
  mean_a, mean_b, aa, bb, ab = jnp.split(maps, 5)
  product, squares = mean_a * mean_b, mean_a**2 + mean_b**2
  c1, c2 = 0.01**2, 0.03**2
  contrast = (2 * (ab - product) + c2) / (aa + bb - squares + c2)
  ssim = (2 * product + c1) / (squares + c1) * contrast
  return ssim.mean((1, 2)), contrast.mean((1, 2))


def _blur(x: Float[Array, "b H W C"]) -> Float[Array, "b h w C"]:
  """Gaussian window at valid positions.

  Sums of shifted slices fuse on every device, and keep float32 where a GPU
  would round a convolution's inputs.
  """
  taps = np.exp(-((np.arange(_WINDOW) - _WINDOW // 2) ** 2) / (2 * _SIGMA**2))
  taps = (taps / taps.sum()).tolist()
  height, width = (side - _WINDOW + 1 for side in x.shape[1:3])
  x = sum(tap * x[:, i : i + height] for i, tap in enumerate(taps))
  return sum(tap * x[:, :, i : i + width] for i, tap in enumerate(taps))


def _halve(x: Float[Array, "b H W C"]) -> Float[Array, "b h w C"]:
  """Means of 2x2; a zero before an odd side counts."""
  odd = [(side % 2, 0) for side in x.shape[1:3]]
  x = jnp.pad(x, ((0, 0), *odd, (0, 0)))
  return sum(x[:, i::2, j::2] for i in (0, 1) for j in (0, 1)) / 4


def _power(x: Array, exponent: float) -> Array:
  """`max(x, 0) ** exponent`, with gradient 0 where x <= 0, not NaN."""
  positive = x > 0
  return jnp.where(positive, jnp.where(positive, x, 1.0) ** exponent, 0.0)


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
