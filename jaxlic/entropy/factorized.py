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

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxlic.coding import tables
from jaxlic.nn.bounds import lower_bound
from jaxlic.types import Density, JaxlicError, Prediction, Tables

FILTERS = (3, 3, 3, 3)
TAIL_MASS = 1e-9  # outside a row's symbols, in all
LIKELIHOOD_MIN = 1e-9  # caps a symbol at 29.9 bits in the loss
SEARCH_RADIUS = 2.0**16
MAX_RADIUS = 2**14


def init(key: Array, channels: int, *, scale: float = 10.0) -> dict[str, Array]:
  """Returns parameters under which logits(x) is about `x / scale`."""
  widths = (1, *FILTERS, 1)
  layer_scale = scale ** (1 / (len(FILTERS) + 1))
  params = {}
  for k, (fan_in, fan_out) in enumerate(zip(widths, widths[1:], strict=False)):
    key, bias_key = jax.random.split(key)
    matrix = np.log(np.expm1(1 / (layer_scale * fan_out)))
    params[f"matrix{k}"] = jnp.full((channels, fan_out, fan_in), matrix)
    params[f"bias{k}"] = jax.random.uniform(
      bias_key, (channels, fan_out, 1), minval=-0.5, maxval=0.5
    )
    if k < len(FILTERS):
      params[f"factor{k}"] = jnp.zeros((channels, fan_out, 1))
  return params


def logits(params: dict, x: Float[Array, "c n"]) -> Float[Array, "c n"]:
  """Returns the logit of each channel's cumulative at n points."""
  x = x[:, None, :]
  for k in range(len(FILTERS) + 1):
    x = jax.nn.softplus(params[f"matrix{k}"]) @ x + params[f"bias{k}"]
    if k < len(FILTERS):
      x = x + jnp.tanh(params[f"factor{k}"]) * jnp.tanh(x)
  return x[:, 0, :]


def bin_mass(params: dict, x: Float[Array, "c n"]) -> Float[Array, "c n"]:
  """Returns the mass of the unit bins around x, precise in both tails."""
  upper, lower = logits(params, x + 0.5), logits(params, x - 0.5)
  # On the right of the median use 1 - c, whose small values keep precision.
  sign = jax.lax.stop_gradient(jnp.where(upper + lower > 0, -1.0, 1.0))
  return jnp.abs(jax.nn.sigmoid(sign * upper) - jax.nn.sigmoid(sign * lower))


def make(name: str) -> Density:
  """Returns the density whose parameters are `params[name]`."""

  def bits(params, value, prediction: Prediction) -> Array:
    residual = value - prediction.mean
    b, h, w, c = residual.shape
    points = residual.transpose(3, 0, 1, 2).reshape(c, -1)
    mass = lower_bound(bin_mass(params[name], points), LIKELIHOOD_MIN)
    return -jnp.log2(mass).reshape(c, b, h, w).transpose(1, 2, 3, 0)

  def rows(prediction: Prediction) -> Int[Array, "b h w c"]:
    return jnp.broadcast_to(
      jnp.arange(prediction.mean.shape[-1], dtype=jnp.int32),
      prediction.mean.shape,
    )

  return Density(bits, rows, None, lambda params: freeze(params[name]))


def quantile(params: dict, logit: float) -> Float[np.ndarray, "c"]:
  """Returns, per channel, the x where the cumulative reaches `logit`."""
  channels = params["bias0"].shape[0]
  low = jnp.full((channels, 1), -SEARCH_RADIUS)
  high = -low

  def halve(_, bounds):
    low, high = bounds
    middle = (low + high) / 2
    below = logits(params, middle) < logit
    return jnp.where(below, middle, low), jnp.where(below, high, middle)

  low, high = jax.lax.fori_loop(0, 40, halve, (low, high))
  return np.asarray((low + high)[:, 0] / 2, np.float64)


def freeze(params: dict) -> Tables:
  """Returns one integer table per channel, over its central mass.

  Raises:
    JaxlicError: If a channel's tails lie beyond 16,384 symbols.
  """
  logit = float(np.log(2 / TAIL_MASS - 1))
  # The bin around the rounded quantile holds it, so that no more than the tails
  # is left outside.
  first = np.rint(quantile(params, -logit)).astype(int)
  last = np.rint(quantile(params, logit)).astype(int)
  widest = int(np.max(last - first))
  if widest > 2 * MAX_RADIUS:
    raise JaxlicError(
      f"a channel's density spans {widest} symbols, tables hold "
      f"{2 * MAX_RADIUS}; scale the latent down or train longer"
    )
  points = jnp.asarray(first[:, None] + np.arange(widest + 1), jnp.float32)
  mass = np.asarray(bin_mass(params, points), np.float64)
  rows = []
  for channel, (start, stop) in enumerate(zip(first, last, strict=True)):
    pmf = mass[channel, : stop - start + 1]
    rows.append((pmf, max(1.0 - pmf.sum(), TAIL_MASS), int(start)))
  return tables.make_tables(rows)
