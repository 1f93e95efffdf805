import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic.quantize import straight_through
from jaxlic.types import Prediction

SHAPE = (2, 16, 16, 8)
LATENT = 3 * jax.random.normal(jax.random.key(0), SHAPE)
PREDICTION = Prediction(mean=jnp.full(SHAPE, 0.25), scale=jnp.ones(SHAPE))
KEYS = jax.random.split(jax.random.key(1), SHAPE[0])


def test_forward_is_rounding_to_the_last_bit():
  relaxed = straight_through.rounded()(LATENT, PREDICTION, KEYS, 1.0)
  expected = np.round(LATENT - 0.25) + 0.25
  np.testing.assert_array_equal(relaxed.coded, expected)
  np.testing.assert_array_equal(relaxed.value, expected)


@pytest.mark.parametrize(
  "surrogate",
  [
    straight_through.rounded(),
    straight_through.stochastic,
    straight_through.noisy(straight_through.rounded()),
    straight_through.noisy(straight_through.stochastic),
  ],
)
def test_the_derivative_is_one_everywhere(surrogate):
  def both(latent):
    return surrogate(latent, PREDICTION, KEYS, 1.0)

  primal, pull = jax.vjp(both, LATENT)
  jax.tree.map(np.testing.assert_array_equal, primal, both(LATENT))
  for field in ("coded", "value"):
    zero = jax.tree.map(jnp.zeros_like, primal)
    one = zero._replace(**{field: jnp.ones(SHAPE)})
    np.testing.assert_array_equal(pull(one)[0], 1.0)


def test_stochastic_rounding_gives_neighbours_whose_mean_is_the_latent():
  latent = jnp.full((64, 16, 16, 4), 1.3)
  prediction = Prediction(jnp.zeros(()), jnp.zeros(()))
  keys = jax.random.split(jax.random.key(2), 64)
  value = straight_through.stochastic(latent, prediction, keys, 1.0).value
  assert set(np.unique(value)) == {1.0, 2.0}
  # One standard error is sqrt(0.3 * 0.7 / 65536) = 0.0018.
  np.testing.assert_allclose(value.mean(), 1.3, atol=0.007)


def test_noise_is_added_to_what_is_rated_alone():
  plain = straight_through.rounded()(LATENT, PREDICTION, KEYS, 1.0)
  noisy = straight_through.noisy(straight_through.rounded())(
    LATENT, PREDICTION, KEYS, 1.0
  )
  np.testing.assert_array_equal(noisy.value, plain.value)
  noise = np.asarray(noisy.coded - plain.coded)
  # Of 4,096: one standard error of the mean is 0.0045, of the variance 0.0012.
  assert -0.5 <= noise.min() < -0.49 and 0.49 < noise.max() <= 0.5
  np.testing.assert_allclose(noise.mean(), 0, atol=0.02)
  np.testing.assert_allclose(noise.var(), 1 / 12, atol=0.005)


def test_the_noise_is_independent_of_the_stochastic_rounding():
  # The same draw for both would make coded = value + u with u known from it.
  latent = jnp.full(SHAPE, 0.5)
  zero = Prediction(jnp.zeros(()), jnp.zeros(()))
  relaxed = straight_through.noisy(straight_through.stochastic)(
    latent, zero, KEYS, 1.0
  )
  noise = np.asarray(relaxed.coded - relaxed.value).ravel()
  up = np.asarray(relaxed.value).ravel()
  # One standard error of the correlation of 4,096 pairs is 0.016.
  assert abs(np.corrcoef(noise, up)[0, 1]) < 0.06
