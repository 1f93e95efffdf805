"""The deep factorized density: one learned distribution per channel.

The cumulative of a channel is a small network made monotone by construction,
`c = sigmoid(f_K(... f_1(x)))` with `f_k(x) = g_k(softplus(H_k) x + b_k)` and
`g_k(x) = x + tanh(a_k) tanh(x)`. The probability of an integer is the
difference of c over the unit bin around it.

The prediction's mean shifts the density, so the medians of an imported model
are a mean; models trained here round to plain integers, with mean 0.

References:
  Balle, Minnen, Singh, Hwang, Johnston, "Variational image compression with a
  scale hyperprior", 2018, appendix 6.1. Differs in the tails of the tables:
  they are found by bisection when the tables are frozen, not by a loss.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxlic.densities import channelwise
from jaxlic.densities.channelwise import TAIL_MASS, Family, Points
from jaxlic.types import Density

FILTERS = (3, 3, 3, 3)


def init(
  key: Array,
  channels: int,
  *,
  scale: float = 10.0,
  filters: tuple[int, ...] = FILTERS,
) -> dict[str, Array]:
  """Returns parameters under which logits(x) is about `x / scale`.

  Args:
    key: Of the biases.
    channels: How many distributions.
    scale: Of the latents that are expected.
    filters: The widths of a channel's layers but for the last, which is 1.
  """
  widths = (1, *filters, 1)
  layer_scale = scale ** (1 / (len(filters) + 1))
  params = {}
  for k, (fan_in, fan_out) in enumerate(zip(widths, widths[1:], strict=False)):
    key, bias_key = jax.random.split(key)
    matrix = np.log(np.expm1(1 / (layer_scale * fan_out)))
    params[f"matrix{k}"] = jnp.full((channels, fan_out, fan_in), matrix)
    params[f"bias{k}"] = jax.random.uniform(
      bias_key, (channels, fan_out, 1), minval=-0.5, maxval=0.5
    )
    if k < len(filters):
      params[f"factor{k}"] = jnp.zeros((channels, fan_out, 1))
  return params


def logits(params: dict, x: Points) -> Points:
  """Returns the logit of each channel's cumulative at n points."""
  x = x[:, None, :]
  last = sum(name.startswith("matrix") for name in params) - 1
  for k in range(last + 1):
    x = jax.nn.softplus(params[f"matrix{k}"]) @ x + params[f"bias{k}"]
    if k < last:
      x = x + jnp.tanh(params[f"factor{k}"]) * jnp.tanh(x)
  return x[:, 0, :]


def mass(params: dict, lower: Points, upper: Points) -> Points:
  """Returns the mass between two points, precise in both tails."""
  low, high = logits(params, lower), logits(params, upper)
  # On the right of the median use 1 - c, whose small values keep precision.
  sign = jax.lax.stop_gradient(jnp.where(high + low > 0, -1.0, 1.0))
  return jnp.abs(jax.nn.sigmoid(sign * high) - jax.nn.sigmoid(sign * low))


def log_density(params: dict, x: Points) -> Points:
  """Returns the natural logarithm of the derivative of the cumulative."""
  logit, slope = jax.jvp(
    functools.partial(logits, params), (x,), (jnp.ones_like(x),)
  )
  outer = jax.nn.log_sigmoid(logit) + jax.nn.log_sigmoid(-logit)
  return outer + jnp.log(slope)


FAMILY = Family(mass, init, log_density)


def make(name: str, *, tail_mass: float = TAIL_MASS) -> Density:
  """Returns the density whose parameters are `params[name]`."""
  return channelwise.make(name, FAMILY, tail_mass=tail_mass)
