"""Maps of quality that training draws; see `jaxlic/quality.py` for their use.

For each image: with probability 0.3 one value for all pixels (of which one in a
hundred is 0), with 0.3 a linear gradient along a random axis, else a sum of 1
to 20 Gaussians.

References:
  mmSir, "GainedVAE", 2021 (the shares of the kinds).
  Song, Choi, Han, "Variable-rate deep image compression through
  spatially-adaptive feature transform", 2021, section 4.1 (the kinds). Sizes of
  the Gaussians, 1/20 to 1/2 of the side, and their heights, -1 to 1 around 1/2,
  are our own.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlic.quality import NEUTRAL

MOST_GAUSSIANS = 20

Map = Float[Array, "H W"]


def draw(key: Array, height: int, width: int) -> Map:
  """Returns a random map of the training distribution."""
  kind_key, key = jax.random.split(key)
  kind = jax.random.choice(kind_key, 3, p=jnp.array([0.3, 0.3, 0.4]))
  kinds = (constant, gradient, gaussians)
  drawn = jnp.stack([draw_of(key, height, width) for draw_of in kinds])
  return drawn[kind]


def constant(key: Array, height: int, width: int) -> Map:
  """Returns one value for all pixels."""
  value_key, zero_key = jax.random.split(key)
  value = jax.random.uniform(value_key)
  value = jnp.where(jax.random.uniform(zero_key) < 0.01, 0.0, value)
  return jnp.full((height, width), value)


def gradient(key: Array, height: int, width: int) -> Map:
  """Returns a line between two values, along a random axis."""
  ends_key, axis_key = jax.random.split(key)
  first, last = jax.random.uniform(ends_key, (2,))
  down = jnp.linspace(first, last, height)[:, None]
  right = jnp.linspace(first, last, width)
  along = jax.random.bernoulli(axis_key)
  return jnp.where(along, *jnp.broadcast_arrays(down, right))


def gaussians(key: Array, height: int, width: int) -> Map:
  """Returns a sum of Gaussians around 1/2, cut to 0..1."""
  count_key, place_key, size_key, height_key = jax.random.split(key, 4)
  count = jax.random.randint(count_key, (), 1, MOST_GAUSSIANS + 1)
  present = (jnp.arange(MOST_GAUSSIANS) < count).astype(jnp.float32)
  top, left = jax.random.uniform(place_key, (2, MOST_GAUSSIANS, 1))
  size = jax.random.uniform(
    size_key, (MOST_GAUSSIANS, 1), minval=0.05, maxval=0.5
  )
  level = jax.random.uniform(height_key, (MOST_GAUSSIANS,), minval=-1.0)
  down, right = (jnp.linspace(0, 1, n)[None] for n in (height, width))
  rows = jnp.exp(-0.5 * ((down - top) / size) ** 2)
  columns = jnp.exp(-0.5 * ((right - left) / size) ** 2)
  total = jnp.einsum("k,kh,kw->hw", level * present, rows, columns)
  return jnp.clip(NEUTRAL + total, 0.0, 1.0)
