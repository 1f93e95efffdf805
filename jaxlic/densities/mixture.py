"""Mixtures of Gaussians, each with its own mean, scale and weight.

The probability of an integer symbol v is the mass of the bin around it,

    sum_k w_k (Phi((v + 1/2 - mean_k) / scale_k) - Phi((v - 1/2 - mean_k) /
    scale_k)),   w = softmax(logits).

There is no one mean to code a residual to: symbols are the rounded latents
themselves, see `jaxlic.quantize.rounding.plain`.

Files are coded with frequencies made from integers, see `jaxlic.coding.
mixtures`: `rows` rounds a mean to 1/64, a scale to the nearest of the ladder's
64 in the logarithm, a logit to 1/8 below the largest. `near_edge` finds
those which another device could round otherwise and, if it did, would code
differently: the coder rounds further, a component without weight does not
matter, nor do the weights of equal components.

References:
  Cheng, Sun, Takeuchi, Katto, "Learned image compression with discretized
  Gaussian mixture likelihoods and attention modules", 2020, section 3.2 (K=3).
"""

import functools
from typing import NamedTuple

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
from jaxlic.densities.gaussian import (
  EDGE_WIDTH,
  LIKELIHOOD_MIN,
  LOG_STEP,
  SCALE_MIN,
  bin_mass,
  scale_ladder,
)
from jaxlic.nn.bounds import lower_bound
from jaxlic.types import Density, MixtureTables

# Twice the error of means between instruction sets, as a share of magnitude
# and scale together; logits, as a share of theirs and 1.
EDGE_SHARE = 2e-6
HEAVIEST = WEIGHT_DEPTH * WEIGHT_STEPS  # the row of the largest logit

Rows = Int[Array, "b h w c k"]


class Mixture(NamedTuple):
  """What is known of a latent: k components, along the last axis."""

  mean: Float[Array, "b h w c k"]  # in latent units
  scale: Float[Array, "b h w c k"]  # standard deviations
  logits: Float[Array, "b h w c k"]  # log weights but for a constant


def make() -> Density:
  """Returns the density of a `Mixture`, of any number of components."""
  return Density(_bits, _rows, _near_edge, lambda params: freeze())


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
  params: object, value: Float[Array, "b h w c"], known: Mixture
) -> Float[Array, "b h w c"]:
  scale = lower_bound(known.scale, SCALE_MIN)
  return mixture_bits(value, known.mean, scale, known.logits)


def _rows(known: Mixture) -> Int[Array, "b h w c m"]:
  """The rows of k means, k scales and k weights, along the last axis."""
  scale = _scale_rows(known)
  parts = _mean_rows(known), scale, _weight_rows(known)
  return jnp.concatenate(parts, -1)


def _near_edge(known: Mixture) -> Bool[Array, "b h w c m"]:
  scale = _near_edge_scales(known)
  mean = _near_edge_means(known, scale)
  weight = _near_edge_weights(known)
  # What weighs nothing, here and elsewhere, may have any mean and scale.
  used = (_weight_table()[_weight_rows(known)] > 0) | weight
  mean, scale = mean & used, scale & used
  # Equal components may have any weights.
  centre, scale_row = _centres(known), _scale_rows(known)
  first = used.argmax(-1, keepdims=True)

  def differ(x):
    return used & (x != jnp.take_along_axis(x, first, -1))

  several = mean | scale | differ(centre) | differ(scale_row)
  weight = weight & several.any(-1, keepdims=True)
  return jnp.concatenate([mean, scale, weight], -1)


def _mean_rows(known: Mixture) -> Rows:
  nearest = jnp.floor(PHASES * known.mean + 0.5)
  limit = MEAN_LIMIT * PHASES
  return jnp.clip(nearest, -limit, limit).astype(jnp.int32)


def _centres(known: Mixture) -> Rows:
  """What the coder rounds means to, in 1/4096."""
  row = _mean_rows(known) + PHASES // 2
  beyond = jnp.asarray(freeze().centres)[_scale_rows(known), row % PHASES]
  return 2**FRACTION_BITS * (row // PHASES) + beyond


def _near_edge_means(known: Mixture, any_scale) -> Bool[Array, "b h w c k"]:
  row, scale_row = _mean_rows(known), _scale_rows(known)
  scale = jnp.maximum(known.scale, SCALE_MIN)
  margin = PHASES * EDGE_SHARE * (jnp.abs(known.mean) + scale)
  # Within +-1/2 of the row.
  beyond = PHASES * known.mean - row.astype(jnp.float32)
  edges, phase = _mean_edges(), (row + PHASES // 2) % PHASES
  above = edges[scale_row, phase] | any_scale
  below = edges[scale_row, (phase - 1) % PHASES] | any_scale
  return (above & (beyond > 0.5 - margin)) | (below & (beyond < margin - 0.5))


def _scale_rows(known: Mixture) -> Rows:
  ladder = scale_ladder()
  edges = np.sqrt(ladder[:-1] * ladder[1:]).astype(np.float32)
  return jnp.searchsorted(edges, known.scale).astype(jnp.int32)


def _near_edge_scales(known: Mixture) -> Bool[Array, "b h w c k"]:
  # Not above 0 gives NaN or -inf, which is close to none.
  index = jnp.log(known.scale / SCALE_MIN) / LOG_STEP - 0.5
  edge = jnp.clip(jnp.round(index), 0, len(scale_ladder()) - 2)
  return jnp.abs(index - edge) < EDGE_WIDTH


def _weight_rows(known: Mixture) -> Rows:
  position = _weight_positions(known)
  return jnp.floor(position + 0.5).astype(jnp.int32)


def _near_edge_weights(known: Mixture) -> Bool[Array, "b h w c k"]:
  position, row = _weight_positions(known), _weight_rows(known)
  size = jnp.abs(known.logits)
  margin = WEIGHT_STEPS * EDGE_SHARE * (1 + size + size.max(-1, keepdims=True))
  table = _weight_table()
  edges = jnp.append(table[1:] != table[:-1], False)  # above each row
  above, below = edges[row], edges[row - 1]
  beyond = position - row.astype(position.dtype)
  return (above & (beyond > 0.5 - margin)) | (below & (beyond < margin - 0.5))


def _weight_positions(known: Mixture) -> Float[Array, "b h w c k"]:
  logits = known.logits
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
