"""The Gaussian with 64 log-spaced scales, or those of a table.

The probability of a symbol is the mass of the bin of width 1 around it. Files
are coded with 64 integer tables, one per scale, and a prediction chooses among
them. It gives the scale either as such (`by_scale`), or as a real position on
the ladder (`by_index`), which leaves no transcendental function between the
network and the choice of the row. The row is that of the ladder's nearest
scale, in the logarithm. Either way a scale next to the boundary of two rows
could fall on its other side on another device, and `near_edge` finds these.

References:
  Balle, Minnen, Singh, Hwang, Johnston, "Variational image compression with a
  scale hyperprior", 2018, section 3 and appendix 6.2. The ladder of 64 scales
  from 0.11 to 256 is TensorFlow Compression's.
"""

import functools
import math
from statistics import NormalDist
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxlic.coding import tables
from jaxlic.errors import JaxlicError
from jaxlic.nn.bounds import lower_bound
from jaxlic.types import Density, Prediction, Tables

LEVELS = 64
SCALE_MIN, SCALE_MAX = 0.11, 256.0
LOG_STEP = math.log(SCALE_MAX / SCALE_MIN) / (LEVELS - 1)
TAIL_MASS = 1e-9  # outside a row's symbols, in all
EDGE_WIDTH = 3e-5  # ladder steps: twice what was seen between instruction sets
LIKELIHOOD_MIN = 1e-9  # caps a symbol at 29.9 bits in the loss
MAX_LEVELS, MAX_SCALE = 256, 2048.0  # of a table: 25,025 symbols are its widest
MIN_RATIO = 1.001  # of its neighbours, far above any device's rounding errors

Scales = tuple[float, ...] | None  # ascending; None: the ladder's 64


def scale_ladder() -> Float[np.ndarray, "64"]:
  """Returns the 64 scales, in units of the quantization step."""
  return np.exp(np.linspace(math.log(SCALE_MIN), math.log(SCALE_MAX), LEVELS))


