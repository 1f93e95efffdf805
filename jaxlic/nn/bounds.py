"""Bounds whose gradient still leads back inside."""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlic.nn import transposes


@jax.custom_jvp
def lower_bound(
  x: Float[Array, "*shape"], bound: float | Float[Array, ""]
) -> Float[Array, "*shape"]:
  """Returns `max(x, bound)`; clamped entries keep gradients that raise them.

  The gradient g passes where `x >= bound` or `g < 0`, for descent on g then
  raises x back above its bound; it is 0 elsewhere, and none goes to `bound`.
  Forward mode has the derivative of the maximum in x: 0 below the bound.

  References:
    Balle, Laparra, Simoncelli, "End-to-end optimized image compression",
    2017; the rule is that of TensorFlow Compression's "identity_if_towards".
  """
  return jnp.maximum(x, bound)


@lower_bound.defjvp
def _lower_bound_jvp(primals, tangents):
  x, bound = primals
  inside = x >= bound
  moved = transposes.linear_call(_inside, _towards, (inside,), tangents[0])
  return lower_bound(x, bound), moved


def _inside(inside, tangent):
  return jnp.where(inside, tangent, 0.0)


def _towards(inside, g):
  return jnp.where(inside | (g < 0), g, 0.0)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1, 2))
def clip(
  x: Float[Array, "*shape"], low: float, high: float
) -> Float[Array, "*shape"]:
  """Returns x within low..high; the gradient is 1 outside, too.

  References:
    Theis, Shi, Cunningham, Huszar, "Lossy image compression with compressive
    autoencoders", 2017, section 2.1.
  """
  return jnp.clip(x, low, high)


@clip.defjvp
def _clip_jvp(low, high, primals, tangents):
  return clip(*primals, low, high), tangents[0]
