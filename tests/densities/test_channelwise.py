"""Densities per channel: both rates, mixtures, and tables of scaled ones."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic.densities import channel_mixtures, channelwise, factorized
from jaxlic.densities.channelwise import Scaled
from jaxlic.errors import JaxlicError
from jaxlic.types import Prediction
from tests.conftest import slow

FAMILIES = {
  "scales": channel_mixtures.scale_mixture(3),
  "mixture": channel_mixtures.gaussian_mixture(2),
  "factorized": factorized.FAMILY,
}
# The midpoints of 4,096 slices of the unit bin: a mean over all noise.
NOISE = (np.arange(4096) + 0.5) / 4096 - 0.5


# A mixture is made of the functions of scales; the third has a file of its own.
@pytest.fixture(params=["scales", slow("mixture"), slow("factorized")])
def family(request):
  return FAMILIES[request.param]


def gaussian(scale):
  """One channel, one Gaussian."""
  family = channel_mixtures.scale_mixture(1)
  params = {
    "log_weight": jnp.zeros((1, 1)),
    "log_precision": jnp.full((1, 1), -2 * math.log(scale)),
  }
  return family, params


def random(family, channels=4):
  """Far from the first parameters, and different in every channel."""
  params = family.init(jax.random.key(1), channels)
  rng = np.random.default_rng(2)
  return {
    name: value + 0.5 * rng.standard_normal(value.shape, np.float32)
    for name, value in params.items()
  }


def points(low, high, channels=4, step=1.0):
  line = jnp.arange(low, high + step, step, jnp.float32)
  return jnp.tile(line, (channels, 1))


def mean_bound(family, params, z):
  """The mean over noise of the bound's estimate at z, per channel."""
  channels = len(jax.tree.leaves(params)[0])
  noisy = jnp.tile(jnp.asarray(z + NOISE, jnp.float32), (channels, 1))
  return channelwise.bound_bits(family, params, noisy).mean(1)


@pytest.mark.parametrize(
  ("scale", "z", "bound", "exact"),
  [
    (1.0, 0.0, 1.385860, 1.384867),
    (1.0, 1.0, 2.107208, 2.048530),
    (0.5, 0.0, 0.566197, 0.550699),
    (0.25, 0.0, 0.287545, 0.067183),
    (0.25, 1.0, 11.8291, 5.4580),
  ],
)
def test_both_rates_of_a_gaussian_are_the_known_answers(scale, z, bound, exact):
  # E[-log2 q(z + u)] = log2(2 pi s^2) / 2 + (z^2 + 1/12) / (2 s^2 ln 2).
  family, params = gaussian(scale)
  bits = channelwise.exact_bits(family, params, jnp.full((1, 1), z))
  np.testing.assert_allclose(bits, [[exact]], rtol=2e-5)
  bits = mean_bound(family, params, z)
  np.testing.assert_allclose(bits, [bound], rtol=2e-5)


@pytest.mark.parametrize("z", [-3.0, 0.0, 1.0])
def test_the_bound_is_no_less_than_the_exact_rate(family, z):
  params = random(family)
  exact = channelwise.exact_bits(family, params, jnp.full((4, 1), z))[:, 0]
  gap = mean_bound(family, params, z) - exact
  assert (gap > 0).all()


def test_the_gap_closes_as_the_scale_grows():
  gaps = []
  for scale in (0.5, 1.0, 2.0, 4.0):
    family, params = gaussian(scale)
    exact = channelwise.exact_bits(family, params, jnp.ones((1, 1)))
    gaps.append(float(mean_bound(family, params, 1.0)[0] - exact[0, 0]))
  assert all(a > 3 * b > 0 for a, b in zip(gaps, gaps[1:], strict=False))


def test_masses_are_the_integral_of_the_density(family):
  params = random(family)
  z = points(-6, 6)
  fine = z[..., None] + jnp.asarray(NOISE, jnp.float32)[None, None]
  density = jnp.exp(family.log_density(params, fine.reshape(4, -1)))
  integral = density.reshape(*z.shape, -1).mean(-1)
  mass = family.mass(params, z - 0.5, z + 0.5)
  np.testing.assert_allclose(mass, integral, rtol=1e-3, atol=1e-7)


