import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic.nn import neighbours

ORDERS = {
  "raster": (neighbours.waves, neighbours.RASTER_TAPS),
  "checkerboard": (neighbours.checkerboard, neighbours.CHECKERBOARD_TAPS),
}
GRIDS = [(1, 1), (1, 5), (5, 1), (2, 2), (3, 7), (8, 6)]


def masked(taps):
  return neighbours.MaskedConv(3, taps)


def gathered(x, taps):
  """The neighbours of every position, those outside as zeros."""
  height, width = x.shape[1:3]
  padded = jnp.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)))
  return jnp.stack(
    [padded[:, 2 + i : 2 + i + height, 2 + j : 2 + j + width] for i, j in taps],
    3,
  )


def test_the_masks_are_those_of_their_papers():
  shown = {}
  for name, (_, taps) in ORDERS.items():
    mask = np.zeros((5, 5), int)
    for i, j in taps:
      mask[i + 2, j + 2] = 1
    shown[name] = ["".join(map(str, row)) for row in mask]
  # Minnen 2018 (PixelCNN's mask A); He 2021, figure 2.
  assert shown["raster"] == ["11111", "11111", "11000", "00000", "00000"]
  assert shown["checkerboard"] == ["01010", "10101", "01010", "10101", "01010"]


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("name", ORDERS)
def test_groups_are_numbered_without_gaps(name, grid):
  groups = ORDERS[name][0](grid)
  assert groups.shape == grid
  np.testing.assert_array_equal(np.unique(groups), np.arange(groups.max() + 1))


@pytest.mark.parametrize("grid", GRIDS)
def test_every_neighbour_in_raster_order_is_in_an_earlier_wave(grid):
  groups = neighbours.waves(grid)
  for y, x in np.ndindex(grid):
    for i, j in neighbours.RASTER_TAPS:
      if 0 <= y + i < grid[0] and 0 <= x + j < grid[1]:
        assert groups[y + i, x + j] < groups[y, x]


def test_the_numbering_of_groups_is_that_of_files():
  # Files hold the groups in this order.
  assert neighbours.waves((2, 5)).tolist() == [[0, 1, 2, 3, 4], [3, 4, 5, 6, 7]]
  assert neighbours.waves((3, 1)).tolist() == [[0], [1], [2]]
  assert neighbours.checkerboard((2, 3)).tolist() == [[0, 1, 0], [1, 0, 1]]


def test_a_kodak_image_takes_141_waves():
  # w + 3 (h - 1) = 48 + 3 * 31 instead of 1,536 positions.
  assert neighbours.waves((32, 48)).max() + 1 == 141


@pytest.mark.parametrize("name", ORDERS)
def test_the_convolution_is_the_masked_one(name):
  taps = ORDERS[name][1]
  random = np.random.default_rng(0)
  x = jnp.asarray(random.normal(size=(1, 4, 6, 2)), jnp.float32)
  around = gathered(x, taps)
  params = masked(taps).init(jax.random.key(0), around)
  params["params"]["bias"] = jnp.array([1.0, -2.0, 3.0])
  mask = np.zeros((5, 5, 1, 1), np.float32)
  for i, j in taps:
    mask[i + 2, j + 2] = 1
  expected = jax.lax.conv_general_dilated(
    x,
    params["params"]["kernel"] * mask,
    (1, 1),
    ((2, 2), (2, 2)),
    dimension_numbers=("NHWC", "HWIO", "NHWC"),
  )
  np.testing.assert_allclose(
    masked(taps).apply(params, around),
    expected + params["params"]["bias"][None, None, None],
    atol=1e-5,
  )


@pytest.mark.parametrize("name", ORDERS)
def test_what_lies_under_the_mask_has_no_gradient(name):
  taps = ORDERS[name][1]
  around = jnp.ones((1, 1, 1, len(taps), 2))
  params = masked(taps).init(jax.random.key(0), around)
  gradient = jax.grad(lambda p: masked(taps).apply(p, around).sum())(params)
  live = np.any(np.asarray(gradient["params"]["kernel"]), (2, 3))
  assert sorted(zip(*np.nonzero(live), strict=True)) == sorted(
    (i + 2, j + 2) for i, j in taps
  )
