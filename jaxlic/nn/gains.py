"""Gain units: factors per channel that give one network many rates.

A latent is multiplied by `exp(log_gain)` before it is quantized and by
`exp(log_inverse_gain)` after; both are learned, a row of each per level. A
larger gain is a finer step. Between adjacent levels s and s + 1, at
q = s + l, gains are interpolated geometrically, which is linear in their
logarithms:

    m_q = m_s^(1 - l) m_(s+1)^l

so that where the products of gain and inverse gain are the same at all levels,
they are between, too. At l = 0 and l = 1 the weights are 0 and 1: the trained
gains themselves, to the last bit.

References:
  Cui, Wang, Gao, Guo, Bai, Xu, Feng, "Asymmetric gained deep image compression
  with continuous rate adaptation", 2021, section 3 (eq. 2-8). Differs in the
  logarithm, which has a gradient everywhere and keeps gains positive.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float


def interpolate(
  levels: Float[Array, "n c"], level: Float[Array, "b"]
) -> Float[Array, "b 1 1 c"]:
  """Returns each image's row between those of the levels next to its own.

  Args:
    levels: A row per level.
    level: s + l of every image, from 0 to n - 1.
  """
  whole = jnp.arange(len(levels), dtype=level.dtype)
  away = jnp.abs(level[:, None] - whole[None])
  hat = jnp.maximum(0.0, 1.0 - away)
  rows = jnp.einsum("bs,sc->bc", hat, levels, precision="highest")
  return rows[:, None, None]


def gain(
  log_levels: Float[Array, "n c"], level: Float[Array, "b"]
) -> Float[Array, "b 1 1 c"]:
  """Returns each image's gains, of their logarithms at every level."""
  return jnp.exp(interpolate(log_levels, level))
