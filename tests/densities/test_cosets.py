import zlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic.densities import cosets, gaussian
from jaxlic.errors import JaxlicError
from jaxlic.quantize.lattices import points as lattice_points


def cost(points, scale, chosen):
  """Of one block, all of whose coordinates have the scale."""
  scales = jnp.full((1, 1, 1, points.n), scale, jnp.float32)
  bits = jnp.full((1, 1, 1, points.coset_bits), chosen, jnp.float32)
  return cosets.bits(points, cosets.init(points), scales, bits)[0, 0, 0]


@pytest.mark.parametrize("scale", [0.11, 0.2, 0.35, 0.6, 2.0])
def test_folded_moments_are_those_of_the_distance_to_integers(scale):
  x = scale * np.random.default_rng(0).normal(size=1_000_000)
  r = np.abs(x - np.rint(x))
  lack, variance = cosets.folded_moments(np.array([scale]), np.exp)
  # Four standard errors of a million values that differ by 1/7 at most.
  assert lack == pytest.approx(0.25 - r.mean(), abs=6e-4)
  assert variance == pytest.approx(r.var(), abs=2e-4)


def test_integer_moments_are_constants_of_the_format():
  # Another device's exponential differs by 1e-16 and must round alike.
  for moment in cosets.folded_moments(gaussian.scale_ladder(), np.exp):
    part = cosets.FRACTION * moment % 1
    assert np.abs(part - 0.5).min() > 1e-6
  # Changing what follows changes what files mean.
  moments = np.stack(cosets._integer_moments()).astype("<i8")
  assert zlib.crc32(moments.tobytes()) == 0x73330413
  assert moments[:, 0].tolist() == [170114, 4610]


@pytest.mark.slow
@pytest.mark.parametrize(
  ("name", "n", "scale"),
  [
    ("Dn*", 48, 0.25),
    ("Dn*", 48, 0.35),
    ("Dn*", 48, 0.45),
    ("A2", 2, 0.5),
  ],
)
def test_bits_start_near_their_frequency(name, n, scale):
  points = lattice_points.make(name, n)
  x = scale * jax.random.normal(jax.random.key(0), (8000, n))
  units = jnp.asarray(points.units)[None]
  frequency = float(
    lattice_points.nearest_with_coset(points, x * units)[0].mean()
  )
  # The central limit, and logits in steps of a quarter of a deviation.
  probability = 2.0 ** -float(cost(points, scale, 1.0)[0])
  assert probability == pytest.approx(frequency, rel=0.15, abs=5e-3)


def test_a_bit_of_zeros_is_nearly_free():
  assert cost(lattice_points.make("Dn*", 8), 0.11, 0.0)[0] < 1e-4


def test_a_bit_of_large_numbers_is_one():
  for chosen in (0.0, 1.0):
    bit = cost(lattice_points.make("E8"), 3.0, chosen)[0]
    # Of the first logit, at an eighth of a deviation: Phi(-1/8) = 0.45.
    assert bit == pytest.approx(-np.log2(0.55 - 0.1 * chosen), abs=0.01)


def test_files_take_the_logit_that_training_is_nearest_to():
  points = lattice_points.make("BW16")
  rows = np.random.default_rng(0).integers(0, 40, (50, 32)).astype(np.int32)
  logits = cosets.rows(points, rows).reshape(50, 2, 5)
  # 32 logits for each of five bits, the same place in each.
  place = logits % cosets.LOGITS
  np.testing.assert_array_equal(
    logits // cosets.LOGITS, np.arange(5) + 0 * logits
  )
  assert (place == place[..., :1]).all() and 0 <= place.min() < place.max() < 32
  ladder = gaussian.scale_ladder()[rows].reshape(1, 50, 1, 32)
  scale = jnp.asarray(ladder, jnp.float32)
  ramp = jnp.tile(jnp.arange(32.0), (5, 1))
  one = jnp.ones((1, 50, 1, 10))
  wanted = cosets.bits(points, ramp, scale, 0 * one)[0, :, 0]
  # The cost of 0 is softplus(logit), and logits here are their own places.
  nearest = np.log(np.expm1(np.asarray(wanted) * np.log(2))).reshape(50, 2, 5)
  assert np.abs(nearest - place)[place > 0].max() < 0.51


@pytest.mark.parametrize("row", [-1, 64, 2**31 - 1])
def test_rows_beyond_the_ladder_of_scales_are_refused(row):
  # Corrections of a damaged file can move a row off the ladder's end.
  points = lattice_points.make("Dn*", 4)
  rows = np.array([[3, 0, 63, row]], np.int32)
  with pytest.raises(JaxlicError, match=r"rows of scales are within 0\.\.63"):
    cosets.rows(points, rows)
