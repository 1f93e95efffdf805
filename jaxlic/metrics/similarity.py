"""MS-SSIM: how alike two images look, at five scales."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Num

from jaxlic.errors import JaxlicError
from jaxlic.metrics.pixels import check_shapes

Images = Num[Array | np.ndarray, "b H W C"]

_SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_WINDOW, _SIGMA = 11, 1.5
# The coarsest scale, of H / 16 pixels, must hold a window.
MS_SSIM_MIN_SIDE = (_WINDOW - 1) * 2 ** (len(_SCALE_WEIGHTS) - 1) + 1


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
  check_shapes(a, b)
  if min(a.shape[1:3]) < MS_SSIM_MIN_SIDE:
    raise JaxlicError(
      f"MS-SSIM needs sides of at least {MS_SSIM_MIN_SIDE} pixels, got"
      f" {a.shape[1]}x{a.shape[2]}; use larger images, or PSNR"
    )
  return _ms_ssim(a, b, peak)


def ms_ssim_db(value: float) -> float:
  """Returns `-10 log10(1 - value)`, which spreads values near 1; inf at 1."""
  return float(-10 * np.log10(1 - value)) if value < 1 else float("inf")


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
