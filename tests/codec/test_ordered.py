import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic.codec import ordered
from jaxlic.nn import neighbours
from jaxlic.types import Order, Prediction
from tests.conftest import slow

GRIDS = [slow((1, 1)), slow((1, 4)), slow((4, 1)), (5, 7)]
CHANNELS = 2


def spiral(grid):
  """An order of one position at a time, from the last to the first."""
  return np.arange(grid[0] * grid[1], dtype=np.int32)[::-1].reshape(grid)


def refine(params, features, around, groups):
  """Reads everything that it is given."""
  mean = jnp.einsum("bhwtc,tc->bhwc", jnp.sin(around), params["weights"])
  mean = mean + features + groups[None, :, :, None].astype(mean.dtype)
  return Prediction(mean=mean, scale=jnp.exp(-mean))


# The last reads neighbours of any group, and sees those of earlier ones.
ORDERS = {
  "raster": Order(neighbours.waves, neighbours.RASTER_TAPS, refine),
  "checkerboard": Order(
    neighbours.checkerboard, neighbours.CHECKERBOARD_TAPS, refine
  ),
  "all": Order(spiral, ((-3, 0), (0, 1), (0, 2), (1, -1), (2, 2)), refine),
}


@pytest.fixture(params=ORDERS)
def order(request):
  return ORDERS[request.param]


def problem(order, grid):
  random = np.random.default_rng(0)
  weights = random.normal(size=(len(order.taps), CHANNELS))
  arrays = random.normal(size=(2, 1, *grid, CHANNELS))
  features, value = jnp.asarray(arrays, jnp.float32)
  return {"weights": jnp.asarray(weights, jnp.float32)}, features, value


@pytest.mark.parametrize("grid", GRIDS)
def test_group_by_group_predicts_what_all_at_once_does(order, grid):
  params, features, value = problem(order, grid)
  together = ordered.parallel(order, params, features, value)
  canvas = ordered.empty(order, grid, CHANNELS)
  flat = np.asarray(value).reshape(-1, CHANNELS)
  groups, counts = ordered.portions(order, grid)
  for group, (places, count) in enumerate(zip(groups, counts, strict=True)):
    known = ordered.around(
      order, params, features, canvas, jnp.asarray(places), jnp.array(group)
    )
    expected = np.asarray(together.mean).reshape(-1, CHANNELS)
    np.testing.assert_allclose(
      known.mean[0, :count, 0], expected[places[:count]], rtol=1e-5, atol=1e-6
    )
    here = flat.take(places, 0, mode="clip")[None, :, None]
    canvas = ordered.put(
      order, canvas, jnp.asarray(places), jnp.asarray(here), grid=grid
    )
  np.testing.assert_array_equal(ordered.finish(order, canvas, grid), value)


@pytest.mark.parametrize("grid", GRIDS)
def test_portions_hold_every_position_once(order, grid):
  groups, counts = ordered.portions(order, grid)
  held = [places[:n] for places, n in zip(groups, counts, strict=True)]
  assert sorted(np.concatenate(held)) == list(range(grid[0] * grid[1]))
  padding = [places[n:] for places, n in zip(groups, counts, strict=True)]
  assert set(np.concatenate(padding)) <= {grid[0] * grid[1]}


def test_no_position_sees_its_own_or_a_later_group(order):
  grid = (5, 4)
  params, features, value = problem(order, grid)

  def mean(value):
    return ordered.parallel(order, params, features, value).mean[0].sum(-1)

  jacobian = jax.jacobian(mean)(value)[:, :, 0].any(-1)
  groups = order.groups(grid)
  seen = np.asarray(jacobian).reshape(groups.size, groups.size)
  earlier = groups.ravel()[None] < groups.ravel()[:, None]
  assert seen.any()
  assert not (seen & ~earlier).any()