def test_masses_sum_to_one_and_are_precise_in_both_tails(family):
  params = random(family)
  mass = family.mass(params, points(-999, 999) - 0.5, points(-999, 999) + 0.5)
  np.testing.assert_allclose(mass.sum(-1), 1.0, atol=1e-5)
  big, edge = jnp.full((4, 1), 1e4), jnp.full((4, 1), 40.0)
  left, right = family.mass(params, -big, -edge), family.mass(params, edge, big)
  assert (left > 0).all() and (right > 0).all() and (left < 0.1).all()


def test_a_scale_mixture_is_symmetric_and_the_other_is_not():
  x = points(-4, 4)
  for name, symmetric in (("scales", True), ("mixture", False)):
    family = FAMILIES[name]
    density = family.log_density(random(family), x)
    close = np.allclose(density, density[:, ::-1], rtol=1e-5)
    assert close == symmetric


def test_mixtures_have_two_or_three_parameters_per_component():
  for name, count in (("scales", 5 * 3 * 2), ("mixture", 5 * 2 * 3)):
    params = FAMILIES[name].init(jax.random.key(0), 5)
    assert sum(value.size for value in params.values()) == count


def test_a_scaled_density_is_that_of_scaled_latents():
  # Of a Gaussian, times its standard deviation.
  family, params = gaussian(2.0)
  _, half = gaussian(1.0)
  z = points(-5, 5, 1)
  for rate in (channelwise.exact_bits, channelwise.bound_bits):
    np.testing.assert_allclose(
      rate(family, params, z, jnp.full((1, 1), 0.5)),
      rate(family, half, z),
      rtol=1e-5,
    )


def test_a_scale_of_one_changes_no_bit(family):
  params, z = random(family), points(-5, 5)
  for rate in (channelwise.exact_bits, channelwise.bound_bits):
    scaled = rate(family, params, z, jnp.ones((4, 1)))
    np.testing.assert_array_equal(scaled, rate(family, params, z))


@pytest.fixture
def optimized():
  """As users compile."""
  jax.config.update("jax_disable_most_optimizations", False)
  yield
  jax.config.update("jax_disable_most_optimizations", True)


def test_compiled_sums_are_those_of_the_rates(family, optimized):
  # Fused into a sum, a sign that was computed twice once differed at 0.
  params = family.init(jax.random.key(0), 32)
  z = jnp.tile(points(-3, 3, 32), (1, 55))

  def total(params, z, scale):
    return channelwise.exact_bits(family, params, z, scale).sum()

  scale = jnp.full((32, 1), 1.7)
  np.testing.assert_allclose(
    jax.jit(total)(params, z, scale), total(params, z, scale), rtol=1e-5
  )


def test_rates_have_gradients_that_are_finite_far_out(family):
  params = random(family)
  z = jnp.asarray([-3000.0, -40.0, 0.0, 40.0, 3000.0])
  z = jnp.tile(z, (4, 1))
  for rate in (channelwise.exact_bits, channelwise.bound_bits):
    slopes = jax.jit(
      jax.grad(lambda *known, rate=rate: rate(family, *known).sum(), (0, 1))
    )
    for leaf in jax.tree.leaves(slopes(params, z)):
      assert jnp.isfinite(leaf).all()


def test_frozen_frequencies_reproduce_the_mass(family):
  params = random(family)
  tables = channelwise.freeze(family, params)
  assert len(tables.sizes) == 4
  # The widest row's bins of all.
  count = np.arange(max(tables.sizes) - 1, dtype=np.float32)
  z = jnp.asarray(tables.offsets[:, None] + count, jnp.float32)
  masses = family.mass(params, z - 0.5, z + 0.5)
  for row, (f, size, _) in enumerate(zip(*tables, strict=True)):
    mass = masses[row, : size - 1]
    # Frequencies are integers >= 1, of which raising the empty ones to 1 takes
    # up to `size` in all; the masses are float32.
    np.testing.assert_allclose(
      f[: size - 1] / 2**24, mass, atol=(2 + size) / 2**24
    )


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_frozen_rows_leave_out_no_more_than_the_tail_mass(scale):
  family, params = gaussian(scale)
  tables = channelwise.freeze(family, params)
  first = int(tables.offsets[0])
  last = first + int(tables.sizes[0]) - 2
  assert first == -last
  # float32 places a quantile of 6 deviations to within 1e-5 of itself.
  outside = math.erfc((last + 0.5) / scale / 2**0.5)
  assert outside <= 1e-9 * (1 + 1e-3)


