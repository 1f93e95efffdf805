"""Mixtures of Gaussians, each with its own mean, scale and weight.

The probability of an integer symbol v is the mass of the bin around it,

    sum_k w_k (Phi((v + 1/2 - mean_k) / scale_k) - Phi((v - 1/2 - mean_k) /
    scale_k)),   w = softmax(logits).

A prediction holds `mean`, `scale` (standard deviations) and `logits`, of shape
[b h w c k] each. There is no one mean to code a residual to: symbols are the
rounded latents themselves, see `jaxlic.quantize.rounding.plain`.

Files are coded with frequencies made from integers, see `jaxlic.coding.
mixtures`: `rows` rounds a mean to 1/64, a scale to the nearest of the ladder's
64 in the logarithm, a logit to 1/8 below the largest. `close` finds those which
another device could round otherwise and, if it did, would code differently:
the coder rounds further, a component without weight does not matter, nor do the
weights of equal components.

References:
  Cheng, Sun, Takeuchi, Katto, "Learned image compression with discretized
  Gaussian mixture likelihoods and attention modules", 2020, section 3.2 (K=3).
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxlic.coding import mixture_tables
from jaxlic.coding.mixture_tables import (
  FRACTION_BITS,
  MEAN_LIMIT,
  PHASES,
  WEIGHT_DEPTH,
  WEIGHT_STEPS,
)
from jaxlic.entropy.gaussian import (
  CLOSE,
  LIKELIHOOD_MIN,
  LOG_STEP,
  SCALE_MIN,
  bin_mass,
  scale_ladder,
)
from jaxlic.nn.bounds import lower_bound
from jaxlic.types import Density, MixtureTables, Prediction

# Twice the error of means between instruction sets, as a share of magnitude
# and scale together; logits, as a share of theirs and 1.
CLOSE_SHARE = 2e-6
HEAVIEST = WEIGHT_DEPTH * WEIGHT_STEPS  # the row of the largest logit

Rows = Int[Array, "b h w c k"]


def make() -> Density:
  """Returns the density; the number of components is the predictions'."""
  return Density(_bits, _rows, _close, lambda params: freeze())


@functools.cache
def freeze() -> MixtureTables:
  """Returns the coder's integer tables; they depend on no parameter."""
  return mixture_tables.make(scale_ladder().tolist())


def mixture_bits(
  value: Float[Array, "*shape"],
  mean: Float[Array, "*shape k"],
  scale: Float[Array, "*shape k"],
  logits: Float[Array, "*shape k"],
) -> Float[Array, "*shape"]:
  """Returns -log2 of the mass of the unit bin around `value`."""
  mass = bin_mass(value[..., None], mean, scale)
  mass = (jax.nn.softmax(logits, -1) * mass).sum(-1)
  return -jnp.log2(lower_bound(mass, LIKELIHOOD_MIN))


def _bits(
  params: object, value: Float[Array, "b h w c"], prediction: Prediction
) -> Float[Array, "b h w c"]:
  scale = lower_bound(prediction.scale, SCALE_MIN)
  return mixture_bits(value, prediction.mean, scale, prediction.logits)


def _rows(prediction: Prediction) -> Int[Array, "b h w c m"]:
  """The rows of k means, k scales and k weights, along the last axis."""
  scale = _scale_rows(prediction)
  parts = _mean_rows(prediction), scale, _weight_rows(prediction)
  return jnp.concatenate(parts, -1)


def _close(prediction: Prediction) -> Bool[Array, "b h w c m"]:
  scale = _close_scales(prediction)
  mean = _close_means(prediction, scale)
  weight = _close_weights(prediction)
  # What weighs nothing, here and elsewhere, may have any mean and scale.
  used = (_weight_table()[_weight_rows(prediction)] > 0) | weight
  mean, scale = mean & used, scale & used
  # Equal components may have any weights.
  centre, scale_row = _centres(prediction), _scale_rows(prediction)
  first = used.argmax(-1, keepdims=True)

  def differ(x):
    return used & (x != jnp.take_along_axis(x, first, -1))

  several = mean | scale | differ(centre) | differ(scale_row)
  weight = weight & several.any(-1, keepdims=True)
  return jnp.concatenate([mean, scale, weight], -1)


def _mean_rows(prediction: Prediction) -> Rows:
  nearest = jnp.floor(PHASES * prediction.mean + 0.5)
  limit = MEAN_LIMIT * PHASES
  return jnp.clip(nearest, -limit, limit).astype(jnp.int32)


def _centres(prediction: Prediction) -> Rows:
  """What the coder rounds means to, in 1/4096."""
  row = _mean_rows(prediction) + PHASES // 2
  beyond = jnp.asarray(freeze().centres)[_scale_rows(prediction), row % PHASES]
  return 2**FRACTION_BITS * (row // PHASES) + beyond


def _close_means(prediction: Prediction, any_scale) -> Bool[Array, "b h w c k"]:
  row, scale_row = _mean_rows(prediction), _scale_rows(prediction)
  scale = jnp.maximum(prediction.scale, SCALE_MIN)
  margin = PHASES * CLOSE_SHARE * (jnp.abs(prediction.mean) + scale)
  beyond = PHASES * prediction.mean - row  # within +-1/2 of the row
  edges, phase = _mean_edges(), (row + PHASES // 2) % PHASES
  above = edges[scale_row, phase] | any_scale
  below = edges[scale_row, (phase - 1) % PHASES] | any_scale
  return (above & (beyond > 0.5 - margin)) | (below & (beyond < margin - 0.5))


def _scale_rows(prediction: Prediction) -> Rows:
  ladder = scale_ladder()
  edges = np.sqrt(ladder[:-1] * ladder[1:]).astype(np.float32)
  return jnp.searchsorted(edges, prediction.scale).astype(jnp.int32)


def _close_scales(prediction: Prediction) -> Bool[Array, "b h w c k"]:
  # Not above 0 gives NaN or -inf, which is close to none.
  index = jnp.log(prediction.scale / SCALE_MIN) / LOG_STEP - 0.5
  edge = jnp.clip(jnp.round(index), 0, len(scale_ladder()) - 2)
  return jnp.abs(index - edge) < CLOSE


def _weight_rows(prediction: Prediction) -> Rows:
  position = _weight_positions(prediction)
  return jnp.floor(position + 0.5).astype(jnp.int32)


def _close_weights(prediction: Prediction) -> Bool[Array, "b h w c k"]:
  position, row = _weight_positions(prediction), _weight_rows(prediction)
  size = jnp.abs(prediction.logits)
  margin = WEIGHT_STEPS * CLOSE_SHARE * (1 + size + size.max(-1, keepdims=True))
  table = _weight_table()
  edges = jnp.append(table[1:] != table[:-1], False)  # above each row
  above, below = edges[row], edges[row - 1]
  beyond = position - row
  return (above & (beyond > 0.5 - margin)) | (below & (beyond < margin - 0.5))


def _weight_positions(prediction: Prediction) -> Float[Array, "b h w c k"]:
  logits = prediction.logits
  below = logits - logits.max(-1, keepdims=True)
  return jnp.maximum(HEAVIEST + WEIGHT_STEPS * below, 0.0)


def _weight_table() -> Int[Array, "97"]:
  return jnp.asarray(freeze().weights.astype(np.int32))


def _mean_edges() -> Bool[Array, "64 64"]:
  """Whether means above each phase are rounded to another centre."""
  centres = freeze().centres
  following = np.roll(centres, -1, 1)
  following[:, -1] += 2**FRACTION_BITS
  return jnp.asarray(centres != following)
