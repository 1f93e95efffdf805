"""Soft rounding: a smooth path from noise to rounding, by a temperature.

Around a value's cell centre, with `r = y - floor(y) - 1/2`,

    s_a(y) = floor(y) + 1/2 + tanh(a r) / (2 tanh(a / 2))

is the identity for a = 0 and rounding for a = inf; it maps integers and halves
to themselves. The decoder has `z = s_a(y) + u`, u uniform on one step, and
takes the mean of all y that it could come from, `r_a(z) = s_a^-1(z - 1/2) +
1/2`. Training starts at a temperature 1 / a of about 1 and lowers it.

References:
  Agustsson, Theis, "Universally quantized neural compression", 2020, section 4.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlic.quantize.rounding import Keys, Latent, Temperature, draw
from jaxlic.types import Known, Relaxed

# Below, float32 knows no difference to the identity; s_32 is within 0.002 of
# rounding, but for a tenth of a step on either side of the halves, and the
# inverse's slopes, up to e^a / 2a at the edges of its cells, are of no use long
# before.
ALPHA_MIN, ALPHA_MAX = 1e-3, 32.0


def surrogate(
  latent: Latent, known: Known, keys: Keys, temperature: Temperature
) -> Relaxed:
  """Rates `s_a(y) + u` and decodes `r_a(s_a(y) + u)`, a = 1 / temperature.

  y is the latent relative to its mean, which both values get back.
  """
  alpha = 1 / jnp.clip(temperature, 1 / ALPHA_MAX, 1 / ALPHA_MIN)
  softened = soft_round(latent - known.mean, alpha)
  noisy = softened + draw(keys, latent.shape[1:])
  value = conditional_mean(noisy, alpha)
  return Relaxed(noisy + known.mean, value + known.mean)


def soft_round(
  y: Float[Array, "*shape"], alpha: float | Float[Array, ""]
) -> Float[Array, "*shape"]:
  """Returns s_a(y), for a finite `alpha` above 0."""
  centre = jnp.floor(y) + 0.5
  return centre + jnp.tanh(alpha * (y - centre)) / (2 * jnp.tanh(alpha / 2))


def inverse(
  z: Float[Array, "*shape"], alpha: float | Float[Array, ""]
) -> Float[Array, "*shape"]:
  """Inverse of `soft_round`, for `alpha` within ALPHA_MIN..ALPHA_MAX."""
  centre = jnp.floor(z) + 0.5
  # artanh(x) of x = 2 (z - centre) tanh(a / 2), which float32 would round to 1
  # at the ends of the cell: 1 - |x| is made of terms that are not negative.
  twice = 2 * (z - centre)
  sign = jnp.where(twice < 0, -1.0, 1.0)
  size, squash = sign * twice, jnp.tanh(alpha / 2)
  gap = (1 - size) + size * 2 * jax.nn.sigmoid(-alpha)
  artanh = 0.5 * jnp.log1p(2 * size * squash / gap)
  return centre + sign * artanh / alpha


def conditional_mean(
  z: Float[Array, "*shape"], alpha: float | Float[Array, ""]
) -> Float[Array, "*shape"]:
  """Returns r_a(z), the mean of y given `z = s_a(y) + u`, for y uniform."""
  return inverse(z - 0.5, alpha) + 0.5
