import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic.coding import range_coder
from jaxlic.densities import asymmetric, gaussian
from jaxlic.types import Prediction


@pytest.fixture(scope="module")
def tables():
  return asymmetric.freeze()


def mass(value, left, right, mean=0.0):
  arrays = (jnp.asarray(x, jnp.float32) for x in (value, mean, left, right))
  return np.asarray(asymmetric.bin_mass(*arrays))


def prediction(left, right, mean=0.0, shape=(1, 1, 1, 1)):
  scale = jnp.broadcast_to(jnp.array([left, right]), (*shape, 2))
  return Prediction(jnp.full(shape, mean), scale)


def cdf(x, left, right):
  """The distribution function, in double precision; x relative to the mode."""
  total = left + right
  if x < 0:
    return left / total * math.erfc(-x / left / math.sqrt(2))
  return left / total + right / total * math.erf(x / right / math.sqrt(2))


@pytest.mark.parametrize(
  ("symbol", "expected"), [(0, 0.1950070), (1, 0.1879179), (-1, 0.1208652)]
)
def test_bins_have_the_known_masses(symbol, expected):
  # By quadrature of the density with scales 1 and 3, to seven digits.
  assert mass(symbol, 1.0, 3.0) == pytest.approx(expected, abs=1e-7)


def test_the_mode_has_the_known_mass_below():
  below = mass(-0.5 - np.arange(40.0), 1.0, 3.0).sum()
  # sl / (sl + sr) with scales 1 and 3, but for the rounding of the sum.
  assert below == pytest.approx(0.25, abs=1e-6)


@pytest.mark.parametrize(("left", "right"), [(1.0, 3.0), (4.0, 2.0)])
def test_moments_are_the_known_ones(left, right):
  k = np.arange(-60.0, 61.0)
  p = mass(k, left, right)
  mean = (p * k).sum()
  # sqrt(2 / pi) (sr - sl) and (1 - 2 / pi) (sr - sl)^2 + sl sr, to which bins
  # of width 1 add 1 / 12; the density's kink moves both by less than 1 %.
  gap = right - left
  assert mean == pytest.approx(math.sqrt(2 / math.pi) * gap, rel=0.01)
  variance = (1 - 2 / math.pi) * gap**2 + left * right + 1 / 12
  assert (p * (k - mean) ** 2).sum() == pytest.approx(variance, rel=0.01)


def test_equal_scales_make_the_gaussian():
  value = jnp.linspace(-9, 9, 55)
  scale = jnp.float32(1.7)
  wanted = gaussian.bin_mass(value, jnp.float32(0.3), scale)
  # Another order of float32 sums, around the mode only.
  np.testing.assert_allclose(mass(value, 1.7, 1.7, 0.3), wanted, rtol=3e-6)


def test_rows_of_equal_scales_are_the_gaussian_s(tables):
  symmetric = gaussian.freeze()
  rows = np.arange(gaussian.LEVELS) * (gaussian.LEVELS + 1)
  width = symmetric.frequencies.shape[1]
  np.testing.assert_array_equal(tables.sizes[rows], symmetric.sizes)
  np.testing.assert_array_equal(tables.offsets[rows], symmetric.offsets)
  frequencies = tables.frequencies[rows][:, :width]
  np.testing.assert_array_equal(frequencies, symmetric.frequencies)


def test_swapped_scales_mirror_a_row(tables):
  a, b = (10 * gaussian.LEVELS + 40, 40 * gaussian.LEVELS + 10)
  core = tables.sizes[a] - 1
  assert tables.sizes[b] == tables.sizes[a]
  assert tables.offsets[a] + core - 1 == -tables.offsets[b]
  mirrored = tables.frequencies[b, :core][::-1]
  # Counts that are moved to complete a sum may go to either of two equals.
  assert np.abs(tables.frequencies[a, :core].astype(int) - mirrored).max() <= 1


@pytest.mark.parametrize(("left", "right"), [(0.3, 5.0), (6.0, 0.11)])
def test_tails_keep_their_precision(left, right):
  for value in (-6 * left, -2 * left - 1, 0.0, 2 * right + 1, 6 * right):
    value = round(value)
    if value > 0:  # in the lower tail of the mirror image
      exact = cdf(0.5 - value, right, left) - cdf(-0.5 - value, right, left)
    else:
      exact = cdf(value + 0.5, left, right) - cdf(value - 0.5, left, right)
    # A few last bits of float32, times the tail's slope of about 6 per scale.
    assert mass(value, left, right) == pytest.approx(exact, rel=2e-5, abs=1e-30)


def test_frequencies_reproduce_the_mass(tables):
  ladder = gaussian.scale_ladder()
  for i, j in [(0, 63), (20, 20), (35, 12)]:
    row = i * gaussian.LEVELS + j
    core = tables.sizes[row] - 1
    symbols = tables.offsets[row] + np.arange(core)
    frequencies = tables.frequencies[row, :core] / 2**24
    # Integers >= 1, of which raising the empty ones to 1 takes `size` in all;
    # float32 masses are right to a few of 2^24 in all.
    np.testing.assert_allclose(
      frequencies, mass(symbols, ladder[i], ladder[j]), atol=(8 + core) / 2**24
    )


def test_symbols_are_coded_at_the_cost_of_their_bits(tables):
  rng = np.random.default_rng(0)
  shape = (1, 40, 40, 4)
  scale = np.exp(rng.uniform(-2, 4, (*shape, 2))).astype(np.float32)
  side = rng.uniform(size=shape) < scale[..., 0] / scale.sum(-1)
  size = np.abs(rng.normal(size=shape))
  drawn = np.where(side, -scale[..., 0] * size, scale[..., 1] * size)
  symbols = np.rint(drawn).astype(np.int32)
  density = asymmetric.by_scale()
  known = Prediction(jnp.zeros(shape), jnp.asarray(scale))
  rows = np.asarray(density.rows(known))
  assert rows.shape == (*shape, 2)
  encoder, models = range_coder.Encoder(), range_coder.compile_tables(tables)
  encoder.push(symbols.ravel(), rows.reshape(-1, 2), models)
  data = encoder.finish()
  decoded = range_coder.Decoder(data).pop(rows.reshape(-1, 2), models)
  np.testing.assert_array_equal(decoded, symbols.ravel())
  bits = density.bits({}, jnp.asarray(symbols, jnp.float32), known).sum()
  # Half a ladder step on either side costs at most 0.005 bits per symbol, as
  # for the Gaussian; where the estimate is above, chance is.
  assert abs(8 * len(data) / bits - 1) < 0.005


@pytest.mark.parametrize("value", [-1e6, -30.0, -0.5, 0.0, 0.5, 30.0, 1e6])
def test_bits_and_gradients_are_finite(value):
  def bits(value, mean, left, right):
    scale = jnp.stack([left, right], -1)
    return asymmetric.by_scale().bits({}, value, Prediction(mean, scale)).sum()

  for left, right in [(0.0, 1.0), (300.0, 0.5)]:
    arguments = [
      jnp.full((1, 1, 1, 1), x, jnp.float32) for x in (value, 0, left, right)
    ]
    numbers = jax.value_and_grad(bits, argnums=(0, 1, 2, 3))(*arguments)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(numbers))


def test_a_scale_next_to_an_edge_is_near_it_on_its_side_alone():
  ladder = gaussian.scale_ladder()
  edge = math.sqrt(ladder[20] * ladder[21])
  density = asymmetric.by_scale()
  near_edge = density.near_edge(prediction(edge, float(ladder[30])))
  assert near_edge.ravel().tolist() == [True, False]
