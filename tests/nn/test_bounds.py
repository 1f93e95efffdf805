import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic.nn.bounds import clip, lower_bound

X = jnp.array([-1.0, 0.5, 2.0, 3.0])
BOUND = 2.0


def test_primal_is_the_maximum_with_and_without_vjp():
  expected = [2.0, 2.0, 2.0, 3.0]
  primal, _ = jax.vjp(lambda x: lower_bound(x, BOUND), X)
  np.testing.assert_array_equal(primal, expected)
  np.testing.assert_array_equal(lower_bound(X, BOUND), expected)


@pytest.mark.parametrize(
  ("g", "expected"),
  # Descent on g < 0 raises x, so that it passes; on g > 0 it would lower x.
  [(-1.5, [-1.5, -1.5, -1.5, -1.5]), (1.5, [0.0, 0.0, 1.5, 1.5])],
)
def test_gradient_passes_inside_or_towards_the_inside(g, expected):
  _, pull = jax.vjp(lambda x: lower_bound(x, BOUND), X)
  np.testing.assert_array_equal(pull(jnp.full(4, g))[0], expected)


def test_the_bound_gets_no_gradient():
  grad = jax.grad(lambda b: lower_bound(X, b).sum())(jnp.float32(BOUND))
  assert grad == 0.0


def test_forward_mode_has_the_derivative_of_the_maximum():
  tangent = jnp.array([1.0, -2.0, 3.0, 4.0])
  primal, slope = jax.jvp(lambda x: lower_bound(x, BOUND), (X,), (tangent,))
  np.testing.assert_array_equal(primal, jnp.maximum(X, BOUND))
  np.testing.assert_array_equal(slope, [0.0, 0.0, 3.0, 4.0])


def test_gradient_descent_leaves_the_clamp():
  x = jnp.float32(-1.0)
  for _ in range(60):
    x = x - 0.1 * jax.grad(lambda x: (lower_bound(x, BOUND) - 4.0) ** 2)(x)
  # The error shrinks by 0.8 a step once x is above the bound.
  np.testing.assert_allclose(x, 4.0, atol=1e-3)


def test_clip_keeps_a_gradient_of_one_outside():
  primal, pull = jax.vjp(lambda x: clip(x, 0.0, 1.0), X)
  np.testing.assert_array_equal(primal, [0.0, 0.5, 1.0, 1.0])
  np.testing.assert_array_equal(clip(X, 0.0, 1.0), primal)
  np.testing.assert_array_equal(pull(jnp.arange(4.0))[0], jnp.arange(4.0))
