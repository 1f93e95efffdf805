"""The second moments of lattices, which tell them from each other."""

import itertools
import math
from fractions import Fraction

import jax
import numpy as np
import pytest

from jaxlic.quantize.lattices import points as lattice_points
from tests.conftest import slow
from tests.quantize.lattices.compiled_points import nearest_with_coset, noise


def dual_moment(n):
  """G of D_n*: 2^(2/n) (1/12 - E|S_n| / 2n), S_n the sum of n U[-1/4, 1/4]."""
  # E|I - n/2| / 2 for the sum I of n U[0, 1] (Irwin-Hall), in fractions:
  # E(I - n/2)+ = sum_k (-1)^k C(n, k) ((n/2 - k)+)^(n+1) / (n+1)!, half of it.
  half = Fraction(n, 2)
  above = sum(
    (-1) ** k * math.comb(n, k) * (half - k) ** (n + 1)
    for k in range(n // 2 + 1)
  ) / math.factorial(n + 1)
  return 2 ** (2 / n) * (1 / 12 - float(above) / (2 * n))


def checkerboard_moment(n):
  return 4 ** (-1 / n) * (1 / 12 + 1 / (2 * n * (n + 1)))


# (name, n, normalized second moment): Conway and Sloane, 1999, table 2.3 and
# chapter 21, but for D_n*, whose value is derived above.
MOMENTS = [
  ("Zn", 3, 1 / 12),
  ("A2", 2, 5 / (36 * math.sqrt(3))),
  slow("Dn", 3, checkerboard_moment(3)),
  slow("Dn", 4, 13 / (120 * math.sqrt(2))),
  ("Dn", 5, checkerboard_moment(5)),
  slow("Dn*", 3, dual_moment(3)),
  ("Dn*", 4, dual_moment(4)),
  slow("Dn*", 8, dual_moment(8)),
  slow("Dn*", 48, dual_moment(48)),
  ("E8", 8, 929 / 12960),
  slow("BW16", 16, 0.068299),
]


def measured_moment(points, count, seed=0):
  """G by Monte Carlo, and its standard error."""
  drawn = noise(points, jax.random.key(seed), (count, points.n))
  square = np.asarray(drawn**2).mean(-1)
  unit = points.volume ** (2 / points.n)
  return square.mean() / unit, square.std() / math.sqrt(count) / unit


def test_the_moments_of_the_dual_are_those_of_the_published_table():
  # n = 2 is a square lattice; 0.0785433 is the body-centred cubic one.
  assert dual_moment(2) == pytest.approx(1 / 12, abs=1e-12)
  for n, value in {
    3: 0.0785433,
    8: 0.074735,
    12: 0.074801,
    192: 0.079750,
  }.items():
    assert dual_moment(n) == pytest.approx(value, abs=5.1e-7)


@pytest.mark.parametrize(("name", "n", "moment"), MOMENTS)
def test_the_second_moment_is_the_exact_one(name, n, moment):
  points = lattice_points.make(name, n)
  count = {2: 1_300_000, 3: 1_300_000, 4: 1_300_000, 5: 500_000, 8: 500_000}
  measured, error = measured_moment(points, count.get(n, 60_000))
  # Four standard errors are below what tells D_5 from D_6 (0.26 %) and D_4*
  # from D_5* (1.3 %), E_8 from D_8* (4.3 %) and BW_16 from both; D_8* and D_9*
  # (0.06 %) they do not tell apart.
  assert 4 * error < 0.0022 * moment
  assert abs(measured - moment) < 4 * error


@pytest.mark.slow
def test_the_leech_lattice_has_the_least_moment():
  moment, error = measured_moment(lattice_points.make("Leech24", 24), 800)
  # 0.065771 is 3.7 % below BW16's.
  assert error < 0.004 * moment
  assert abs(moment - 0.065771) < 4 * error


def test_the_diamond_packing_is_no_better_than_integers():
  # D_3+ is D_3 and D_3 + 1/2: G = 0.0911, above 1/12. It is no lattice, and
  # must not be taken for D_3*, whose two cosets are of Z^3.
  units = (1.0, 1.0, 1.0)
  diamond = lattice_points.Lattice("Dn*", 3, units, coset_bits=1, even=True)
  x = 4 * jax.random.uniform(jax.random.key(0), (400_000, 3))
  error = x - nearest_with_coset(diamond, x)[1]
  moment = (error**2).mean() / diamond.volume ** (2 / 3)
  assert moment == pytest.approx(0.0911, abs=2e-4)


def test_e8_points_are_the_nearest_of_all_its_cosets_of_even_integers():
  # Another way to build E_8: the cosets c + 2 Z^8 of the words c of the
  # extended Hamming code, scaled by 1 / sqrt(2); its nearest distances have the
  # same distribution.
  rows = [
    [1, 1, 1, 1, 1, 1, 1, 1],
    [0, 0, 0, 0, 1, 1, 1, 1],
    [0, 0, 1, 1, 0, 0, 1, 1],
    [0, 1, 0, 1, 0, 1, 0, 1],
  ]
  words = np.array(list(itertools.product((0, 1), repeat=4))) @ rows % 2
  x = 4 * np.random.default_rng(0).uniform(size=(20_000, 1, 8))
  residual = x - words
  residual -= 2 * np.rint(residual / 2)
  distance = (residual**2).sum(-1).min(1) / 2
  moment, error = measured_moment(lattice_points.make("E8", 8), 100_000)
  spread = distance.std() / 8 / math.sqrt(len(distance))
  assert abs(distance.mean() / 8 - moment) < 4 * math.hypot(spread, error)
