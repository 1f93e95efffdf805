import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic.nn.attention import Attention, Bottleneck

X = jax.random.normal(jax.random.key(0), (2, 3, 5, 4))


def shapes(module, x=X):
  return jax.eval_shape(module.init, jax.random.key(0), x)["params"]


def zeros(module, x=X):
  return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), shapes(module, x))


def apply(module, params, x=X):
  function = jax.jit(module.apply)
  return function({"params": params}, x)


def test_a_bottleneck_of_nothing_is_the_identity():
  np.testing.assert_array_equal(apply(Bottleneck(4), zeros(Bottleneck(4))), X)


def test_a_bottleneck_rectifies_twice_inside():
  x = jnp.array([3.0, -1.0]).reshape(1, 1, 1, 2)
  params = zeros(Bottleneck(2), x)
  params["conv0"]["kernel"] = jnp.array([[[[2.0], [0.0]]]])
  params["conv1"]["kernel"] = jnp.zeros((3, 3, 1, 1)).at[1, 1].set(5.0)
  params["conv2"]["kernel"] = jnp.array([[[[1.0, -1.0]]]])
  # 3 -> 6 -> 30; the sum is not rectified.
  y = apply(Bottleneck(2), params, x).ravel()
  np.testing.assert_array_equal(y, [33, -31])
  np.testing.assert_array_equal(
    apply(Bottleneck(2), params, -x).ravel(), [-3, 1]
  )
  params["conv1"]["kernel"] = -params["conv1"]["kernel"]
  np.testing.assert_array_equal(
    apply(Bottleneck(2), params, x).ravel(), [3, -1]
  )


@pytest.mark.parametrize(("features", "narrow"), [(4, 2), (3, 1), (9, 2)])
def test_a_bottleneck_is_half_of_its_smaller_width(features, narrow):
  params = shapes(Bottleneck(features))
  assert params["conv0"]["kernel"].shape == (1, 1, 4, narrow)
  assert params["conv1"]["kernel"].shape == (3, 3, narrow, narrow)
  assert params["conv2"]["kernel"].shape == (1, 1, narrow, features)
  assert ("skip" in params) == (features != 4)


def test_attention_adds_a_branch_through_a_mask():
  # Of zeros, both branches rectify x, and the mask is 1/2.
  params = zeros(Attention())
  rectified = jnp.maximum(X, 0)
  np.testing.assert_allclose(
    apply(Attention(), params), X + rectified / 2, rtol=1e-6
  )
  for bias, share in ((-200.0, 0.0), (200.0, 1.0)):
    params["mask"]["bias"] = jnp.full(4, bias)
    np.testing.assert_allclose(
      apply(Attention(), params), X + share * rectified, rtol=1e-6
    )


def test_the_mask_looks_at_the_other_branch():
  params = zeros(Attention())
  # 1 at every position from the last bottleneck of b; the mask sees it.
  params["b2"]["conv2"]["bias"] = jnp.full(4, 1.0)
  params["mask"]["kernel"] = 2.0 * jnp.eye(4)[None, None]
  # relu(relu(x) + 1) = relu(x) + 1.
  rectified = jnp.maximum(X, 0)
  expected = X + rectified * jax.nn.sigmoid(2 * (rectified + 1))
  np.testing.assert_allclose(apply(Attention(), params), expected, rtol=1e-6)


def test_attention_keeps_an_input_of_float32_whole():
  # What bfloat16 rounds is added to x, not x itself.
  params = zeros(Attention())
  params["mask"]["bias"] = jnp.full(4, -200.0)
  y = apply(Attention(jnp.bfloat16), params)
  assert y.dtype == jnp.float32
  np.testing.assert_array_equal(y, X)


def test_attention_computes_in_its_type():
  x = X.astype(jnp.bfloat16)
  y, params = jax.eval_shape(
    Attention(jnp.bfloat16).init_with_output, jax.random.key(0), x
  )
  assert y.dtype == jnp.bfloat16
  assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {
    jnp.dtype("float32")
  }
