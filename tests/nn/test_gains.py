import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic.nn import gains

LEVELS = jnp.log(jnp.array([[0.5, 1.0], [2.0, 3.0], [8.0, 5.0]]))


def gain(level, levels=LEVELS):
  rows = gains.gain(levels, jnp.array([level], jnp.float32))
  return np.asarray(rows)[0, 0, 0]


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_level_s_gains_are_the_trained_ones_to_the_last_bit(level):
  levels = jax.random.normal(jax.random.key(0), (3, 50))
  rows = gains.interpolate(levels, jnp.array([float(level)]))
  np.testing.assert_array_equal(rows[0, 0, 0], levels[level])


@pytest.mark.parametrize(
  ("level", "expected"),
  # 2^(3/4) 8^(1/4) = 2.828, where a linear interpolation has 3.5; and 5.657.
  [(1.25, 2.8284271), (1.75, 5.6568542), (0.5, 1.0)],
)
def test_gains_between_levels_are_geometric(level, expected):
  assert gain(level)[0] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("share", [0.1, 0.375, 0.9])
def test_products_that_levels_share_hold_between_them(share):
  levels = jax.random.normal(jax.random.key(1), (2, 20))
  product = gain(share, levels) * gain(share, 0.7 - levels)
  # Products are exp(0.7) at both levels.
  np.testing.assert_allclose(product, np.exp(0.7), rtol=1e-5)


@pytest.mark.parametrize("share", [0.1, 0.375, 0.9])
def test_exchanged_levels_mirror_the_share(share):
  np.testing.assert_allclose(
    gain(share, LEVELS[:2]), gain(1 - share, LEVELS[1::-1]), rtol=1e-6
  )


def test_every_image_has_its_own_level():
  rows = gains.interpolate(LEVELS, jnp.array([0.0, 1.5]))
  assert rows.shape == (2, 1, 1, 2)
  np.testing.assert_array_equal(rows[0, 0, 0], LEVELS[0])
  np.testing.assert_allclose(rows[1, 0, 0], (LEVELS[1] + LEVELS[2]) / 2)
