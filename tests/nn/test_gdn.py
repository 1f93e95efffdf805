"""GDN beside its formula in NumPy, and the known answers of its presets.

The formula is written for one position, in float64, with a loop over channels;
its derivatives are central differences.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic.nn.gdn import GDN, PRESETS, Constants, constants

X = jnp.array([1.0, 2.0]).reshape(1, 1, 1, 2)
ODD = {
  "odd-root": Constants(
    beta_init=0.7,
    gamma_init=0.2,
    beta_min=0.04,
    gamma_min=0.01,
    offset=0.03,
    symmetric=True,
    power=1,
  ),
  "odd-square": Constants(beta_init=2.0, beta_min=0.3, offset=0.25, root=False),
}
FORMS = PRESETS | ODD


def formula(norm, x, beta, gamma, *, inverse=False):
  """y [c] of x [c], of beta [c] and gamma [c c] as they are used."""
  y = np.empty_like(x)
  for i in range(len(x)):
    divisor = beta[i] + sum(
      gamma[i, j] * abs(x[j]) ** norm.power for j in range(len(x))
    )
    divisor = divisor**0.5 if norm.root else divisor
    y[i] = x[i] * divisor if inverse else x[i] / divisor
  return y


def bound(norm, minimum):
  """The least root that is kept."""
  return (minimum + norm.offset**2) ** 0.5


def used(norm, beta_roots, gamma_roots):
  """beta and gamma of the roots that are kept."""
  if norm.symmetric:
    gamma_roots = (gamma_roots + gamma_roots.T) / 2
  beta = np.maximum(beta_roots, bound(norm, norm.beta_min)) ** 2
  gamma = np.maximum(gamma_roots, bound(norm, norm.gamma_min)) ** 2
  return beta - norm.offset**2, gamma - norm.offset**2


def random_roots(norm, c=3):
  """Roots of which one of beta, and some of gamma, are under their bounds."""
  random = np.random.default_rng(0)
  low, high = bound(norm, norm.beta_min), bound(norm, norm.gamma_min)
  beta = low + np.array([-0.5 * low, 0.2, 0.7])[:c]
  gamma = high + random.uniform(0.1, 0.5, (c, c))
  gamma[0, 1] = gamma[1, 0] = 0.4 * high
  gamma[2, 0] = gamma[0, 2] = -0.3
  return beta, gamma


def as_params(beta_roots, gamma_roots):
  leaves = {"beta": beta_roots, "gamma": gamma_roots}
  return {"params": {k: jnp.asarray(v, jnp.float32) for k, v in leaves.items()}}


def parameters(beta, gamma, norm=PRESETS["sqrt"]):
  """The stored form of given beta and gamma."""
  pedestal = norm.offset**2
  return as_params(
    jnp.sqrt(jnp.asarray(beta, jnp.float32) + pedestal),
    jnp.sqrt(jnp.asarray(gamma, jnp.float32) + pedestal),
  )


def random_parameters(c):
  beta_key, gamma_key = jax.random.split(jax.random.key(0))
  beta = jax.random.uniform(beta_key, (c,), minval=0.5, maxval=1.5)
  return beta, 0.1 * jax.random.uniform(gamma_key, (c, c))


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("name", FORMS)
def test_every_form_is_its_formula(name, inverse):
  norm, x = FORMS[name], np.random.default_rng(1).normal(size=(4, 3))
  roots = random_roots(norm)
  module = GDN(inverse=inverse, norm=norm)
  y = module.apply(
    as_params(*roots), jnp.asarray(x, jnp.float32)[:, None, None]
  )
  expected = [
    formula(norm, row, *used(norm, *roots), inverse=inverse) for row in x
  ]
  # float32: gamma's smallest entries are differences with the offset's square.
  np.testing.assert_allclose(y[:, 0, 0], expected, rtol=2e-5)


def differences(function, x, step=1e-6):
  """The gradient of a function of an array, by central differences."""
  gradient = np.empty_like(x)
  for index in np.ndindex(x.shape):
    move = np.zeros_like(x)
    move[index] = step
    gradient[index] = (function(x + move) - function(x - move)) / (2 * step)
  return gradient


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("name", FORMS)
def test_every_form_has_the_gradients_of_its_formula(name, inverse):
  norm, random = FORMS[name], np.random.default_rng(2)
  x, weights = random.normal(size=3), random.normal(size=3)
  roots = random_roots(norm)

  def loss(x, beta, gamma):
    pedestal = norm.offset**2
    squares = beta**2 - pedestal, gamma**2 - pedestal
    return weights @ formula(norm, x, *squares, inverse=inverse)

  # Of the roots within their bounds first; of those under it, what raises them.
  beta, gamma = roots
  gamma = (gamma + gamma.T) / 2 if norm.symmetric else gamma
  low, high = bound(norm, norm.beta_min), bound(norm, norm.gamma_min)
  at_beta, at_gamma = np.maximum(beta, low), np.maximum(gamma, high)
  for_x = differences(lambda x: loss(x, at_beta, at_gamma), x)
  for_beta = differences(lambda beta: loss(x, beta, at_gamma), at_beta)
  for_gamma = differences(lambda gamma: loss(x, at_beta, gamma), at_gamma)
  for_beta = np.where((beta >= low) | (for_beta < 0), for_beta, 0)
  for_gamma = np.where((gamma >= high) | (for_gamma < 0), for_gamma, 0)
  if norm.symmetric:
    for_gamma = (for_gamma + for_gamma.T) / 2

  def ours(x, params):
    y = GDN(inverse=inverse, norm=norm).apply(params, x[None, None, None])
    return jnp.asarray(weights, jnp.float32) @ y.ravel()

  found_x, found = jax.grad(ours, (0, 1))(
    jnp.asarray(x, jnp.float32), as_params(*roots)
  )
  found = found["params"]
  for one, expected in (
    (found_x, for_x),
    (found["beta"], for_beta),
    (found["gamma"], for_gamma),
  ):
    # float32, and 1e-9 of the differences.
    scale = np.abs(expected).max()
    np.testing.assert_allclose(one, expected, rtol=1e-4, atol=1e-5 * scale)


@pytest.mark.parametrize(
  ("norm", "inverse", "expected"),
  [
    # x / sqrt(1 + 0.1 x^2), and x times it, by hand.
    ("sqrt", False, [0.9534626, 1.6903085]),
    ("sqrt", True, [1.0488088, 2.3664319]),
    # 1 / 0.200004 and 2 / 0.500001, and the products: off-diagonal gammas are
    # 1e-6, as far as float32 has 1e-6 + 4e-10 less 4e-10.
    ("square", False, [4.9999000, 3.9999920]),
    ("square", True, [0.2000040, 1.0000020]),
    # 1 / 1.1 and 2 / 1.2, and the products.
    ("simplified", False, [0.9090909, 1.6666667]),
    ("simplified", True, [1.1, 2.4]),
  ],
)
def test_initial_parameters_give_the_known_answers(norm, inverse, expected):
  module = GDN(inverse=inverse, norm=PRESETS[norm])
  params = module.init(jax.random.key(0), X)
  y = module.apply(params, X).ravel()
  np.testing.assert_allclose(y, expected, rtol=1e-6)


def test_square_form_maps_two_inputs_to_one_output():
  # t / (0.1 + 0.1 t^2) peaks at t = 1 with 5, and takes 4 at t = 1/2 and 2.
  norm = PRESETS["square"]
  x = jnp.array([0.5, 1.0, 2.0]).reshape(3, 1, 1, 1)
  y = GDN(norm=norm).apply(parameters([0.1], [[0.1]], norm), x).ravel()
  np.testing.assert_allclose(y, [4.0, 5.0, 4.0], rtol=1e-6)
  assert (
    jax.grad(
      lambda t: (
        GDN(norm=norm)
        .apply(parameters([0.1], [[0.1]], norm), t[None, None, None, None])
        .sum()
      )
    )(jnp.float32(2.0))
    < 0
  )


def test_square_form_has_what_the_seminar_starts_from():
  # Roots of 0.1 + 4e-10 and of 4e-10; the least that are used, of 1e-6 + 4e-10.
  norm = PRESETS["square"]
  params = GDN(norm=norm).init(jax.random.key(0), X)["params"]
  diagonal, other = (0.1 + 4e-10) ** 0.5, 2e-5
  np.testing.assert_allclose(params["beta"], [diagonal] * 2, rtol=1e-6)
  np.testing.assert_allclose(
    params["gamma"], [[diagonal, other], [other, diagonal]], rtol=1e-6
  )
  assert bound(norm, norm.gamma_min) == pytest.approx(1.00020e-3, rel=1e-6)


def test_a_symmetric_gamma_is_the_mean_of_roots():
  # Of roots 0.3 and 0.5, 0.4^2 - 4e-10 both ways: 0.16, where the mean of
  # squares would be 0.17.
  norm = PRESETS["square"]
  params = as_params([1.0, 1.0], [[0.1, 0.3], [0.5, 0.1]])
  y = GDN(norm=norm).apply(params, X).ravel()
  expected = [1 / (1 + 0.01 + 0.16 * 4), 2 / (1 + 0.16 + 0.01 * 4)]
  np.testing.assert_allclose(y, expected, rtol=1e-6)


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("norm", ["sqrt", "simplified"])
def test_gamma_zero_and_beta_one_is_the_identity(norm, inverse):
  params = parameters(np.ones(2), np.zeros((2, 2)))
  y = GDN(inverse=inverse, norm=PRESETS[norm]).apply(params, X)
  np.testing.assert_array_equal(y, X)


def test_square_form_has_no_gamma_of_zero():
  norm = PRESETS["square"]
  params = parameters(np.ones(2), np.zeros((2, 2)), norm)
  y = GDN(norm=norm).apply(params, 100 * X).ravel()
  # 1e-6 (100^2 + 200^2) = 0.05.
  np.testing.assert_allclose(y, [100 / 1.05, 200 / 1.05], rtol=1e-5)


@pytest.mark.parametrize("norm", FORMS.values(), ids=FORMS)
def test_normalization_is_odd(norm):
  x = jax.random.normal(jax.random.key(1), (2, 3, 3, 4))
  module, params = GDN(norm=norm), parameters(*random_parameters(4), norm)
  np.testing.assert_array_equal(
    module.apply(params, -x), -module.apply(params, x)
  )


@pytest.mark.parametrize("norm", FORMS.values(), ids=FORMS)
def test_permuting_channels_and_parameters_permutes_the_output(norm):
  x = jax.random.normal(jax.random.key(1), (2, 3, 3, 4))
  order = np.array([2, 0, 3, 1])
  beta, gamma = random_parameters(4)
  permuted = parameters(beta[order], gamma[order][:, order], norm)
  y = GDN(norm=norm).apply(parameters(beta, gamma, norm), x)[..., order]
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
  low = bound(PRESETS["sqrt"], 1e-6)
  gamma = parameters([1.0], [[0.1]])["params"]["gamma"]
  x = jnp.full((1, 1, 1, 1), 2.0)

  def loss(beta):
    params = {"params": {"beta": beta, "gamma": gamma}}
    return sign * GDN().apply(params, x).sum()

  # A larger beta makes y smaller, which the loss +y wants:
  # dy/dbeta' = -x/2 (beta + 0.1 x^2)^(-3/2) * 2 low.
  expected = -2.0 / 2 * (1e-6 + 0.4) ** -1.5 * 2 * low if passes else 0.0
  clamped = jnp.array([0.5 * low], jnp.float32)
  np.testing.assert_allclose(jax.grad(loss)(clamped), [expected], rtol=1e-5)


@pytest.mark.parametrize(("sign", "passes"), [(-1.0, False), (1.0, True)])
def test_square_form_moves_off_its_start_only_upwards(sign, passes):
  norm = PRESETS["square"]
  module = GDN(norm=norm)
  params = module.init(jax.random.key(0), X)
  gradient = jax.grad(lambda p: sign * module.apply(p, X)[..., 0].sum())(params)
  gamma = gradient["params"]["gamma"]
  # y_0 = 1 / 0.200004, of gamma_01 = root^2 - 4e-10 times 2^2, with half of the
  # gradient for each of the two roots that are averaged.
  root = bound(norm, 1e-6)
  expected = -(0.200004**-2) * 4 * 2 * root / 2 if passes else 0.0
  np.testing.assert_allclose([gamma[0, 1], gamma[1, 0]], expected, rtol=1e-5)


def test_a_preset_is_changed_by_constants():
  assert constants("square") == PRESETS["square"]
  changed = constants({"preset": "sqrt", "beta_min": 1e-5, "symmetric": True})
  assert changed == Constants(beta_min=1e-5, symmetric=True)
  assert hash(changed) == hash(Constants(beta_min=1e-5, symmetric=True))
  # JSON may write 1 for 1.0.
  whole = constants({"preset": "simplified", "beta_init": 2}).beta_init
  assert (whole, type(whole)) == (2.0, float)


@pytest.mark.parametrize(
  ("norm", "match"),
  [
    ("cube", "one of sqrt, simplified, square, got 'cube'; name one"),
    ({"beta_min": 1e-5}, "one of sqrt, simplified, square, got {'beta_min'"),
    (
      {"preset": "sqrt", "beta": 1},
      "constants of GDN are .*got beta = 1; correct",
    ),
    (
      {"preset": "sqrt", "beta_min": 0},
      "beta_min, .* above 0; .*beta_min = 0;",
    ),
    ({"preset": "sqrt", "offset": 0.0}, "offset above 0; .*got offset = 0.0;"),
    (
      {"preset": "sqrt", "gamma_min": -1.0},
      "0 or more; .*got gamma_min = -1.0",
    ),
    ({"preset": "sqrt", "power": 3}, "power 1 or 2; .*got power = 3; correct"),
    ({"preset": "sqrt", "power": 2.0}, "power 1 or 2; .*got power = 2.0; "),
    (
      {"preset": "sqrt", "root": 1},
      "root True or False, got root = 1; correct",
    ),
    ({"preset": "sqrt", "beta_init": True}, "got beta_init = True; correct"),
    ({"preset": "sqrt", "gamma_init": float("nan")}, "got gamma_init = nan; "),
  ],
)
def test_what_is_no_form_is_refused(norm, match):
  with pytest.raises(ValueError, match=match):
    constants(norm)


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
