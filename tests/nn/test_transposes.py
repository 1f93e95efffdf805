import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic.nn.transposes import linear_call

R = jnp.array([2.0, 3.0, 5.0])
X = jnp.array([1.0, -1.0, 4.0])


def times(x, r=R):
  """x times r; pulled back by a function that is not its transpose."""
  return linear_call(lambda r, x: r * x, lambda r, g: r * g + 100, (r,), x)


def test_it_computes_the_function():
  np.testing.assert_array_equal(times(X), R * X)
  np.testing.assert_array_equal(jax.jit(times)(X), R * X)


def test_forward_mode_has_the_function_s_derivative():
  out, slope = jax.jvp(times, (X,), (jnp.ones(3),))
  np.testing.assert_array_equal(out, R * X)
  np.testing.assert_array_equal(slope, R)
  # Of both arguments: x dr + r dx.
  _, slope = jax.jvp(times, (X, R), (jnp.ones(3), jnp.full(3, 10.0)))
  np.testing.assert_array_equal(slope, 10 * X + R)


def test_reverse_mode_has_what_is_given():
  _, pull = jax.vjp(times, X)
  np.testing.assert_array_equal(pull(jnp.ones(3))[0], R + 100)


def test_reverse_mode_of_a_residual_is_forbidden_to_nobody():
  gradient = jax.grad(lambda r: times(X, r).sum())(R)
  np.testing.assert_array_equal(gradient, X)


@pytest.mark.parametrize(
  ("axes", "x", "r"),
  [
    ((0, None), jnp.stack([X, 2 * X]), R),
    ((None, 0), X, jnp.stack([R, 2 * R])),
    ((1, 0), jnp.stack([X, 2 * X], 1), jnp.stack([R, 2 * R])),
  ],
)
def test_mapped_it_is_what_it_is_for_each(axes, x, r):
  def pulled(x, r):
    return jax.vjp(lambda x: times(x, r), x)[1](jnp.ones(3))[0]

  def moved(x, r):
    return jax.jvp(lambda x: times(x, r), (x,), (jnp.ones(3),))[1]

  for function in (times, pulled, moved):
    mapped = jax.vmap(function, axes)(x, r)
    for k in range(2):
      one = [
        a if axis is None else jnp.take(a, k, axis)
        for a, axis in zip((x, r), axes, strict=True)
      ]
      np.testing.assert_array_equal(mapped[k], function(*one))


def test_it_passes_through_scan_and_remat():
  @jax.checkpoint
  def step(carry, x):
    return carry + times(x).sum(), None

  def total(xs):
    return jax.lax.scan(step, 0.0, xs)[0]

  gradient = jax.jit(jax.grad(total))(jnp.stack([X, X]))
  np.testing.assert_array_equal(gradient, jnp.stack([R, R]) + 100)


def test_second_derivatives_follow_the_first():
  def loss(x):
    return (times(x) ** 2).sum()

  # The gradient is r (2 r x) + 100, and its derivative along ones 2 r^2.
  _, along = jax.jvp(jax.grad(loss), (X,), (jnp.ones(3),))
  np.testing.assert_array_equal(along, 2 * R**2)
