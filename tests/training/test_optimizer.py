import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic.errors import JaxlicError
from jaxlic.training.config import NEVER
from tests.training.updates import GRADIENT, PARAMS, make


def test_the_slow_group_moves_by_its_factor():
  optimizer = make(slow=("b",), slow_factor=0.2)
  updates, _ = optimizer.update(
    GRADIENT, optimizer.init(PARAMS), PARAMS, value=1.0
  )
  np.testing.assert_allclose(jnp.abs(updates["a"]), 0.1, rtol=1e-4)
  np.testing.assert_allclose(jnp.abs(updates["b"]["c"]), 0.02, rtol=1e-4)


def test_medians_neither_learn_nor_decay():
  params = PARAMS | {"z_density": {"bias0": jnp.ones(2), "median": jnp.ones(2)}}
  for slow in ((), ("z_density",)):
    optimizer = make(name="adamw", weight_decay=0.5, slow=slow)
    updates, _ = optimizer.update(
      params, optimizer.init(params), params, value=1.0
    )
    np.testing.assert_array_equal(updates["z_density"]["median"], 0.0)
    assert jnp.abs(updates["z_density"]["bias0"]).min() > 0


def test_adamw_decays_weights_beside_the_step():
  optimizer = make(name="adamw", weight_decay=0.5)
  updates, _ = optimizer.update(
    GRADIENT, optimizer.init(PARAMS), PARAMS, value=1.0
  )
  # -rate (sign of the gradient + decay times the weight, 1).
  expected = [-0.15, 0.05, -0.15]
  np.testing.assert_allclose(updates["a"], expected, rtol=1e-4)


def test_gradients_are_clipped_to_a_global_norm():
  # Adam forgets a constant factor, so look at its second step: a gradient
  # clipped from norm 6.3e4 to 1 moves as one of norm 1 does.
  first = {"a": jnp.array([1.0, 0, 0]), "b": {"c": jnp.zeros(2)}}
  large = {"a": jnp.array([1e4, 0, 0]), "b": {"c": jnp.zeros(2)}}

  def second(optimizer, gradient):
    _, state = optimizer.update(
      first, optimizer.init(PARAMS), PARAMS, value=1.0
    )
    updates, _ = optimizer.update(gradient, state, PARAMS, value=1.0)
    return updates["a"][0]

  clipped, free = make(clip_norm=1.0), make(clip_norm=NEVER)
  assert second(clipped, large) == second(clipped, first)
  assert second(free, large) != second(free, first)


@pytest.mark.parametrize(
  ("field", "value", "match"),
  [
    ("name", "sgd", "adam, adamw, muon, soap, got 'sgd'"),
    (
      "schedule",
      "linear",
      "constant, plateau, power, stable, cosine, step, got 'linear'",
    ),
  ],
)
def test_unknown_names_are_errors(field, value, match):
  with pytest.raises(JaxlicError, match=match):
    make(**{field: value})


def test_only_named_groups_learn_and_decay():
  optimizer = make(name="adamw", weight_decay=0.5, only=("b",))
  updates, _ = optimizer.update(
    GRADIENT, optimizer.init(PARAMS), PARAMS, value=1.0
  )
  np.testing.assert_array_equal(updates["a"], 0.0)
  assert jnp.abs(updates["b"]["c"]).min() > 0
