import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic import quality
from jaxlic.training import quality_maps


@pytest.mark.parametrize(
  ("value", "expected"), [(0.0, 0.16583), (0.5, 1.0), (1.0, 6.0302)]
)
def test_weights_are_the_known_ones(value, expected):
  weight = quality.weight(jnp.float32(value))
  assert float(weight) == pytest.approx(expected, rel=1e-4)


@pytest.fixture(scope="module")
def drawn():
  keys = jax.random.split(jax.random.key(0), 2000)
  draw = jax.jit(jax.vmap(lambda key: quality_maps.draw(key, 24, 40)))
  return np.asarray(draw(keys))


def test_maps_lie_within_0_and_1(drawn):
  assert drawn.min() >= 0 and drawn.max() <= 1
  assert drawn.shape == (2000, 24, 40)


def test_three_kinds_have_their_shares(drawn):
  down, right = np.ptp(drawn, 1).max(1), np.ptp(drawn, 2).max(1)
  constant = (down == 0) & (right == 0)
  line = (down == 0) ^ (right == 0)
  # Three standard errors of 0.3 among 2,000 are 0.031.
  assert constant.mean() == pytest.approx(0.3, abs=0.031)
  assert line.mean() == pytest.approx(0.3, abs=0.031)
  # Each axis has half of the lines: three standard errors among 600 are 0.06.
  assert (right[line] == 0).mean() == pytest.approx(0.5, abs=0.06)


def test_gaussians_leave_the_middle_on_either_side(drawn):
  spread = np.ptp(drawn, (1, 2))
  assert (drawn[spread > 0].mean((1, 2)) > 0.5).mean() == pytest.approx(
    0.5, abs=0.05
  )
