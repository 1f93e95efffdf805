import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic.nn.gdn import GDN, NORMS

X = jnp.array([1.0, 2.0]).reshape(1, 1, 1, 2)


def parameters(beta, gamma):
  """The stored form of given beta and gamma, with the pedestal 2^-36."""
  return {
    "params": {
      "beta": jnp.sqrt(jnp.asarray(beta, jnp.float32) + 2.0**-36),
      "gamma": jnp.sqrt(jnp.asarray(gamma, jnp.float32) + 2.0**-36),
    }
  }


def random_parameters(c):
  beta_key, gamma_key = jax.random.split(jax.random.key(0))
  beta = jax.random.uniform(beta_key, (c,), minval=0.5, maxval=1.5)
  return beta, 0.1 * jax.random.uniform(gamma_key, (c, c))


@pytest.mark.parametrize(
  ("inverse", "expected"),
  # x / sqrt(1 + 0.1 x^2), and x times it, by hand.
  [(False, [0.9534626, 1.6903085]), (True, [1.0488088, 2.3664319])],
)
def test_initial_parameters_give_the_known_answers(inverse, expected):
  module = GDN(inverse=inverse)
  params = module.init(jax.random.key(0), X)
  y = module.apply(params, X).ravel()
  np.testing.assert_allclose(y, expected, rtol=1e-6)


def test_square_form_gives_the_known_answers():
  # 1 / 0.200004 and 2 / 0.500001: every off-diagonal gamma is 1e-6.
  gamma = 0.1 * np.eye(2) + 1e-6 * (1 - np.eye(2))
  params = parameters([0.1, 0.1], gamma)
  y = GDN(norm="square").apply(params, X).ravel()
  np.testing.assert_allclose(y, [4.9999000, 3.9999920], rtol=1e-6)


def test_square_form_maps_two_inputs_to_one_output():
  # t / (0.1 + 0.1 t^2) peaks at t = 1 with 5, and takes 4 at t = 1/2 and 2.
  x = jnp.array([0.5, 1.0, 2.0]).reshape(3, 1, 1, 1)
  y = GDN(norm="square").apply(parameters([0.1], [[0.1]]), x).ravel()
  np.testing.assert_allclose(y, [4.0, 5.0, 4.0], rtol=1e-6)


def test_simplified_form_divides_by_absolute_values():
  y = GDN(norm="simplified").apply(parameters([1, 2], [[0, 1], [3, 0]]), X)
  np.testing.assert_allclose(y.ravel(), [1 / (1 + 2), 2 / (2 + 3)], rtol=1e-6)


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("norm", NORMS)
def test_gamma_zero_and_beta_one_is_the_identity(norm, inverse):
  params = parameters(np.ones(2), np.zeros((2, 2)))
  y = GDN(inverse=inverse, norm=norm).apply(params, X)
  np.testing.assert_array_equal(y, X)


@pytest.mark.parametrize("norm", NORMS)
def test_normalization_is_odd(norm):
  x = jax.random.normal(jax.random.key(1), (2, 3, 3, 4))
  module, params = GDN(norm=norm), parameters(*random_parameters(4))
  np.testing.assert_array_equal(
    module.apply(params, -x), -module.apply(params, x)
  )


@pytest.mark.parametrize("norm", NORMS)
def test_permuting_channels_and_parameters_permutes_the_output(norm):
  x = jax.random.normal(jax.random.key(1), (2, 3, 3, 4))
  order = np.array([2, 0, 3, 1])
  beta, gamma = random_parameters(4)
  permuted = parameters(beta[order], gamma[order][:, order])
  y = GDN(norm=norm).apply(parameters(beta, gamma), x)[..., order]
  # The sum over channels runs in another order: a few float32 roundings.
  np.testing.assert_allclose(
    GDN(norm=norm).apply(permuted, x[..., order]), y, rtol=1e-5
  )


def test_fifty_fixed_point_steps_invert_it():
  beta, gamma = random_parameters(4)
  x = jax.random.uniform(jax.random.key(2), (1, 8, 8, 4), minval=-2, maxval=2)
  y = np.asarray(GDN().apply(parameters(beta, gamma), x), np.float64)
  guess = y
  for _ in range(50):
    guess = y * np.sqrt(np.asarray(beta) + guess**2 @ np.asarray(gamma).T)
  # y is float32; the iteration multiplies its error by less than 5.
  np.testing.assert_allclose(guess, x, atol=5e-6)


@pytest.mark.parametrize(("sign", "passes"), [(-1.0, False), (1.0, True)])
def test_a_clamped_beta_only_feels_gradients_that_raise_it(sign, passes):
  bound = np.sqrt(1e-6 + 2.0**-36)
  gamma = parameters([1.0], [[0.1]])["params"]["gamma"]
  x = jnp.full((1, 1, 1, 1), 2.0)

  def loss(beta):
    params = {"params": {"beta": beta, "gamma": gamma}}
    return sign * GDN().apply(params, x).sum()

  # A larger beta makes y smaller, which the loss +y wants:
  # dy/dbeta' = -x/2 (beta + 0.1 x^2)^(-3/2) * 2 bound.
  expected = -2.0 / 2 * (1e-6 + 0.4) ** -1.5 * 2 * bound if passes else 0.0
  clamped = jnp.array([0.5 * bound], jnp.float32)
  np.testing.assert_allclose(jax.grad(loss)(clamped), [expected], rtol=1e-5)


def test_an_unknown_form_is_refused():
  with pytest.raises(
    ValueError, match="norm is one of sqrt, simplified, squar"
  ):
    GDN(norm="cube").init(jax.random.key(0), X)


@pytest.mark.parametrize("inverse", [False, True])
def test_bfloat16_is_normalized_in_float32(inverse):
  beta, gamma = random_parameters(4)
  module, params = GDN(inverse=inverse), parameters(beta, gamma)
  x = jax.random.normal(jax.random.key(1), (2, 3, 3, 4), jnp.bfloat16)
  y = module.apply(params, x)
  assert y.dtype == jnp.bfloat16
  # All but the rounding of the result.
  expected = module.apply(params, x.astype(jnp.float32))
  np.testing.assert_array_equal(y, expected.astype(jnp.bfloat16))
