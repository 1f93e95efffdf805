"""Rounding in training as in files, with the derivative of the identity.

The decoder sees symbols from the first step. Where the rate is a bound that
needs noise, `noisy` adds it to what is rated.

References:
  Theis, Shi, Cunningham, Huszar, "Lossy image compression with compressive
  autoencoders", 2017, section 2.1 (eq. 3, 5) and 2.2 (eq. 8).
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlic.quantize import rounding
from jaxlic.quantize.rounding import Keys, Latent, Temperature, draw
from jaxlic.types import Prediction, Relaxed


def rounded(to_symbols: Callable = rounding.to_symbols) -> Callable:
  """Returns the surrogate that rates and decodes symbols.

  The gradient passes the rounding straight through.

  Args:
    to_symbols: (latent, prediction) -> symbols, as the encoder has them.
  """

  def surrogate(
    latent: Latent, prediction: Prediction, keys: Keys, temperature: Temperature
  ) -> Relaxed:
    symbols = to_symbols(latent, prediction)
    y_hat = rounding.from_symbols(symbols, prediction)
    return _both(_straight(latent, y_hat))

  return surrogate


def stochastic(
  latent: Latent, prediction: Prediction, keys: Keys, temperature: Temperature
) -> Relaxed:
  """Rates and decodes an integer next to the latent, which is its mean.

  With y relative to its mean, `floor(y) + 1` has probability `y - floor(y)`.
  """
  residual = latent - prediction.mean
  symbols = jnp.floor(residual + 0.5 + draw(keys, latent.shape[1:]))
  return _both(_straight(latent, symbols + prediction.mean))


def noisy(surrogate: Callable) -> Callable:
  """Returns the surrogate that rates what another does, with uniform noise."""

  def with_noise(
    latent: Latent, prediction: Prediction, keys: Keys, temperature: Temperature
  ) -> Relaxed:
    split = jax.vmap(jax.random.split, out_axes=1)
    own_keys, noise_keys = split(keys)
    relaxed = surrogate(latent, prediction, own_keys, temperature)
    noise = draw(noise_keys, latent.shape[1:])
    return relaxed._replace(coded=relaxed.coded + noise)

  return with_noise


@jax.custom_jvp
def _straight(
  latent: Float[Array, "*shape"], y_hat: Float[Array, "*shape"]
) -> Float[Array, "*shape"]:
  """y_hat, to the last bit, with the gradient of the latent."""
  return y_hat


@_straight.defjvp
def _straight_jvp(primals, tangents):
  return _straight(*primals), tangents[0]


def _both(y_hat: Latent) -> Relaxed:
  return Relaxed(coded=y_hat, value=y_hat)
