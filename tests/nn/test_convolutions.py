import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic.nn import convolutions


def transposed(x, kernel):
  """The transposed convolution as defined: zeros between pixels, then 5x5.

  Stride 2, padding 2 and output padding 1 of the transposed form pad the
  dilated input by 5 - 1 - 2 = 2 before and one more after.
  """
  return jax.lax.conv_general_dilated(
    x,
    kernel,
    (1, 1),
    ((2, 3), (2, 3)),
    lhs_dilation=(2, 2),
    dimension_numbers=("NHWC", "HWIO", "NHWC"),
  )


def test_blocks_become_channels_in_row_column_colour_order():
  x = jnp.arange(4 * 4 * 3).reshape(1, 4, 4, 3).astype(jnp.float32)
  blocks = convolutions.space_to_depth(x, 2)
  np.testing.assert_array_equal(blocks[0, 1, 0], x[0, 2:4, 0:2].ravel())


@pytest.mark.parametrize(("height", "width", "factor"), [(4, 8, 2), (9, 3, 3)])
def test_depth_to_space_inverts_space_to_depth(height, width, factor):
  x = jax.random.normal(jax.random.key(0), (2, height, width, 3))
  blocks = convolutions.space_to_depth(x, factor)
  assert blocks.shape == (2, height // factor, width // factor, 3 * factor**2)
  np.testing.assert_array_equal(convolutions.depth_to_space(blocks, factor), x)


def test_a_ragged_image_is_refused():
  with pytest.raises(ValueError, match="multiples of 2, got .*3, 4, 1.*; pad"):
    convolutions.space_to_depth(jnp.zeros((1, 3, 4, 1)), 2)


def constant(module, x, value):
  """The module's parameters, all of one value."""
  shapes = jax.eval_shape(module.init, jax.random.key(0), x)
  return jax.tree.map(lambda leaf: jnp.full(leaf.shape, value), shapes)


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("size", range(1, 8))
def test_stride_two_halves_a_size_and_rounds_up(size, kernel):
  module = convolutions.conv(1, kernel, 2)
  y, _ = jax.eval_shape(
    lambda: module.init_with_output(
      jax.random.key(0), jnp.zeros((1, size, 1, 1))
    )
  )
  assert y.shape == (1, -(-size // 2), 1, 1)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 4)])
def test_up_convolution_is_the_transposed_convolution(height, width):
  x = jax.random.normal(jax.random.key(0), (2, height, width, 3))
  module = convolutions.UpConv(4)
  params = module.init(jax.random.key(1), x)
  params["params"]["bias"] = jnp.arange(4.0)
  expected = transposed(x, params["params"]["kernel"])
  expected += jnp.arange(4.0)[None, None, None]
  y = module.apply(params, x)
  assert y.shape == (2, 2 * height, 2 * width, 4)
  # Sums of at most 27 products of order 1, in another order, in float32.
  np.testing.assert_allclose(y, expected, atol=1e-5)


def test_up_convolution_computes_in_its_type():
  x = jax.random.normal(jax.random.key(0), (1, 3, 4, 3))
  params = convolutions.UpConv(4).init(jax.random.key(1), x)
  half = convolutions.UpConv(4, dtype=jnp.bfloat16)
  y = half.apply(params, x)
  assert y.dtype == jnp.bfloat16
  expected = convolutions.UpConv(4).apply(params, x)
  # Inputs, kernel and result are each rounded by at most 2^-9 of values of
  # about 3; the sum of 27 products of order 0.1.
  np.testing.assert_allclose(y.astype(jnp.float32), expected, atol=0.03)
  again = half.init(jax.random.key(1), x)
  jax.tree.map(np.testing.assert_array_equal, again, params)


def test_up_convolution_has_the_transposed_convolution_s_gradient():
  x = jax.random.normal(jax.random.key(0), (1, 3, 2, 2))
  kernel = jax.random.normal(jax.random.key(1), (5, 5, 2, 3))
  weight = jax.random.normal(jax.random.key(2), (1, 6, 4, 3))
  module = convolutions.UpConv(3)

  def phases(kernel):
    params = {"params": {"kernel": kernel, "bias": jnp.zeros(3)}}
    return (module.apply(params, x) * weight).sum()

  expected = jax.grad(lambda k: (transposed(x, k) * weight).sum())(kernel)
  # As above.
  np.testing.assert_allclose(jax.grad(phases)(kernel), expected, atol=1e-5)


def test_sub_pixel_channels_are_rows_columns_features():
  x = jnp.zeros((1, 2, 3, 1))
  module = convolutions.SubpixelConv(2, 2)
  params = constant(module, x, 0.0)
  params["params"]["conv"]["bias"] = jnp.arange(8.0)
  y = module.apply(params, x)
  np.testing.assert_array_equal(y[0, 2:4, 4:6, 0], [[0, 2], [4, 6]])
  np.testing.assert_array_equal(y[0, 2:4, 4:6, 1], [[1, 3], [5, 7]])


def test_a_sub_pixel_convolution_is_padded_by_one():
  x = jnp.ones((1, 2, 2, 1))
  module = convolutions.SubpixelConv(1, 3)
  params = constant(module, x, 1.0)
  # Four taps meet ones at each position, and the bias is one.
  np.testing.assert_array_equal(
    module.apply(params, x), np.full((1, 6, 6, 1), 5)
  )
