import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic.quantize import rounding
from jaxlic.types import Prediction

SHAPE = (2, 8, 8, 16)
LATENT = 3 * jax.random.normal(jax.random.key(0), SHAPE)
MEAN = jax.random.normal(jax.random.key(1), SHAPE)
PREDICTION = Prediction(mean=MEAN, scale=jnp.ones(SHAPE))
KEYS = jax.random.split(jax.random.key(2), SHAPE[0])


def test_symbols_are_integers_within_half_a_step():
  symbols = rounding.to_symbols(LATENT, PREDICTION)
  y_hat = rounding.from_symbols(symbols, PREDICTION).value
  assert symbols.dtype == jnp.int32
  # A float32 rounding of values below 16.
  assert jnp.abs(y_hat - LATENT).max() <= 0.5 + 1e-6


def test_halves_go_to_even():
  zero = jnp.zeros((1, 1, 1, 5))
  latent = jnp.array([-1.5, -0.5, 0.5, 1.5, 2.5]).reshape(1, 1, 1, 5)
  symbols = rounding.to_symbols(latent, Prediction(zero, zero))
  np.testing.assert_array_equal(symbols.ravel(), [-2, 0, 0, 2, 2])


@pytest.mark.parametrize("n", [-300, 0, 7])
def test_symbols_survive_the_way_back(n):
  symbols = jnp.full(SHAPE, n, jnp.int32)
  y_hat = rounding.from_symbols(symbols, PREDICTION).value
  again = rounding.to_symbols(y_hat, PREDICTION)
  np.testing.assert_array_equal(again, symbols)


def test_noise_is_uniform_over_one_step_and_shared():
  relaxed = rounding.noise(LATENT, PREDICTION, KEYS, 1.0)
  error = relaxed.coded - LATENT
  # A float32 rounding of values below 16.
  assert jnp.abs(error).max() <= 0.5 + 1e-6
  # 2048 draws: a standard error of 1 / sqrt(12 * 2048) = 0.0064, and of 0.0016
  # for the variance 1/12; 4 of them.
  assert abs(error.mean()) < 0.026
  assert abs(error.var() - 1 / 12) < 0.0066
  np.testing.assert_array_equal(relaxed.value, relaxed.coded)


def test_mixed_rates_noise_and_decodes_rounded_values():
  relaxed = rounding.mixed()(LATENT, PREDICTION, KEYS, 1.0)
  noisy = rounding.noise(LATENT, PREDICTION, KEYS, 1.0)
  symbols = rounding.to_symbols(LATENT, PREDICTION)
  np.testing.assert_array_equal(relaxed.coded, noisy.coded)
  # latent + (rounded - latent) rounds twice in float32.
  np.testing.assert_allclose(
    relaxed.value, rounding.from_symbols(symbols, PREDICTION).value, atol=2e-6
  )


@pytest.mark.parametrize("surrogate", [rounding.noise, rounding.mixed()])
@pytest.mark.parametrize("part", ["coded", "value"])
def test_surrogates_pass_the_gradient_to_the_latent(surrogate, part):
  def total(latent):
    relaxed = surrogate(latent, PREDICTION, KEYS, 1.0)
    return getattr(relaxed, part).sum()

  np.testing.assert_array_equal(jax.grad(total)(LATENT), jnp.ones(SHAPE))


def test_noise_of_an_image_is_that_of_its_key():
  both = rounding.draw(KEYS, SHAPE[1:])
  np.testing.assert_array_equal(rounding.draw(KEYS[1:], SHAPE[1:])[0], both[1])
  assert jnp.abs(both[0] - both[1]).max() > 0.1


def test_plain_rounding_takes_no_mean_from_the_prediction():
  # Nor does it ask for its shape.
  quantizer = rounding.plain(rounding.make())
  several = Prediction(mean=jnp.ones((*SHAPE, 3)), scale=jnp.ones((*SHAPE, 3)))
  symbols = quantizer.to_symbols(LATENT, several)
  np.testing.assert_array_equal(symbols, jnp.round(LATENT))
  np.testing.assert_array_equal(
    quantizer.from_symbols(symbols, several).value, jnp.round(LATENT)
  )
