import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic.nn import convolutions, stride2_gradients
from tests.conftest import slow

SIZES = [slow(1, 1), slow(4, 6), (5, 3)]
CONVOLUTIONS = {
  "down": (stride2_gradients.down_convolve, 2, ((2, 2), (2, 2)), 1),
  # Zeros between the pixels, then 5x5: see tests of UpConv.
  "up": (stride2_gradients.up_convolve, 1, ((2, 3), (2, 3)), 2),
}


def draw(height, width):
  x_key, kernel_key = jax.random.split(jax.random.key(0))
  x = jax.random.normal(x_key, (2, height, width, 3))
  return x, jax.random.normal(kernel_key, (5, 5, 3, 4))


def by_definition(name, x, kernel):
  _, stride, padding, dilation = CONVOLUTIONS[name]
  return jax.lax.conv_general_dilated(
    x,
    kernel,
    (stride, stride),
    padding,
    lhs_dilation=(dilation, dilation),
    dimension_numbers=stride2_gradients.LAYOUT,
  )


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_gradients_are_those_of_the_definition(name, height, width):
  x, kernel = draw(height, width)
  convolve = CONVOLUTIONS[name][0]
  expected, pull_back = jax.vjp(
    lambda x, k: by_definition(name, x, k), x, kernel
  )
  value, pull_back_ours = jax.vjp(convolve, x, kernel)
  g = jax.random.normal(jax.random.key(2), expected.shape)
  pairs = zip(
    (value, *pull_back_ours(g)), (expected, *pull_back(g)), strict=True
  )
  for array, wanted in pairs:
    # Sums of at most 200 products of order 1, in another order, in float32.
    np.testing.assert_allclose(array, wanted, atol=5e-5)


@pytest.mark.parametrize("name", CONVOLUTIONS)
@pytest.mark.parametrize("which", [(0,), (1,), (0, 1)])
def test_forward_mode_is_that_of_the_definition(name, which):
  given, convolve = draw(5, 3), CONVOLUTIONS[name][0]
  tangents = [a[::-1] for a in given]

  def slope(function):
    def of_some(*some):
      held = dict(zip(which, some, strict=True))
      return function(*(held.get(k, a) for k, a in enumerate(given)))

    primals = [given[k] for k in which]
    return jax.jvp(of_some, primals, [tangents[k] for k in which])[1]

  wanted = slope(lambda x, k: by_definition(name, x, k))
  np.testing.assert_allclose(slope(convolve), wanted, atol=5e-5)


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_bfloat16_gradients_stay_bfloat16_and_close(name):
  x, kernel = draw(8, 8)
  convolve = CONVOLUTIONS[name][0]
  half = [v.astype(jnp.bfloat16) for v in (x, kernel)]

  def total(x, kernel):
    return (convolve(x, kernel) ** 2).sum()

  slopes = jax.jit(jax.grad(total, (0, 1)))
  gradients = slopes(*half)
  expected = slopes(*(v.astype(jnp.float32) for v in half))
  for gradient, wanted in zip(gradients, expected, strict=True):
    assert gradient.dtype == jnp.bfloat16
    # bfloat16 rounds to 2^-9; a few roundings, against the largest value.
    error = jnp.abs(gradient.astype(jnp.float32) - wanted).max()
    assert error < 2**-6 * jnp.abs(wanted).max()


def test_the_convolution_of_a_layer_has_the_bits_of_flax_s():
  x, _ = draw(9, 16)
  module = convolutions.conv(4, 5, 2)
  params = module.init(jax.random.key(1), x)
  plain = module.clone(conv_general_dilated=None)
  np.testing.assert_array_equal(
    jax.jit(module.apply)(params, x), jax.jit(plain.apply)(params, x)
  )


@pytest.mark.parametrize("name", ["down", slow("up")])
def test_gradients_pass_through_scan_and_vmap(name):
  x, kernel = draw(4, 4)
  convolve = CONVOLUTIONS[name][0]

  def gradient(x):
    return jax.grad(lambda x: (convolve(x[None], kernel) ** 2).sum())(x)

  looped = jax.lax.scan(lambda carry, x: (carry, gradient(x)), 0, x)[1]
  np.testing.assert_allclose(looped, jax.vmap(gradient)(x), rtol=1e-5)
