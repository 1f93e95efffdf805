"""Mixtures of Gaussians per channel: of scales, or of means and scales.

    q(x) = sum_s w_s N(x; mean_s, scale_s^2)

with weights, means and scales per channel. All means of a scale mixture are 0:
it is symmetric, with tails heavier than a Gaussian's. The parameters are the
logarithms of weights, which need not sum to 1, and of precisions, the inverse
squares of scales.

References:
  Theis, Shi, Cunningham, Huszar, "Lossy image compression with compressive
  autoencoders", 2017, section 2.3 (eq. 12). Differs in the number of scales,
  which is not stated there.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxlic.densities.channelwise import Family, Points
from jaxlic.densities.gaussian import cdf
from jaxlic.errors import JaxlicError

# Of the first scales, which are evenly spaced in the logarithm: from latents
# that are nearly always 0 to the widest of a young network.
NARROWEST, WIDEST = 0.25, 8.0
SPREAD = 1.0  # the first means lie within -SPREAD..SPREAD


def scale_mixture(components: int) -> Family:
  """Returns the mixtures of zero-mean Gaussians.

  Raises:
    JaxlicError: If there are none.
  """
  _check(components)

  def init(key: Array, channels: int) -> dict[str, Array]:
    return _init_scales(channels, components)

  return Family(mass, init, log_density)


def gaussian_mixture(components: int) -> Family:
  """Returns the mixtures of Gaussians with means of their own.

  Raises:
    JaxlicError: If there are none.
  """
  _check(components)

  def init(key: Array, channels: int) -> dict[str, Array]:
    shape = (channels, components)
    mean = jax.random.uniform(key, shape, minval=-SPREAD, maxval=SPREAD)
    return _init_scales(*shape) | {"mean": mean}

  return Family(mass, init, log_density)


def mass(params: dict, lower: Points, upper: Points) -> Points:
  """Returns the mass between two points, precise in both tails.

  By the distance of their middle from the mean, which has no sign: compilers
  that compute one twice may round it to two.
  """
  weight = jax.nn.softmax(params["log_weight"], -1)
  middle, half = (lower + upper) / 2, (upper - lower) / 2
  total = jnp.zeros_like(upper)
  # One component after another: photographs have many latents.
  for k, (mean, scale) in enumerate(_components(params)):
    distance = jnp.abs(middle - mean)
    inside = cdf((half - distance) / scale) - cdf((-half - distance) / scale)
    total = total + weight[:, k : k + 1] * inside
  return total


def log_density(params: dict, x: Points) -> Points:
  """Returns the natural logarithm of the density."""
  log_weight = jax.nn.log_softmax(params["log_weight"], -1)
  terms = [
    log_weight[:, k : k + 1]
    - jnp.log(scale)
    - 0.5 * ((x - mean) / scale) ** 2
    - 0.5 * math.log(2 * math.pi)
    for k, (mean, scale) in enumerate(_components(params))
  ]
  return jax.nn.logsumexp(jnp.stack(terms), 0)


def _check(components: int) -> None:
  if components < 1:
    raise JaxlicError(
      f"a mixture has 1 component or more, got {components}; give so many"
    )


def _components(params: dict) -> list[tuple[Array, Array]]:
  """The mean and scale [c 1] of each."""
  scale = jnp.exp(-0.5 * params["log_precision"])
  mean = params.get("mean", jnp.zeros_like(scale))
  return [
    (mean[:, k : k + 1], scale[:, k : k + 1]) for k in range(scale.shape[1])
  ]


def _init_scales(channels: int, components: int) -> dict[str, Array]:
  """Equal weights, and scales from the narrowest to the widest."""
  scale = np.geomspace(NARROWEST, WIDEST, components)
  row = jnp.asarray(-2 * np.log(scale), jnp.float32)
  return {
    "log_weight": jnp.zeros((channels, components)),
    "log_precision": jnp.tile(row, (channels, 1)),
  }
