"""Scalar quantization around a predicted mean, and its training surrogates.

Symbols are `round(y - mean)`, and `y_hat = symbols + mean`. Step size 1: gains
and companders scale the latent before. `plain` takes 0 for the mean, where the
density knows none, or several.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from jaxlic.types import Prediction, Quantizer, Relaxed

Latent = Float[Array, "b h w c"]
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
  latent: Latent, prediction: Prediction, keys: Keys, temperature: Temperature
) -> Relaxed:
  """Adds uniform noise on [-1/2, 1/2): what is rated is what is decoded.

  References:
    Balle, Laparra, Simoncelli, "End-to-end optimized image compression",
    2017, section 3.
  """
  noisy = latent + draw(keys, latent.shape[1:])
  return Relaxed(coded=noisy, value=noisy)


def to_symbols(latent: Latent, prediction: Prediction) -> Int[Array, "b h w c"]:
  """Returns the nearest integers to `latent - mean`, half to even."""
  return jnp.round(latent - prediction.mean).astype(jnp.int32)


def from_symbols(
  symbols: Int[Array, "b h w c"], prediction: Prediction
) -> Latent:
  """Returns `symbols + mean`."""
  return symbols.astype(jnp.float32) + prediction.mean


def mixed(to_symbols: Callable = to_symbols) -> Callable:
  """Returns the surrogate that rates noise and decodes symbols.

  The gradient passes the rounding straight through.

  Args:
    to_symbols: (latent, prediction) -> symbols, as the encoder has them.

  References:
    Minnen, Singh, "Channel-wise autoregressive entropy models for learned
    image compression", 2020, section 3.3.
  """

  def surrogate(
    latent: Latent, prediction: Prediction, keys: Keys, temperature: Temperature
  ) -> Relaxed:
    noisy = latent + draw(keys, latent.shape[1:])
    y_hat = from_symbols(to_symbols(latent, prediction), prediction)
    return Relaxed(coded=noisy, value=straight_through(y_hat, latent))

  return surrogate


def make(surrogate: Callable = noise) -> Quantizer:
  """Returns rounding with the given training surrogate."""
  return Quantizer(surrogate, to_symbols, from_symbols)


def plain(quantizer: Quantizer) -> Quantizer:
  """Returns the quantizer with mean 0, whatever the prediction."""
  zero = Prediction(mean=0.0, scale=0.0)

  def surrogate(
    latent: Latent, prediction: Prediction, keys: Keys, temperature: Temperature
  ) -> Relaxed:
    return quantizer.surrogate(latent, zero, keys, temperature)

  return Quantizer(
    surrogate,
    to_symbols=lambda latent, prediction: quantizer.to_symbols(latent, zero),
    from_symbols=lambda symbols, _: quantizer.from_symbols(symbols, zero),
  )
