import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic.densities import gaussian
from jaxlic.errors import JaxlicError
from jaxlic.types import Prediction

pytestmark = pytest.mark.newest

# Entropy in bits of round(N(0, scale^2)), summed in float64.
ENTROPIES = {0.25: 0.312466, 0.5: 1.241196, 1: 2.104833, 2: 3.061969}
ENTROPIES[4] = 4.050843


@pytest.fixture(scope="module")
def tables():
  return gaussian.freeze()


def prediction(scale, mean=0.0):
  scale = jnp.asarray(scale, jnp.float32).reshape(1, 1, 1, -1)
  return Prediction(mean=jnp.full_like(scale, mean), scale=scale)


def bin_mass(symbols, scale):
  edges = (np.arange(symbols[0], symbols[-1] + 2) - 0.5) / scale
  cdf = [0.5 * math.erfc(-edge / math.sqrt(2)) for edge in edges]
  return np.diff(cdf)


def row_costs(tables, row):
  """A row's symbols, their probabilities and their cost in bits."""
  n = tables.sizes[row] - 1
  p = tables.frequencies[row, :n] / 2**24
  return tables.offsets[row] + np.arange(n), p, -np.log2(p)


def test_the_ladder_is_tensorflow_compression_s():
  ladder = gaussian.scale_ladder()
  np.testing.assert_allclose(
    ladder[:3], [0.11, 0.1244041, 0.1406944], rtol=1e-6
  )
  np.testing.assert_allclose(ladder[1:] / ladder[:-1], 1.1309464, rtol=1e-7)
  np.testing.assert_allclose(ladder[-1], 256.0, rtol=1e-12)


@pytest.mark.parametrize(
  ("scale", "row"),
  # The entry nearest in the logarithm: edges are at geometric means, such as
  # 0.11 * 1.1309464**0.5 = 0.11698 and 256 / 1.1309464**0.5 = 240.72.
  [(-1, 0), (0, 0), (0.05, 0), (0.11, 0), (0.1169, 0), (0.1171, 1), (1, 18)]
  + [(10, 37), (240.7, 62), (240.8, 63), (256, 63), (1e9, 63)],
)
def test_a_scale_takes_the_row_of_the_nearest_entry(scale, row):
  assert gaussian.by_scale().rows(prediction(scale)).item() == row


def test_every_ladder_entry_takes_its_own_row():
  by_scale = gaussian.by_scale().rows(prediction(gaussian.scale_ladder()))
  by_index = gaussian.by_index().rows(prediction(np.arange(64.0)))
  np.testing.assert_array_equal(by_scale.ravel(), np.arange(64))
  np.testing.assert_array_equal(by_index.ravel(), np.arange(64))


def test_an_index_takes_the_nearest_row():
  rows = gaussian.by_index().rows(prediction([-3, 0.4, 0.6, 17.5, 62.7, 99]))
  np.testing.assert_array_equal(rows.ravel(), [0, 0, 1, 18, 63, 63])


@pytest.mark.parametrize(
  ("scale", "mass"),
  # erf(1 / (2 sqrt(2) scale)).
  [(0.11, 0.99999452), (0.25, 0.95449974), (0.5, 0.68268949)]
  + [(1.0, 0.38292492), (2.0, 0.19741265), (10.0, 0.03987761)],
)
def test_the_central_bin_has_the_known_mass(scale, mass):
  zero = jnp.float32(0.0)
  bits = gaussian.bin_bits(zero, zero, jnp.float32(scale))
  # The mass is a difference of float32 values around 1/2, of resolution 6e-8.
  np.testing.assert_allclose(2.0**-bits, mass, rtol=1e-7, atol=6e-8)


@pytest.mark.parametrize(("scale", "entropy"), ENTROPIES.items())
def test_mean_bits_are_the_entropy(scale, entropy):
  symbols = jnp.arange(-40.0, 41.0)
  bits = gaussian.bin_bits(symbols, jnp.zeros(81), jnp.full(81, 1.0 * scale))
  # The float32 masses are precise to 1e-6.
  np.testing.assert_allclose((2.0**-bits * bits).sum(), entropy, rtol=1e-5)


def test_every_row_has_the_entropy_of_its_scale(tables):
  for row, scale in enumerate(gaussian.scale_ladder()):
    symbols, p, bits = row_costs(tables, row)
    mass = bin_mass(symbols, scale)
    mass = mass[mass > 0]
    entropy = -(mass * np.log2(mass)).sum()
    np.testing.assert_allclose((p * bits).sum(), entropy, rtol=0.01)


@pytest.mark.parametrize(("scale", "entropy"), ENTROPIES.items())
def test_the_chosen_row_costs_little_more_than_the_entropy(
  tables, scale, entropy
):
  row = int(gaussian.by_scale().rows(prediction(scale)).item())
  symbols, _, bits = row_costs(tables, row)
  cost = (bin_mass(symbols, scale) * bits).sum()
  # log2(r) - (1 - r^-2) / (2 ln 2) = 0.0202 bits of divergence between
  # Gaussians whose scales are a ladder step r = 1.131 apart.
  assert 0 <= cost - entropy < 0.0202


def test_rows_leave_out_no_more_than_the_tail_mass(tables):
  for row, scale in enumerate(gaussian.scale_ladder()):
    radius = -tables.offsets[row]
    assert tables.sizes[row] == 2 * radius + 2
    assert math.erfc((radius + 0.5) / scale / math.sqrt(2)) <= 1e-9


def test_frequencies_reproduce_the_mass(tables):
  for row in (0, 18, 40):
    symbols, p, _ = row_costs(tables, row)
    expected = bin_mass(symbols, gaussian.scale_ladder()[row])
    # Integers >= 1, of which raising the empty ones to 1 takes `size` in all.
    np.testing.assert_allclose(p, expected, atol=(2 + len(p)) / 2**24)