def scale_at(index: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
  """Returns the scale at a real position on the ladder, at least 0.11."""
  return SCALE_MIN * jnp.exp(LOG_STEP * jnp.clip(index, 0.0, LEVELS - 1.0))


def bin_bits(
  value: Float[Array, "*shape"],
  mean: Float[Array, "*shape"],
  scale: Float[Array, "*shape"],
) -> Float[Array, "*shape"]:
  """Returns -log2 of the mass of the unit bin around `value`."""
  mass = bin_mass(value, mean, scale)
  return -jnp.log2(lower_bound(mass, LIKELIHOOD_MIN))


def bin_mass(
  value: Float[Array, "*#shape"],
  mean: Float[Array, "*#shape"],
  scale: Float[Array, "*#shape"],
) -> Float[Array, "*#shape"]:
  """Returns the mass of the unit bin around `value`, precise in both tails."""
  distance = jnp.abs(value - mean)
  upper = cdf((0.5 - distance) / scale)
  lower = cdf((-0.5 - distance) / scale)
  return upper - lower


def cdf(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
  """Returns the normal distribution function, precise for x below 0."""
  return 0.5 * jax.scipy.special.erfc(-x * (0.5**0.5))


def by_scale(scales: Scales = None, *, tail_mass: float = TAIL_MASS) -> Density:
  """Returns the density whose prediction is the standard deviation.

  Args:
    scales: Those that have tables; the least bounds predictions.
    tail_mass: What tables leave outside of a row's symbols, in all.
  """

  def bits(params, value, prediction: Prediction) -> Array:
    scale = lower_bound(prediction.scale, least_scale(scales))
    return bin_bits(value, prediction.mean, scale)

  return Density(
    bits,
    lambda known: scale_rows(known.scale, scales),
    lambda known: scale_near_edge(known.scale, scales),
    lambda params: freeze(scales, tail_mass),
  )


def check_scales(scales: Any) -> tuple[float, ...]:
  """Returns the scales of a list or an array, which can have tables.

  Raises:
    JaxlicError: If they are not 1 to 256 positive numbers that ascend, up to
      2048.
  """
  try:
    table = np.asarray(scales, np.float64)
  except (TypeError, ValueError) as error:
    raise JaxlicError(
      f"a scale table is a list of numbers, got {scales!r}; give one"
    ) from error
  if table.ndim != 1 or not 1 <= table.size <= MAX_LEVELS:
    raise JaxlicError(
      f"a scale table has 1 to {MAX_LEVELS} scales along one axis, got "
      f"{list(table.shape)}; give so many"
    )
  # NaN fails the comparisons, too.
  rises = (table[1:] >= MIN_RATIO * table[:-1]).all()
  if not (table[0] > 0 and table[-1] <= MAX_SCALE and rises):
    raise JaxlicError(
      f"the scales of a table are above 0, up to {MAX_SCALE:g}, each 0.1 % "
      f"above the one before or more, got {table.tolist()}; sort them, and "
      "leave out what is too close or too large"
    )
  return tuple(table.tolist())


def least_scale(scales: Scales) -> float:
  """Returns the scale that bounds predictions."""
  return scales[0] if scales else SCALE_MIN


def scale_rows(
  scale: Float[Array, "*shape"], scales: Scales = None
) -> Int[Array, "*shape"]:
  """Returns the row of the table's scale that is nearest in the logarithm."""
  # The next larger scale, which others take, costs a few times as many bits.
  ladder = np.array(scales) if scales else scale_ladder()
  edges = np.sqrt(ladder[:-1] * ladder[1:]).astype(np.float32)
  return jnp.searchsorted(edges, scale, side="left").astype(jnp.int32)


def scale_near_edge(
  scale: Float[Array, "*shape"], scales: Scales = None
) -> Bool[Array, "*shape"]:
  """Returns which scales lie near the boundary of two rows."""
  if scales:
    share = EDGE_WIDTH * LOG_STEP
    below = scale_rows(scale * (1 - share), scales)
    return below != scale_rows(scale * (1 + share), scales)
  # A scale of 0 gives -inf, far from any edge.
  index = jnp.log(scale / SCALE_MIN) / LOG_STEP
  return _near(index - 0.5, 0.0, LEVELS - 2.0)


def by_index() -> Density:
  """Returns the density whose prediction is a position on the ladder."""

  def bits(params, value, prediction: Prediction) -> Array:
    index = lower_bound(prediction.scale, 0.0)
    scale = SCALE_MIN * jnp.exp(LOG_STEP * jnp.minimum(index, LEVELS - 1.0))
    return bin_bits(value, prediction.mean, scale)

  def rows(prediction: Prediction) -> Int[Array, "b *rest"]:
    index = jnp.clip(prediction.scale, 0.0, LEVELS - 1.0)
    return jnp.floor(index + 0.5).astype(jnp.int32)

  def near_edge(prediction: Prediction) -> Bool[Array, "b *rest"]:
    return _near(prediction.scale - 0.5, 0.0, LEVELS - 2.0)

  return Density(bits, rows, near_edge, lambda params: freeze())


def freeze(scales: Scales = None, tail_mass: float = TAIL_MASS) -> Tables:
  """Returns the integer tables of the scales; they depend on no parameter."""
  return _freeze(scales, tail_mass)  # under one key, with defaults or without


@functools.cache
def _freeze(scales: Scales, tail_mass: float) -> Tables:
  rows = []
  for scale in scales or scale_ladder():
    left, centre, below = half_row(scale, tail_mass)
    pmf = np.concatenate([left, [centre], left[::-1]])
    rows.append((pmf, 2 * below, -len(left)))
  return tables.make_tables(rows)


def half_row(
  scale: float, tail_mass: float = TAIL_MASS
) -> tuple[Float[np.ndarray, "r"], float, float]:
  """Returns the masses of the bins -r..-1, of bin 0, and of all below -r."""
  radius = math.ceil(-scale * NormalDist().inv_cdf(tail_mass / 2))
  # From the left tail alone: differences of erfc keep relative precision there.
  edges = (np.arange(-radius, 1) - 0.5) / (scale * math.sqrt(2))
  below = np.array([0.5 * math.erfc(-edge) for edge in edges])
  return np.diff(below), math.erf(0.5 / (scale * math.sqrt(2))), below[0]


def _near(x, first, last):
  """Whether x lies within EDGE_WIDTH of an integer of first..last."""
  return jnp.abs(x - jnp.clip(jnp.round(x), first, last)) < EDGE_WIDTH
