import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic.quantize import rounding, soft_rounding
from jaxlic.types import Prediction

ALPHAS = [soft_rounding.ALPHA_MIN, 0.1, 1.0, 5.0, 10.0, soft_rounding.ALPHA_MAX]
SHAPE = (2, 4, 4, 16)
LATENT = 3 * jax.random.normal(jax.random.key(0), SHAPE)
MEAN = jax.random.normal(jax.random.key(1), SHAPE)
PREDICTION = Prediction(mean=MEAN, scale=jnp.ones(SHAPE))
KEYS = jax.random.split(jax.random.key(2), SHAPE[0])


def surrogate(temperature):
  return soft_rounding.surrogate(LATENT, PREDICTION, KEYS, temperature)


@pytest.mark.parametrize(
  ("alpha", "expected"),
  # 1/2 - tanh(alpha / 4) / (2 tanh(alpha / 2)) in float64.
  [(1.0, 0.2350037), (5.0, 0.0701037), (10.0, 0.0066481)],
)
def test_a_quarter_gives_the_known_answers(alpha, expected):
  softened = soft_rounding.soft_round(jnp.array([0.25, -1.75, 3.75]), alpha)
  # Half a unit in the seventh digit, and float32 roundings of values below 4.
  np.testing.assert_allclose(
    softened, [expected, expected - 2, 4 - expected], atol=4e-7
  )


@pytest.mark.parametrize("alpha", ALPHAS)
def test_integers_and_halves_stay(alpha):
  y = jnp.arange(-6, 7) / 2
  # Roundings of values of at most 3.
  np.testing.assert_allclose(soft_rounding.soft_round(y, alpha), y, atol=3e-7)
  np.testing.assert_allclose(soft_rounding.inverse(y, alpha), y, atol=3e-7)


def test_the_smallest_alpha_is_the_identity_and_the_largest_rounds():
  y = jnp.linspace(-3.0, 3.0, 1201)
  gentle = soft_rounding.soft_round(y, soft_rounding.ALPHA_MIN)
  np.testing.assert_allclose(gentle, y, atol=3e-7)  # float32 roundings
  steep = soft_rounding.soft_round(y, soft_rounding.ALPHA_MAX)
  far = jnp.abs(y - jnp.floor(y) - 0.5) > 0.1
  # 1/2 - tanh(3.2) / 2 = 0.00166 at the nearest.
  np.testing.assert_allclose(steep[far], jnp.round(y)[far], atol=1.7e-3)


@pytest.mark.parametrize(
  ("alpha", "atol"),
  # Roundings of s, below 1.2e-7 for values below 2, times the slope of the
  # inverse: up to e^alpha / 2 alpha, that is 1, 1.4, 15 and 1100.
  [(1e-3, 3e-7), (1.0, 3e-7), (5.0, 4e-6), (10.0, 3e-4)],
)
def test_inverse_inverts(alpha, atol):
  y = jnp.linspace(-2.0, 2.0, 1601)
  again = soft_rounding.inverse(soft_rounding.soft_round(y, alpha), alpha)
  np.testing.assert_allclose(again, y, atol=atol)


@pytest.mark.parametrize("alpha", [0.1, 3.0, 10.0])
@pytest.mark.parametrize("z", [-0.8, 0.0, 0.3, 0.5, 1.25])
def test_the_decoder_takes_the_mean_of_all_that_gives_its_value(z, alpha):
  # Brute force: z = s(y) + u holds for the y with s(y) within half a step.
  y = jnp.linspace(-3.0, 4.0, 70001)
  possible = jnp.abs(soft_rounding.soft_round(y, alpha) - z) < 0.5
  expected = y[possible].mean()
  # Half a step of the grid at either end, and the mean's roundings.
  mean = soft_rounding.conditional_mean(jnp.array([z]), alpha)[0]
  np.testing.assert_allclose(mean, expected, atol=2e-4)


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize(
  "function",
  [
    soft_rounding.soft_round,
    soft_rounding.inverse,
    soft_rounding.conditional_mean,
  ],
)
def test_gradients_are_finite_at_the_edges_and_centres_of_cells(
  function, alpha
):
  y = jnp.concatenate([jnp.arange(-6, 7) / 2, jnp.nextafter(jnp.ones(1), 0.0)])
  slope = jax.grad(lambda y: function(y, alpha).sum())(y)
  assert jnp.isfinite(slope).all() and (slope >= 0).all()


@pytest.mark.parametrize("alpha", [soft_rounding.ALPHA_MIN, 1.0, 5.0])
def test_slopes_of_the_inverse_are_the_reciprocals(alpha):
  # A cell's edge and centre among them, where the inverse changes its branch.
  y = jnp.linspace(0.0, 1.0, 9)[:-1]
  forward = jax.grad(lambda y: soft_rounding.soft_round(y, alpha).sum())(y)
  z = soft_rounding.soft_round(y, alpha)
  backward = jax.grad(lambda z: soft_rounding.inverse(z, alpha).sum())(z)
  # Roundings of z times the slope's own slope, at most 30 / 2 per unit of it;
  # 1.4e-5 were seen at the edge.
  np.testing.assert_allclose(forward * backward, 1.0, rtol=3e-5)


def test_a_high_temperature_adds_noise():
  relaxed = surrogate(1e6)
  noisy = rounding.noise(LATENT, PREDICTION, KEYS, 1.0)
  # Half a dozen float32 roundings of values below 16.
  np.testing.assert_allclose(relaxed.coded, noisy.coded, atol=4e-6)
  np.testing.assert_allclose(relaxed.value, noisy.value, atol=4e-6)


def test_a_temperature_of_zero_decodes_rounded_values():
  relaxed = surrogate(jnp.zeros(()))
  symbols = rounding.to_symbols(LATENT, PREDICTION)
  y_hat = rounding.from_symbols(symbols, PREDICTION).value
  # Away from the halves, where s_32 is steep, r_32 errs by log(1 / d) / 64 at
  # a distance d of u from its ends: by more than 0.06 in 4 % of the draws.
  clear = jnp.abs(jnp.abs(LATENT - y_hat) - 0.5) > 0.1
  near = jnp.abs(relaxed.value - y_hat) < 0.06
  assert near[clear].mean() > 0.9


def test_it_rates_softened_residuals_and_noise_around_the_mean():
  residual = surrogate(0.2).coded - MEAN
  expected = soft_rounding.soft_round(LATENT - MEAN, 5.0) + rounding.draw(
    KEYS, SHAPE[1:]
  )
  # Roundings of values below 16.
  np.testing.assert_allclose(residual, expected, atol=4e-6)


@pytest.mark.parametrize("temperature", [0.0, 0.1, 1.0, 1e9])
@pytest.mark.parametrize("part", ["coded", "value"])
def test_gradients_of_the_surrogate_are_finite(temperature, part):
  def total(latent):
    relaxed = soft_rounding.surrogate(latent, PREDICTION, KEYS, temperature)
    return getattr(relaxed, part).sum()

  # Residuals at integers and halves, too.
  for latent in (LATENT, MEAN, MEAN + 0.5):
    gradient = jax.grad(total)(latent)
    assert jnp.isfinite(gradient).all() and (gradient >= 0).all()