def test_a_wide_gaussian_costs_its_differential_entropy():
  # In the limit of large scales, log2(scale sqrt(2 pi)) bits at the mean.
  bits = gaussian.bin_bits(jnp.float32(0), jnp.float32(0), jnp.float32(200))
  expected = math.log2(200 * math.sqrt(2 * math.pi))
  np.testing.assert_allclose(bits, expected, rtol=1e-5)


def test_bits_depend_on_the_distance_from_the_mean():
  bits = gaussian.by_scale().bits
  a = bits({}, jnp.full((1, 1, 1, 1), 2.5), prediction(0.7, mean=1.0))
  b = bits({}, jnp.full((1, 1, 1, 1), -1.5), prediction(0.7))
  np.testing.assert_allclose(a, b, rtol=1e-6)


def test_index_and_scale_give_the_same_bits():
  index = np.linspace(0, 63, 64)
  value = 3 * jax.random.normal(jax.random.key(0), (1, 1, 1, 64))
  a = gaussian.by_index().bits({}, value, prediction(index))
  scale = 0.11 * (256 / 0.11) ** (index / 63)
  b = gaussian.by_scale().bits({}, value, prediction(scale))
  # The exponential's float32 error is multiplied by (value / scale)^2 < 2000,
  # beyond which the bits are capped.
  np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-6)
  np.testing.assert_allclose(gaussian.scale_at(jnp.asarray(index)), scale, 1e-5)


@pytest.mark.parametrize("make", [gaussian.by_scale, gaussian.by_index])
def test_bits_and_gradients_are_finite_at_the_tails(make):
  value = jnp.array([-1e6, -30.0, 0.0, 0.5, 1e6]).reshape(5, 1, 1, 1)
  value = jnp.tile(value, (1, 1, 1, 4))
  scale = jnp.tile(jnp.array([-5.0, 0.0, 0.11, 300.0]), (5, 1, 1, 1))

  def loss(value, mean, scale):
    return make().bits({}, value, Prediction(mean, scale)).sum()

  assert jnp.isfinite(loss(value, 0 * value, scale))
  for grad in jax.grad(loss, (0, 1, 2))(value, 0 * value, scale):
    assert jnp.isfinite(grad).all()


def test_a_scale_below_the_bound_is_still_raised():
  # A large residual wants a larger scale; the clamp lets that gradient pass.
  value = jnp.ones((1, 1, 1, 1))

  def loss(scale):
    return gaussian.by_scale().bits({}, value, prediction(scale)).sum()

  assert jax.grad(loss)(jnp.float32(0.01)) < 0


SCALES = (0.3, 1.0, 40.0)


@pytest.mark.parametrize(
  ("scale", "row"),
  # Edges are the geometric means 0.54772 and 6.32456.
  [(-1, 0), (0.3, 0), (0.547, 0), (0.548, 1), (6.32, 1), (6.33, 2), (1e9, 2)],
)
def test_a_table_of_three_scales_has_their_rows(scale, row):
  density = gaussian.by_scale(SCALES)
  assert density.rows(prediction(scale)).item() == row
  assert len(density.freeze({}).sizes) == 3


def test_a_table_s_least_scale_bounds_predictions():
  bits = gaussian.by_scale(SCALES).bits(
    {}, jnp.zeros((1, 1, 1, 2)), prediction([0.3, 0.01])
  )
  expected = -math.log2(math.erf(0.5 / (0.3 * math.sqrt(2))))
  np.testing.assert_allclose(bits, np.full(bits.shape, expected), rtol=1e-5)


def test_a_scale_is_near_the_edges_of_its_own_table():
  # The width is 3e-5 steps of the ladder, 3.7e-6 of a scale.
  edge = math.sqrt(0.3)
  scale = [edge * (1 + share) for share in (-1e-5, -1e-6, 1e-6, 1e-5)]
  near_edge = gaussian.by_scale(SCALES).near_edge(prediction(scale))
  assert near_edge.ravel().tolist() == [False, True, True, False]
  ladder_s = gaussian.by_scale().near_edge(prediction(scale))
  assert not ladder_s.any()


@pytest.mark.parametrize("tail_mass", [1e-3, 1e-9])
def test_rows_leave_out_no_more_than_their_tail_mass(tail_mass):
  tables = gaussian.by_scale(SCALES, tail_mass=tail_mass).freeze({})
  for scale, offset in zip(SCALES, tables.offsets, strict=True):
    outside = math.erfc((0.5 - offset) / (scale * math.sqrt(2)))
    assert outside <= tail_mass
    # One symbol less on each side would be too few.
    assert math.erfc((-1 - offset) / (scale * math.sqrt(2))) > tail_mass


def test_the_ladder_as_a_table_makes_the_same_rows(tables):
  scales = gaussian.check_scales(gaussian.scale_ladder())
  for mine, theirs in zip(gaussian.freeze(scales), tables, strict=True):
    np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(
  ("scales", "match"),
  [
    ([], r"1 to 256 scales along one axis, got \[0\]"),
    ([[1.0]], r"got \[1, 1\]; give so many"),
    (np.arange(1, 258), r"got \[257\]"),
    ([1.0, 1.0005], "0.1 % above the one before or more, got"),
    ([2.0, 1.0], r"got \[2.0, 1.0\]; sort them"),
    ([0.0, 1.0], r"above 0, up to 2048"),
    ([1.0, 2049.0], r"above 0, up to 2048"),
    ([1.0, math.nan], r"above 0, up to 2048"),
  ],
)
def test_scales_that_make_no_table_are_refused(scales, match):
  with pytest.raises(JaxlicError, match=match):
    gaussian.check_scales(scales)
