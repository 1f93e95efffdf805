import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic.models import cui2021
from jaxlic.nn import cui_networks, neighbours


def refinement(latent):
  """(shapes of the parameters, shape of the outcome) of the context's part."""
  module = cui_networks.Refinement(latent)
  features = jnp.zeros((1, 2, 2, 2 * latent))
  around = jnp.zeros((1, 2, 2, len(cui_networks.TAPS), latent))
  groups = jnp.zeros((2, 2), jnp.int32)
  return jax.eval_shape(
    lambda: module.init_with_output(jax.random.key(0), features, around, groups)
  )


def test_the_context_has_the_published_widths():
  # 1536 numbers, then 1280, 1024, 768, 640 and 576 for 192 channels of y.
  out, params = refinement(192)
  shapes = [params["params"][f"dense{k}"]["kernel"].shape for k in range(5)]
  widths = [1536, 1280, 1024, 768, 640, 576]
  assert shapes == list(zip(widths[:-1], widths[1:], strict=True))
  assert out.shape == (1, 2, 2, 576)


def test_the_context_has_windows_of_three_sizes():
  _, params = refinement(6)
  for side in (3, 5, 7):
    kernel = params["params"][f"masked{side}"]["kernel"]
    assert kernel.shape == (side, side, 6, 12)


def test_windows_see_their_own_neighbours_alone():
  module = cui_networks.Refinement(2)
  shape = (1, 1, 1, len(cui_networks.TAPS), 2)
  around = jax.random.normal(jax.random.key(0), shape)
  features, groups = jnp.zeros((1, 1, 1, 4)), jnp.zeros((1, 1), jnp.int32)
  params = jax.jit(module.init)(jax.random.key(1), features, around, groups)
  # Without the two larger windows, only the four nearest matter.
  for side in (5, 7):
    masked = params["params"][f"masked{side}"]
    masked["kernel"] = jnp.zeros_like(masked["kernel"])
  apply = jax.jit(lambda around: module.apply(params, features, around, groups))
  plain = apply(around)
  for k, (down, right) in enumerate(cui_networks.TAPS):
    moved = apply(around.at[..., k, :].add(1))
    near = max(abs(down), abs(right)) <= 1
    assert (jnp.abs(moved - plain).max() > 0) == near


@pytest.mark.parametrize("side", [3, 5, 7])
@pytest.mark.parametrize("grid", [(1, 1), (5, 9), (9, 2)])
def test_waves_come_after_all_that_their_window_sees(side, grid):
  groups = neighbours.waves(grid, side)
  np.testing.assert_array_equal(np.unique(groups), np.arange(groups.max() + 1))
  for (row, column), group in np.ndenumerate(groups):
    for down, right in neighbours.raster_taps(side):
      where = row + down, column + right
      if all(0 <= a < b for a, b in zip(where, grid, strict=True)):
        assert groups[where] < group


def test_scales_come_first():
  numbers = jnp.arange(6.0).reshape(1, 1, 1, 6)
  prediction = cui2021.read_scales_and_mode(numbers)
  np.testing.assert_array_equal(prediction.scale[0, 0, 0], [[0, 2], [1, 3]])
  np.testing.assert_array_equal(prediction.mean[0, 0, 0], [4, 5])
