import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic.nn.cheng_blocks import DownBlock, ResidualBlock, UpBlock


def zeros(module, x):
  """The module's parameters, all 0 but for those of GDN."""
  params = jax.eval_shape(module.init, jax.random.key(0), x)["params"]
  params = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), params)
  if "gdn" in params:
    # beta is 1 and gamma 0: the identity. Stored as the root of both.
    params["gdn"]["beta"] = jnp.ones_like(params["gdn"]["beta"])
  return params


def at_centre(params, value):
  """One-channel convolutions that multiply by `value`."""
  middle = params["kernel"].shape[0] // 2
  params["kernel"] = params["kernel"].at[middle, middle].set(value)


def apply(module, params, x):
  function = jax.jit(module.apply)
  return function({"params": params}, x)


@pytest.mark.parametrize(
  ("x", "expected"),
  # 3 - leaky(2 leaky(3)), and -3 - leaky(2 leaky(-3)), of slope 0.01.
  [(3.0, 3 - 2 * 3 * 0.01), (-3.0, -3 + 2 * 3 * 0.01)],
)
def test_a_residual_block_adds_two_rectified_convolutions(x, expected):
  x = jnp.full((1, 1, 1, 1), x)
  params = zeros(ResidualBlock(1), x)
  at_centre(params["conv0"], 1.0)
  at_centre(params["conv1"], -2.0)
  y = apply(ResidualBlock(1), params, x)
  # 3 -> 3 -> -6 -> -0.06; -3 -> -0.03 -> 0.06 -> 0.06.
  np.testing.assert_allclose(y, np.full_like(x, expected), rtol=1e-6)


def test_a_residual_block_skips_by_a_1x1_convolution_if_widths_differ():
  x = jax.random.normal(jax.random.key(0), (2, 3, 5, 2))
  params = zeros(ResidualBlock(4), x)
  kernel = jax.random.normal(jax.random.key(1), (1, 1, 2, 4))
  params["skip"]["kernel"] = kernel
  # Sums of two products of order 1.
  y = apply(ResidualBlock(4), params, x)
  np.testing.assert_allclose(y, x @ kernel[0, 0], atol=1e-6)
  assert "skip" not in zeros(ResidualBlock(2), x)


def test_a_down_block_skips_by_every_second_pixel():
  x = jax.random.normal(jax.random.key(0), (2, 5, 4, 2))
  params = zeros(DownBlock(3), x)
  kernel = jax.random.normal(jax.random.key(1), (1, 1, 2, 3))
  params["skip"]["kernel"] = kernel
  y = apply(DownBlock(3), params, x)
  np.testing.assert_allclose(y, x[:, ::2, ::2] @ kernel[0, 0], atol=1e-6)


def test_a_down_block_normalizes_what_it_adds():
  x = jnp.full((1, 1, 1, 1), -2.0)
  params = zeros(DownBlock(1), x)
  at_centre(params["conv0"], 1.0)
  at_centre(params["conv1"], 50.0)
  params["gdn"]["gamma"] = jnp.full((1, 1), 2.0)
  # -2 -> leaky -0.02 -> -1 -> -1 / sqrt(1 + 4), gamma being stored as its root.
  y = apply(DownBlock(1), params, x).item()
  assert y == pytest.approx(-(5**-0.5), rel=1e-6)


def test_an_up_block_skips_by_a_sub_pixel_convolution():
  x = jnp.array([1.0, 10.0]).reshape(1, 1, 2, 1)
  params = zeros(UpBlock(1), x)
  kernel = jnp.zeros((3, 3, 1, 4)).at[1, 1, 0].set(jnp.arange(1.0, 5.0))
  params["skip"]["conv"]["kernel"] = kernel
  y = apply(UpBlock(1), params, x)[0, ..., 0]
  np.testing.assert_array_equal(y, [[1, 2, 10, 20], [3, 4, 30, 40]])


def test_an_up_block_multiplies_by_what_normalizes():
  x = jnp.full((1, 1, 1, 1), -2.0)
  params = zeros(UpBlock(1), x)
  params["up"]["conv"]["kernel"] = jnp.ones((3, 3, 1, 4))
  at_centre(params["conv"], 50.0)
  params["gdn"]["gamma"] = jnp.full((1, 1), 2.0)
  # -2 -> leaky -0.02 -> -1 -> -1 * sqrt(1 + 4).
  y = apply(UpBlock(1), params, x)
  np.testing.assert_allclose(y, np.full((1, 2, 2, 1), -(5**0.5)), rtol=1e-6)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_blocks_keep_halve_or_double_every_size(size):
  x = jnp.zeros((1, size, 2 * size, 2))

  def shape(module):
    params = jax.eval_shape(module.init, jax.random.key(0), x)
    return jax.eval_shape(module.apply, params, x).shape

  assert shape(ResidualBlock(3)) == (1, size, 2 * size, 3)
  assert shape(DownBlock(3)) == (1, -(-size // 2), size, 3)
  assert shape(UpBlock(3)) == (1, 2 * size, 4 * size, 3)


@pytest.mark.parametrize("block", [ResidualBlock, DownBlock, UpBlock])
def test_blocks_compute_in_their_type(block):
  x = jnp.zeros((1, 4, 4, 2))
  half = block(3, jnp.bfloat16)
  y, params = jax.eval_shape(half.init_with_output, jax.random.key(0), x)
  assert y.dtype == jnp.bfloat16
  assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {
    jnp.dtype("float32")
  }
