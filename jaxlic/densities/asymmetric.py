"""The asymmetric Gaussian: one scale below its mode, another above.

Its density, with s = sl below the mode m and s = sr above, is

    2 / (sqrt(2 pi) (sl + sr)) exp(-(x - m)^2 / (2 s^2)),

continuous at m, where it has the mass sl / (sl + sr) on the left. A unit bin's
mass is the sum of its two sides',

    2 sl / (sl + sr) (Phi(b / sl) - Phi(a / sl))    for a < b <= 0,
    2 sr / (sl + sr) (Phi(b / sr) - Phi(a / sr))    for 0 <= a < b,

a and b relative to m, each taken in the lower tail, where differences keep
their precision. With sl = sr it is the Gaussian. A prediction's `mean` is m,
and its `scale` has a last axis of two: left, right.

Files are coded with 64 x 64 integer tables: rows are pairs of the Gaussian's,
each scale's the nearest of its ladder, or of a table of scales.

References:
  Cui, Wang, Gao, Guo, Bai, Xu, Feng, "Asymmetric gained deep image compression
  with continuous rate adaptation", 2021, section 3.3 (eq. 10, the density; the
  masses are derived above).
"""

import functools

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxlic.coding import tables
from jaxlic.densities import gaussian
from jaxlic.densities.gaussian import LIKELIHOOD_MIN, TAIL_MASS, Scales
from jaxlic.nn.bounds import lower_bound
from jaxlic.types import Density, Prediction, Tables


def by_scale(scales: Scales = None, *, tail_mass: float = TAIL_MASS) -> Density:
  """Returns the density whose prediction has both standard deviations.

  Arguments are those of `gaussian.by_scale`.
  """

  def bits(params, value, prediction: Prediction) -> Array:
    scale = lower_bound(prediction.scale, gaussian.least_scale(scales))
    mass = bin_mass(value, prediction.mean, scale[..., 0], scale[..., 1])
    return -jnp.log2(lower_bound(mass, LIKELIHOOD_MIN))

  # Side by side, along the last axis.
  return Density(
    bits,
    lambda known: gaussian.scale_rows(known.scale, scales),
    lambda known: gaussian.scale_near_edge(known.scale, scales),
    lambda params: freeze(scales, tail_mass),
  )


def bin_mass(
  value: Float[Array, "*#shape"],
  mean: Float[Array, "*#shape"],
  left: Float[Array, "*#shape"],
  right: Float[Array, "*#shape"],
) -> Float[Array, "*#shape"]:
  """Returns the mass of the unit bin around `value`, precise in both tails."""
  distance = value - mean
  below = _side(distance, left)
  above = _side(-distance, right)
  return 2 * (left * below + right * above) / (left + right)


def freeze(scales: Scales = None, tail_mass: float = TAIL_MASS) -> Tables:
  """Returns the tables of all pairs, [left, right] row by row."""
  return _freeze(scales, tail_mass)  # under one key, with defaults or without


@functools.cache
def _freeze(scales: Scales, tail_mass: float) -> Tables:
  ladder = np.array(scales) if scales else gaussian.scale_ladder()
  sides = [gaussian.half_row(scale, tail_mass) for scale in ladder]
  rows = []
  for left, (low, centre_left, low_tail) in zip(ladder, sides, strict=True):
    for right, (high, centre_right, high_tail) in zip(
      ladder, sides, strict=True
    ):
      a, b = 2 * left / (left + right), 2 * right / (left + right)
      centre = (a * centre_left + b * centre_right) / 2
      pmf = np.concatenate([a * low, [centre], b * high[::-1]])
      rows.append((pmf, a * low_tail + b * high_tail, -len(low)))
  return tables.make_tables(rows)


def _side(distance, scale):
  """The mass of the part of the bin that lies below the mode."""
  upper = jnp.minimum(distance + 0.5, 0.0) / scale
  lower = jnp.minimum(distance - 0.5, 0.0) / scale
  return gaussian.cdf(upper) - gaussian.cdf(lower)
