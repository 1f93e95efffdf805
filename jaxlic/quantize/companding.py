"""A-law companding around another quantizer.

With a parameter A >= 1,

    F(x) = sgn(x) A |x| / (1 + ln A)             |x| < 1 / A
    F(x) = sgn(x) (1 + ln(A |x|)) / (1 + ln A)   elsewhere,

linear near 0, with the slope A / (1 + ln A), logarithmic beyond, with a
continuous derivative, and F(1) = 1. The latent y is quantized as `D F(y / D)`,
D its dynamic range, and what is decoded is expanded by the inverse: small
values in small steps, large ones in steps that grow with them. The density
rates companded values, whose means and scales the prediction holds.

A and D are those of a position, `Prediction.companding`; both sides know them.

References:
  ITU-T, Recommendation G.711, 1988 (the A-law).
  Zhang, Wu, "LVQAC: Lattice vector quantization coupled with spatially adaptive
  companding for efficient learned image compression", 2023, section 3.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxlic.errors import JaxlicError
from jaxlic.quantize.rounding import Latent
from jaxlic.types import Prediction, Quantizer

MAX_EXPONENT = 12.0  # an untrained network must not feed back infinities

Values = Float[Array, "*#shape"]
Parameter = float | Float[Array, "*#shape"] | Float[np.ndarray, "*#shape"]


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

  def surrogate(latent: Latent, prediction: Prediction, keys, temperature):
    relaxed = inner.surrogate(
      _compressed(latent, prediction), prediction, keys, temperature
    )
    return relaxed._replace(value=_expanded(relaxed.value, prediction))

  def to_symbols(latent: Latent, prediction: Prediction) -> Array:
    return inner.to_symbols(_compressed(latent, prediction), prediction)

  def from_symbols(symbols: Array, prediction: Prediction) -> Latent:
    return _expanded(inner.from_symbols(symbols, prediction), prediction)

  return Quantizer(
    surrogate, to_symbols, from_symbols, inner.coded or inner.from_symbols
  )


def _compressed(latent: Latent, prediction: Prediction) -> Latent:
  a, reach = _read(prediction)
  return reach * compress(latent / reach, a)


def _expanded(value: Latent, prediction: Prediction) -> Latent:
  a, reach = _read(prediction)
  return reach * expand(value / reach, a)


def _read(prediction: Prediction) -> tuple[Array, Array]:
  """A and the dynamic range of every position, [b h w 1]."""
  log_a, log_reach = jnp.split(prediction.companding, 2, -1)
  return jnp.exp(log_a), jnp.exp(log_reach)


def _check(a: Parameter) -> None:
  if isinstance(a, jax.core.Tracer):
    return
  if not np.min(a) >= 1:  # False for NaN, too
    raise JaxlicError(
      f"the A-law has a parameter A of 1 or more, got {np.min(a)}; 87.6 is "
      "usual"
    )
