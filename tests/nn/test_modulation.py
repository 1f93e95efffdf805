import jax
import jax.numpy as jnp
import numpy as np

from jaxlic.nn.modulation import Modulation

X = jax.random.normal(jax.random.key(0), (1, 5, 6, 3))
CONDITION = jax.random.normal(jax.random.key(1), (1, 5, 6, 2))


def test_a_modulation_starts_as_the_identity():
  module = Modulation(4)
  params = module.init(jax.random.key(2), X, CONDITION)
  modulated = module.apply(params, X, CONDITION)
  np.testing.assert_array_equal(modulated, X)


def test_biases_scale_and_shift_every_place():
  module = Modulation(4)
  params = module.init(jax.random.key(2), X, CONDITION)["params"]
  params["gamma"]["bias"] = jnp.array([1.0, 0.0, -1.0])
  params["beta"]["bias"] = jnp.array([0.0, 2.0, 0.5])
  modulated = module.apply({"params": params}, X, CONDITION)
  wanted = X * jnp.array([[[[2.0, 1.0, 0.0]]]]) + jnp.array(
    [[[[0.0, 2.0, 0.5]]]]
  )
  np.testing.assert_allclose(modulated, wanted, rtol=1e-6)


def test_a_place_is_changed_by_conditions_within_two_of_it():
  module = Modulation(4)
  params = module.init(jax.random.key(2), X, CONDITION)
  params = jax.tree.map(lambda leaf: leaf + 0.1, params)
  other = CONDITION.at[0, 0, 0].add(1.0)
  moved = module.apply(params, X, other) != module.apply(params, X, CONDITION)
  rows, columns = np.nonzero(np.asarray(moved).any(-1)[0])
  # Two 3x3 convolutions.
  assert rows.max() == columns.max() == 2
