"""A-law companding around another quantizer.

With a parameter A >= 1,

    F(x) = sgn(x) A |x| / (1 + ln A)             |x| < 1 / A
    F(x) = sgn(x) (1 + ln(A |x|)) / (1 + ln A)   elsewhere,

linear near 0, with the slope A / (1 + ln A), logarithmic beyond, with a
continuous derivative, and F(1) = 1. The latent y is quantized as `D F(y / D)`,
D its dynamic range, and what is decoded is expanded by the inverse: small
values in small steps, large ones in steps that grow with them. The density
rates companded values.

A and D are those of a position; both sides know them, see `Companded`.

References:
  ITU-T, Recommendation G.711, 1988 (the A-law).
  Zhang, Wu, "LVQAC: Lattice vector quantization coupled with spatially adaptive
  companding for efficient learned image compression", 2023, section 3.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxlic.errors import JaxlicError
from jaxlic.quantize.rounding import Latent
from jaxlic.types import Density, Known, Quantizer, Relaxed

MAX_EXPONENT = 12.0  # an untrained network must not feed back infinities

Values = Float[Array, "*#shape"]
Parameter = float | Float[Array, "*#shape"] | Float[np.ndarray, "*#shape"]


class Companded(NamedTuple):
  """What both sides know of a latent that is companded."""

  inner: Known  # of companded values
  log_a: Float[Array, "b *positions 1"]
  log_reach: Float[Array, "b *positions 1"]  # of the dynamic range D


def compress(x: Values, a: Parameter) -> Float[Array, "*shape"]:
  """Returns F(x).

  Raises:
    JaxlicError: If `a` is known, and below 1.
  """
  _check(a)
  log_a = jnp.log(a)
  size = jnp.maximum(a * jnp.abs(x), 1.0)
  outer = jnp.sign(x) * (1 + jnp.log(size))
  return jnp.where(a * jnp.abs(x) < 1, a * x, outer) / (1 + log_a)


def expand(y: Values, a: Parameter) -> Float[Array, "*shape"]:
  """Inverse of `compress`, of values up to e^12 / a."""
  _check(a)
  y = y * (1 + jnp.log(a))
  exponent = jnp.clip(jnp.abs(y) - 1, 0.0, MAX_EXPONENT)
  return jnp.where(jnp.abs(y) < 1, y, jnp.sign(y) * jnp.exp(exponent)) / a


def make(inner: Quantizer) -> Quantizer:
  """Returns the quantizer `inner` of companded latents."""

  def surrogate(latent: Latent, known: Companded, keys, temperature) -> Relaxed:
    relaxed = inner.surrogate(
      _compressed(latent, known), known.inner, keys, temperature
    )
    return relaxed._replace(value=_expanded(relaxed.value, known))

  def to_symbols(latent: Latent, known: Companded) -> Array:
    return inner.to_symbols(_compressed(latent, known), known.inner)

  def from_symbols(symbols: Array, known: Companded) -> Relaxed:
    decoded = inner.from_symbols(symbols, known.inner)
    return decoded._replace(value=_expanded(decoded.value, known))

  return Quantizer(surrogate, to_symbols, from_symbols)


def rated(density: Density) -> Density:
  """Returns the density of companded values, which is theirs."""

  def of_inner(function: Callable | None) -> Callable | None:
    if function is None:
      return None
    return lambda *given: function(*given[:-1], given[-1].inner)

  return density._replace(
    bits=of_inner(density.bits),
    training_bits=of_inner(density.training_bits),
    rows=of_inner(density.rows),
    near_edge=of_inner(density.near_edge),
  )


def _compressed(latent: Latent, known: Companded) -> Latent:
  a, reach = jnp.exp(known.log_a), jnp.exp(known.log_reach)
  return reach * compress(latent / reach, a)


def _expanded(value: Latent, known: Companded) -> Latent:
  a, reach = jnp.exp(known.log_a), jnp.exp(known.log_reach)
  return reach * expand(value / reach, a)


def _check(a: Parameter) -> None:
  if isinstance(a, jax.core.Tracer):
    return
  if not np.min(a) >= 1:  # False for NaN, too
    raise JaxlicError(
      f"the A-law has a parameter A of 1 or more, got {np.min(a)}; 87.6 is "
      "usual"
    )
