"""What cells of a quality map tell of the latents' scale."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic.models.parts.cells import cell_steps, scale, spread, unscale


@pytest.mark.parametrize(
  ("value", "steps"),
  # 8 ln of the known weights 0.16583, 1 and 6.0302, rounded.
  [(0.0, -14), (0.5, 0), (1.0, 14)],
)
def test_cells_of_one_value_scale_by_the_root_of_its_weight(value, steps):
  cells = cell_steps(jnp.full((1, 64, 128, 1), value))
  np.testing.assert_array_equal(cells, np.full((1, 1, 2, 1), steps))


def test_a_cell_s_weight_is_the_mean_of_its_pixels():
  quality_map = jnp.zeros((1, 64, 64, 1)).at[:, :16].set(1.0)
  # 8 ln(0.25 * 6.0302 + 0.75 * 0.16583) = 3.92.
  assert cell_steps(quality_map).item() == 4


def test_cells_over_the_edge_repeat_what_is_inside():
  quality_map = jnp.full((1, 80, 48, 1), 0.5).at[:, 64:].set(1.0)
  cells = cell_steps(quality_map)
  assert cells[..., 0].tolist() == [[[0.0], [14.0]]]


@pytest.mark.parametrize("grid", [(1, 1), (4, 8), (5, 3)])
def test_every_position_has_the_value_of_its_cell(grid):
  cells = jnp.arange(8.0).reshape(1, 2, 4, 1)[:, : -(-grid[0] // 4)]
  cells = cells[:, :, : -(-grid[1] // 4)]
  wide = spread(cells, grid)
  assert wide.shape == (1, *grid, 1)
  for row, column in np.ndindex(grid):
    assert wide[0, row, column] == cells[0, row // 4, column // 4]


def test_what_is_scaled_is_unscaled_by_its_last_channel():
  y = jnp.arange(1.0, 49.0).reshape(1, 4, 6, 2)
  quality_map = jnp.linspace(0, 1, 96)[None, None, :, None]
  quality_map = jnp.broadcast_to(quality_map, (1, 64, 96, 1))
  scaled, steps = jnp.split(scale(y, quality_map), (2,), -1)
  assert jnp.abs(scaled / y - 1).min() > 0.1
  np.testing.assert_allclose(unscale(scaled, steps[:, ::4, ::4]), y, rtol=1e-6)
