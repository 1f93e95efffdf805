import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic.models.parts.channel_groups import split
from tests.conftest import slow

GROUPS = (2, 3, 4)
GRIDS = [slow((1, 1)), slow((1, 4)), (3, 5), slow((4, 6))]


@pytest.mark.parametrize("grid", GRIDS)
def test_groups_put_together_are_the_latent(grid):
  y = jax.random.normal(jax.random.key(0), (2, *grid, sum(GROUPS)))
  whole = np.zeros(y.shape, np.float32)
  for group in split(GROUPS, two_pass=2, stride=16):
    whole[..., group.channels] += group.put(group.take(y), grid)
  np.testing.assert_array_equal(whole, y)


def test_the_first_pass_holds_the_sites_of_even_parity():
  y = jnp.ones((1, 3, 4, 2))
  first, second = split((2,), two_pass=1, stride=16)
  rows, columns = np.mgrid[:3, :4]
  even = (rows + columns) % 2 == 0
  np.testing.assert_array_equal(
    first.put(first.take(y), (3, 4))[0, ..., 0], even
  )
  np.testing.assert_array_equal(
    second.put(second.take(y), (3, 4))[0, ..., 0], ~even
  )


def test_a_group_knows_what_was_coded_before_it():
  groups = split(GROUPS, two_pass=1, stride=16)
  assert [(g.name, g.start, g.stop, g.known) for g in groups] == [
    ("y0a", 0, 2, 0),
    ("y0b", 0, 2, 2),
    ("y1", 2, 5, 2),
    ("y2", 5, 9, 5),
  ]
