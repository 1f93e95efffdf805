import jax
import jax.numpy as jnp
import numpy as np

from jaxlic import entropy

MODEL = entropy.gaussian()
Y = np.array([[-1.5, -0.5, 0.5], [1.5, 2.4, 1e6]], np.float32)
MEANS = np.array([[0.25, 0.0, 0.125], [0.0, -0.3, 0.5]], np.float32)


def test_symbols_are_the_nearest_integers_to_the_residual_halves_to_even():
  symbols = MODEL.quantize(Y, "symbols")
  assert symbols.dtype == jnp.int32
  assert symbols.tolist() == [[-2, 0, 0], [2, 2, 1_000_000]]
  symbols = MODEL.quantize(Y, "symbols", means=MEANS)
  # -1.75, -0.5, 0.375, 1.5, 2.7, 999999.5
  assert symbols.tolist() == [[-2, 0, 0], [2, 3, 1_000_000]]


def test_dequantized_values_are_symbols_plus_means():
  value = MODEL.quantize(Y, "dequantize", means=MEANS)
  assert value.dtype == jnp.float32
  np.testing.assert_array_equal(value, np.rint(Y - MEANS) + MEANS)


def test_dequantized_values_have_a_gradient_of_1():
  def total(y, weights):
    value = MODEL.quantize(y, "dequantize", means=MEANS)
    return (weights * value).sum()

  weights = jnp.arange(6.0).reshape(2, 3)
  slope = jax.grad(total)(jnp.asarray(Y), weights)
  np.testing.assert_array_equal(slope, weights)


def test_noise_is_uniform_on_a_unit_around_y():
  y = np.full((100, 1000), 3.0, np.float32)
  noise = MODEL.quantize(y, "noise", key=jax.random.key(0)) - y
  assert noise.min() >= -0.5 and noise.max() < 0.5
  # 100,000 draws: standard errors 9e-4 of the mean and 2.4e-4 of the variance.
  np.testing.assert_allclose(noise.mean(), 0, atol=4e-3)
  np.testing.assert_allclose(noise.var(), 1 / 12, atol=1e-3)


def test_noise_is_its_key_s():
  first, again, other = (
    MODEL.quantize(Y, "noise", key=jax.random.key(seed)) for seed in (0, 0, 1)
  )
  np.testing.assert_array_equal(first, again)
  assert (first != other).all(where=np.abs(Y) < 100)


def test_modes_can_be_traced():
  key = jax.random.key(0)

  @jax.jit
  def all_modes(y, means):
    return (
      MODEL.quantize(y, "noise", key=key),
      MODEL.quantize(y, "dequantize", means=means),
      jax.vmap(lambda y, m: MODEL.quantize(y, "symbols", means=m))(y, means),
    )

  noisy, value, symbols = all_modes(Y, MEANS)
  np.testing.assert_array_equal(noisy, MODEL.quantize(Y, "noise", key=key))
  np.testing.assert_array_equal(value, np.rint(Y - MEANS) + MEANS)
  np.testing.assert_array_equal(symbols, np.rint(Y - MEANS))


def test_a_mixture_rounds_to_plain_integers():
  model = entropy.mixture()
  np.testing.assert_array_equal(model.quantize(Y, "dequantize"), np.rint(Y))
  np.testing.assert_array_equal(model.quantize(Y, "symbols"), np.rint(Y))
