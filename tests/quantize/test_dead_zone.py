import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic.quantize import dead_zone, rounding, straight_through
from jaxlic.types import Prediction

WEIGHT = 6 / math.log(2)
SCALES = [0.11, 0.15, 0.2, 0.25, 0.5, 1.0, 2.0, 4.0, 32.0]
QUANTIZER = dead_zone.make(lambda prediction: prediction.scale)


def symbol_bits(symbol, scale):
  """-log2 of the unit bin's mass, from the tail, in float64."""
  upper = math.erfc((abs(symbol) - 0.5) / scale / math.sqrt(2))
  lower = math.erfc((abs(symbol) + 0.5) / scale / math.sqrt(2))
  return -math.log2((upper - lower) / 2)


def cost(value, symbols, scale):
  """Bits, and the error's equivalent in bits."""
  table = {k: symbol_bits(k, scale) for k in set(symbols.tolist())}
  bits = np.array([table[k] for k in symbols.tolist()])
  return bits + WEIGHT * (value - symbols) ** 2


def quantize(value, scale, mean=0.0):
  latent = jnp.asarray(value, jnp.float32).reshape(1, 1, 1, -1) + mean
  prediction = Prediction(
    mean=jnp.full_like(latent, mean), scale=jnp.full_like(latent, scale)
  )
  return np.asarray(QUANTIZER.to_symbols(latent, prediction)).ravel()


def test_the_weight_is_that_of_high_rate():
  np.testing.assert_allclose(dead_zone.HIGH_RATE_WEIGHT, WEIGHT, rtol=1e-9)


@pytest.mark.parametrize(
  ("scale", "expected"),
  # 1/2 + (bits(1) - bits(0)) / (2 weight), in float64; the last exceeds 0.95.
  [(4.0, 0.502591), (1.0, 0.538335), (0.5, 0.622321), (0.25, 0.811385)]
  + [(0.11, 0.95)],
)
def test_thresholds_balance_bits_and_error(scale, expected):
  threshold = dead_zone.threshold(jnp.float32(scale))
  np.testing.assert_allclose(threshold, expected, atol=2e-6)
  if expected < 0.95:
    bits = symbol_bits(1, scale) - symbol_bits(0, scale)
    np.testing.assert_allclose(0.5 + bits / (2 * WEIGHT), expected, atol=1e-6)


def test_wide_gaussians_are_rounded_plainly():
  np.testing.assert_allclose(
    dead_zone.threshold(jnp.float32(200)), 0.5, atol=1e-5
  )


@pytest.mark.parametrize("scale", SCALES)
def test_it_never_costs_more_than_plain_rounding(scale):
  value = np.linspace(-1.4999, 1.4999, 2001)
  thrifty = cost(value, quantize(value, scale), scale)
  plain = cost(value, np.round(value), scale)
  # A value within float32 of the threshold may fall on either side.
  assert (thrifty <= plain + 1e-4).all()


@pytest.mark.parametrize("scale", [0.25, 0.5, 1.0, 2.0])
def test_it_picks_the_cheapest_symbol_within_one_step(scale):
  # Brute force over the symbols -2..2, where 0 and +-1 compete.
  value = np.linspace(-1.0, 1.0, 1001)
  costs = [cost(value, np.full(value.shape, k), scale) for k in range(-2, 3)]
  thrifty = cost(value, quantize(value, scale), scale)
  np.testing.assert_allclose(thrifty, np.min(costs, 0), atol=1e-4)


def test_it_saves_where_the_scale_is_small():
  value = np.random.default_rng(0).normal(0.0, 0.5, 4000)
  thrifty = cost(value, quantize(value, 0.5), 0.5).mean()
  plain = cost(value, np.round(value), 0.5).mean()
  assert thrifty < 0.99 * plain


def test_rounding_is_odd_around_the_mean():
  value = np.linspace(0.01, 5.0, 500)
  up, down = quantize(value, 0.4), quantize(-value, 0.4)
  np.testing.assert_array_equal(up, -down)
  np.testing.assert_array_equal(quantize(value, 0.4, mean=0.5), up)


def relax(quantizer):
  """Latents, what the surrogate's arguments are, and the latents decoded."""
  latent = 2 * jax.random.normal(jax.random.key(0), (1, 4, 4, 8))
  prediction = Prediction(
    mean=0.3 * jnp.ones_like(latent), scale=0.4 * jnp.ones_like(latent)
  )
  keys = jax.random.split(jax.random.key(1), 1)
  symbols = quantizer.to_symbols(latent, prediction)
  y_hat = quantizer.from_symbols(symbols, prediction).value
  return latent, (prediction, keys, 1.0), y_hat


def test_surrogate_rates_noise_and_decodes_symbols_straight_through():
  latent, rest, y_hat = relax(QUANTIZER)
  relaxed = QUANTIZER.surrogate(latent, *rest)
  np.testing.assert_array_equal(
    relaxed.coded, rounding.noise(latent, *rest).coded
  )
  # latent + (y_hat - latent) rounds twice in float32.
  np.testing.assert_allclose(relaxed.value, y_hat, atol=2e-6)
  grad = jax.grad(lambda x: QUANTIZER.surrogate(x, *rest).value.sum())(latent)
  np.testing.assert_array_equal(grad, jnp.ones_like(latent))


def test_straight_rates_what_it_decodes():
  quantizer = dead_zone.make(
    lambda prediction: prediction.scale, straight_through.rounded
  )
  latent, rest, y_hat = relax(quantizer)
  relaxed = quantizer.surrogate(latent, *rest)
  np.testing.assert_array_equal(relaxed.coded, y_hat)
  np.testing.assert_array_equal(relaxed.value, y_hat)
