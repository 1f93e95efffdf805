"""Scalar quantization around a predicted mean, and its training surrogates.

Symbols are `round(y - mean)`, and `y_hat = symbols + mean`. Step size 1: gains
and companders scale the latent before. Of what is known of a latent, those here
read the mean alone; `plain` takes 0, where there is none, or several.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from jaxlic.types import (
  Known,
  Prediction,
  Quantizer,
  Relaxed,
  Surrogate,
  ToSymbols,
)

Latent = Float[Array, "b *positions c"]
Keys = Key[Array, "b"]
Temperature = float | Float[Array, ""]


def draw(keys: Keys, shape: tuple[int, ...]) -> Float[Array, "b ..."]:
  """Returns uniform noise on [-1/2, 1/2), of one `shape` per key."""
  return jax.vmap(lambda key: jax.random.uniform(key, shape))(keys) - 0.5


def straight_through(
  value: Float[Array, "*shape"], x: Float[Array, "*shape"]
) -> Float[Array, "*shape"]:
  """Returns the value, but for rounding errors, with the gradient of x."""
  return x + jax.lax.stop_gradient(value - x)


def noise(
  latent: Latent, known: Known, keys: Keys, temperature: Temperature
) -> Relaxed:
  """Adds uniform noise on [-1/2, 1/2): what is rated is what is decoded.

  References:
    Balle, Laparra, Simoncelli, "End-to-end optimized image compression",
    2017, section 3.
  """
  noisy = latent + draw(keys, latent.shape[1:])
  return both(noisy)


def to_symbols(latent: Latent, known: Known) -> Int[Array, "b *positions c"]:
  """Returns the nearest integers to `latent - mean`, half to even."""
  return jnp.round(latent - known.mean).astype(jnp.int32)


def from_symbols(
  symbols: Int[Array, "b *positions c"], known: Known
) -> Relaxed:
  """Returns `symbols + mean`, which is rated, too."""
  return both(symbols.astype(jnp.float32) + known.mean)


def both(value: Latent) -> Relaxed:
  """Returns a latent that is rated as it is decoded."""
  return Relaxed(coded=value, value=value)


def mixed(to_symbols: ToSymbols = to_symbols) -> Surrogate:
  """Returns the surrogate that rates noise and decodes symbols.

  The gradient passes the rounding straight through.

  Args:
    to_symbols: (latent, known) -> symbols, as the encoder has them.

  References:
    Minnen, Singh, "Channel-wise autoregressive entropy models for learned
    image compression", 2020, section 3.3.
  """

  def surrogate(
    latent: Latent, known: Known, keys: Keys, temperature: Temperature
  ) -> Relaxed:
    noisy = latent + draw(keys, latent.shape[1:])
    decoded = from_symbols(to_symbols(latent, known), known)
    return Relaxed(noisy, straight_through(decoded.value, latent))

  return surrogate


def make(surrogate: Surrogate = noise) -> Quantizer:
  """Returns rounding with the given training surrogate."""
  return Quantizer(surrogate, to_symbols, from_symbols)


def plain(quantizer: Quantizer) -> Quantizer:
  """Returns the quantizer with mean 0, whatever is known."""
  zero = Prediction(mean=0.0, scale=0.0)

  def surrogate(
    latent: Latent, known: Known, keys: Keys, temperature: Temperature
  ) -> Relaxed:
    return quantizer.surrogate(latent, zero, keys, temperature)

  return Quantizer(
    surrogate,
    to_symbols=lambda latent, known: quantizer.to_symbols(latent, zero),
    from_symbols=lambda symbols, _: quantizer.from_symbols(symbols, zero),
  )
