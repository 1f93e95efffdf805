"""What the bits cost that tell which coset of a lattice a point is in.

The nearest point of x, in D_n* or A_2, is in the coset of 1/2 if r, the
distances of the coordinates to the nearest integers, are above 1/4 on average,
weighed by the squares of their units u. Mean and variance of r follow from a
coordinate's scale s,

    E r   = 1/4 - 2 / pi^2 sum_(k odd) exp(-2 (pi k s)^2) / k^2
    E r^2 = 1/12 + 1 / pi^2 sum_k (-1)^k exp(-2 (pi k s)^2) / k^2,

and by the central limit theorem the probability is about Phi(-d), with

    d = sum u^2 (1/4 - E r) / sqrt(sum u^4 Var r)

over the block. Each bit has 32 logits, for d = 1/8, 3/8, ..., which start there
and are learned; of lattices of more cosets it is only a start. So a bit is all
but free where a block holds zeros.

Files take the logit next to d, which is made from the table rows of the block's
scales: integers, and a division and a root, which IEEE 754 rounds alike
everywhere. The moments are constants of the file format.

References:
  None: derived here, as the expectation of the Fourier series of r and r^2.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxlic.densities import gaussian
from jaxlic.errors import JaxlicError
from jaxlic.quantize.lattices.points import AnyArray, Lattice

LOGITS, PER_DEVIATION = 32, 4  # of d
TERMS = 8  # of the series: exp(-2 (9 pi 0.11)^2) is 4e-9
FRACTION = 2**20  # moments as integers

Logits = Float[Array, "l 32"]


def init(points: Lattice) -> Logits:
  """Returns the logits of every coset bit, those of Phi(-d)."""
  d = (np.arange(LOGITS) + 0.5) / PER_DEVIATION
  log_p = jax.scipy.stats.norm.logcdf(-d)
  logits = (log_p - jnp.log1p(-jnp.exp(log_p))).astype(jnp.float32)
  return jnp.tile(logits, (points.coset_bits, 1))


def bits(
  points: Lattice,
  logits: Logits,
  scale: Float[Array, "b h w c"],
  chosen: Float[Array, "b h w k"],
) -> Float[Array, "b h w k"]:
  """Returns what coset bits cost, or the mean of both if they are soft.

  Args:
    points: The lattice.
    logits: Of its bits.
    scale: Of the coordinates, in their units, at least 0.11.
    chosen: The bits, block by block, of [0, 1].
  """
  blocks = scale.reshape(*scale.shape[:3], -1, points.n)
  lack, variance = folded_moments(blocks)
  weight = _weights(points)
  d = (lack @ weight) / jnp.sqrt(variance @ weight**2)
  position = jnp.clip(PER_DEVIATION * d - 0.5, 0.0, LOGITS - 1.0)
  below = jnp.minimum(jnp.floor(position), LOGITS - 2.0).astype(jnp.int32)
  part = (position - below.astype(position.dtype))[..., None]
  table = logits.T
  logit = (1 - part) * table[below] + part * table[below + 1]
  logit = logit.reshape(chosen.shape)
  return (jax.nn.softplus(logit) - chosen * logit) / math.log(2)


def rows(
  points: Lattice, scale_rows: Int[np.ndarray, "n c"]
) -> Int[np.ndarray, "n k"]:
  """Returns the number of every bit's logit, 32 times the bit's and more.

  Raises:
    JaxlicError: If a row is none of the ladder's: the payload is damaged.
  """
  _check(scale_rows)
  blocks = scale_rows.reshape(len(scale_rows), -1, points.n)
  weight = np.rint(_weights(points)).astype(np.int64)
  lack, variance = (moment[blocks] for moment in _integer_moments())
  lack, variance = lack @ weight, variance @ weight**2
  d = lack / np.sqrt(variance * float(FRACTION))
  where = np.minimum(PER_DEVIATION * d, LOGITS - 1).astype(np.int32)
  numbers = where[..., None] + LOGITS * np.arange(points.coset_bits)
  return numbers.reshape(len(scale_rows), -1)


def folded_moments(scale: AnyArray, exp=jnp.exp) -> tuple[AnyArray, AnyArray]:
  """Returns `1/4 - E r` and `Var r` of scales of 0.11 and more."""
  terms = [
    exp(-2 * (math.pi * k * scale) ** 2) / k**2 for k in range(1, TERMS + 1)
  ]
  lack = 2 / math.pi**2 * sum(terms[::2])
  signed = sum(terms[1::2]) - sum(terms[::2])
  square = 1 / 12 + signed / math.pi**2
  return lack, square - (0.25 - lack) ** 2


def _check(scale_rows: Int[np.ndarray, "n c"]) -> None:
  """Corrections of a damaged file may lead beyond the ladder."""
  last = gaussian.LEVELS - 1
  if scale_rows.min() < 0 or scale_rows.max() > last:
    raise JaxlicError(
      f"rows of scales are within 0..{last}, got {scale_rows.min()}.."
      f"{scale_rows.max()}: the payload is damaged; fetch the file again"
    )


def _weights(points: Lattice) -> Float[np.ndarray, "n"]:
  return np.square(points.units).astype(np.float32)


@functools.cache
def _integer_moments() -> tuple[Int[np.ndarray, "64"], Int[np.ndarray, "64"]]:
  """The folded moments at the ladder's scales, times FRACTION."""
  moments = folded_moments(gaussian.scale_ladder(), np.exp)
  lack, variance = (np.rint(FRACTION * m).astype(np.int64) for m in moments)
  return lack, variance
