"""Rounding in training as in files, with the derivative of the identity.

The decoder sees symbols from the first step. Where the rate is a bound that
needs noise, `noisy` adds it to what is rated.

References:
  Theis, Shi, Cunningham, Huszar, "Lossy image compression with compressive
  autoencoders", 2017, section 2.1 (eq. 3, 5) and 2.2 (eq. 8).
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlic.quantize import rounding
from jaxlic.quantize.rounding import Keys, Latent, Temperature, both, draw
from jaxlic.types import Known, Relaxed, Surrogate, ToSymbols


def rounded(to_symbols: ToSymbols = rounding.to_symbols) -> Surrogate:
  """Returns the surrogate that rates and decodes symbols.

  The gradient passes the rounding straight through.

  Args:
    to_symbols: (latent, known) -> symbols, as the encoder has them.
  """

  def surrogate(
    latent: Latent, known: Known, keys: Keys, temperature: Temperature
  ) -> Relaxed:
    symbols = to_symbols(latent, known)
    decoded = rounding.from_symbols(symbols, known)
    return both(straight(latent, decoded.value))

  return surrogate


def stochastic(
  latent: Latent, known: Known, keys: Keys, temperature: Temperature
) -> Relaxed:
  """Rates and decodes an integer next to the latent, which is its mean.

  With y relative to its mean, `floor(y) + 1` has probability `y - floor(y)`.
  """
  residual = latent - known.mean
  symbols = jnp.floor(residual + 0.5 + draw(keys, latent.shape[1:]))
  return both(straight(latent, symbols + known.mean))


def noisy(surrogate: Surrogate) -> Surrogate:
  """Returns the surrogate that rates what another does, with uniform noise."""

  def with_noise(
    latent: Latent, known: Known, keys: Keys, temperature: Temperature
  ) -> Relaxed:
    split = jax.vmap(jax.random.split, out_axes=1)
    inner_keys, noise_keys = split(keys)
    relaxed = surrogate(latent, known, inner_keys, temperature)
    noise = draw(noise_keys, latent.shape[1:])
    return relaxed._replace(coded=relaxed.coded + noise)

  return with_noise


@jax.custom_jvp
def straight(
  latent: Float[Array, "*shape"], y_hat: Float[Array, "*shape"]
) -> Float[Array, "*shape"]:
  """Returns y_hat, to the last bit, with the gradient of the latent."""
  return y_hat


@straight.defjvp
def _straight_jvp(primals, tangents):
  return straight(*primals), tangents[0]