def scaled_density(levels):
  family, params = gaussian(2.0)
  density = channelwise.make_scaled("d", family, "s", bound=True)
  return density, {"d": params, "s": jnp.log(jnp.asarray(levels))[:, None]}


def at_level(level, shape=(1, 2, 3, 1)):
  return Scaled(jnp.zeros(shape), jnp.full(shape[:1], level))


def test_tables_of_scaled_latents_are_those_of_the_nearest_step():
  density, params = scaled_density([0.5, 2.0])
  tables = density.freeze(params)
  assert len(tables.sizes) == channelwise.STEPS + 1
  family, _ = gaussian(1.0)
  for level, row, deviation in [
    (0.0, 0, 1.0),
    (0.03, 0, 1.0),
    (0.26, 4, 2**0.5),
    (0.5, 8, 2.0),
    (1.0, 16, 4.0),
  ]:
    rows = density.rows(at_level(level))
    np.testing.assert_array_equal(rows, row)
    alone = channelwise.freeze(family, gaussian(deviation)[1])
    assert tables.sizes[row] == alone.sizes[0]
    size = int(alone.sizes[0])
    np.testing.assert_allclose(
      tables.frequencies[row, :size] / 2**24,
      alone.frequencies[0] / 2**24,
      atol=1e-6,
    )


def test_every_image_has_the_scale_of_its_level():
  density, params = scaled_density([0.5, 2.0])
  known = Scaled(jnp.zeros((2, 1, 1, 1)), jnp.asarray([0.0, 1.0]))
  value = jnp.full((2, 1, 1, 1), 3.0)
  for rated, form in [
    (density.bits, channelwise.exact_bits),
    (density.training_bits, channelwise.bound_bits),
  ]:
    of_images = rated(params, value, known).ravel()
    for bits, deviation in zip(of_images, (1.0, 4.0), strict=True):
      family, alone = gaussian(deviation)
      np.testing.assert_allclose(
        bits, form(family, alone, jnp.full((1, 1), 3.0))[0, 0], rtol=1e-5
      )


def test_the_mean_shifts_both_rates():
  family, params = gaussian(1.0)
  density = channelwise.make("d", family, bound=True)
  value = jax.random.normal(jax.random.key(0), (2, 3, 1, 1))
  zero = Prediction(jnp.zeros_like(value), jnp.zeros_like(value))
  ahead = zero._replace(mean=zero.mean + 2.0)
  for rated in (density.bits, density.training_bits):
    np.testing.assert_allclose(
      rated({"d": params}, value + 2.0, ahead),
      rated({"d": params}, value, zero),
      rtol=1e-4,
    )


def test_a_family_of_masses_alone_has_the_exact_rate():
  # The mass of a Laplace density of scale 1 between two points.
  def mass(params, lower, upper):
    return (
      jnp.sign(upper) * -jnp.expm1(-jnp.abs(upper))
      - jnp.sign(lower) * -jnp.expm1(-jnp.abs(lower))
    ) / 2

  density = channelwise.make("d", channelwise.Family(mass))
  zero = jnp.zeros((1, 2, 2, 3))
  known = Prediction(mean=zero, scale=zero)
  bits = density.bits({"d": {}}, zero, known)
  # Around 0 lies 1 - exp(-1/2) of it.
  np.testing.assert_allclose(bits, -math.log2(-math.expm1(-0.5)), rtol=1e-5)


def test_a_bound_without_a_density_is_refused():
  family = channelwise.Family(lambda params, lower, upper: upper - lower)
  with pytest.raises(JaxlicError, match="log_density, got None; give one"):
    channelwise.make("d", family, bound=True)
