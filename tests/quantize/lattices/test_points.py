import itertools
import math
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic.errors import JaxlicError
from jaxlic.quantize.lattices import points as lattice_points

ALL = [
  ("Zn", 3),
  ("A2", 2),
  ("Dn", 2),
  ("Dn", 3),
  ("Dn", 5),
  ("Dn*", 2),
  ("Dn*", 3),
  ("Dn*", 6),
  ("E8", 8),
  ("BW16", 16),
]
LARGE = [*ALL, ("Leech24", 24)]


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
  ("Dn", 3, checkerboard_moment(3)),
  ("Dn", 4, 13 / (120 * math.sqrt(2))),
  ("Dn", 5, checkerboard_moment(5)),
  ("Dn*", 3, dual_moment(3)),
  ("Dn*", 4, dual_moment(4)),
  ("Dn*", 8, dual_moment(8)),
  ("Dn*", 48, dual_moment(48)),
  ("E8", 8, 929 / 12960),
  ("BW16", 16, 0.068299),
]


nearest_with_coset, nearest, to_symbols, from_symbols, soften, noise = (
  jax.jit(function, static_argnums=static)
  for function, static in (
    (lattice_points.nearest_with_coset, 0),
    (lattice_points.nearest, 0),
    (lattice_points.to_symbols, 0),
    (lattice_points.from_symbols, 0),
    (lattice_points.soften, 0),
    (lattice_points.noise, (0, 2)),
  )
)


def made(name, n):
  return lattice_points.make(name, n)


def measured_moment(points, count, seed=0):
  """G by Monte Carlo, and its standard error."""
  drawn = noise(points, jax.random.key(seed), (count, points.n))
  square = np.asarray(drawn**2).mean(-1)
  unit = points.volume ** (2 / points.n)
  return square.mean() / unit, square.std() / math.sqrt(count) / unit


def random_blocks(points, count, seed=1, scale=3.0):
  return scale * jax.random.normal(jax.random.key(seed), (count, points.n))


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
  points = made(name, n)
  count = {2: 1_300_000, 3: 1_300_000, 4: 1_300_000, 5: 500_000, 8: 500_000}
  found, error = measured_moment(points, count.get(n, 60_000))
  # Four standard errors are below what tells D_5 from D_6 (0.26 %) and D_4*
  # from D_5* (1.3 %), E_8 from D_8* (4.3 %) and BW_16 from both; D_8* and D_9*
  # (0.06 %) they do not tell apart.
  assert 4 * error < 0.0022 * moment
  assert abs(found - moment) < 4 * error


def test_the_leech_lattice_has_the_least_moment():
  found, error = measured_moment(made("Leech24", 24), 800)
  # 0.065771 is 3.7 % below BW16's.
  assert error < 0.004 * found
  assert abs(found - 0.065771) < 4 * error


def test_the_diamond_packing_is_no_better_than_integers():
  # D_3+ is D_3 and D_3 + 1/2: G = 0.0911, above 1/12. It is no lattice, and
  # must not be taken for D_3*, whose two cosets are of Z^3.
  units = (1.0, 1.0, 1.0)
  diamond = lattice_points.Lattice("Dn*", 3, units, coset_bits=1, even=True)
  x = 4 * jax.random.uniform(jax.random.key(0), (400_000, 3))
  error = x - nearest_with_coset(diamond, x)[1]
  found = (error**2).mean() / diamond.volume ** (2 / 3)
  assert found == pytest.approx(0.0911, abs=2e-4)


@pytest.mark.parametrize(("name", "n"), [p for p in ALL if p[1] <= 6])
def test_points_are_the_nearest_by_brute_force(name, n):
  points = made(name, n)
  blocks = random_blocks(points, 60)
  found = np.asarray(nearest_with_coset(points, blocks)[1])
  x = np.asarray(blocks)
  steps = np.array(list(itertools.product((-1, 0, 1), repeat=n)))
  best = np.full(len(x), np.inf)
  for glue in points.glue:
    whole = np.rint(x / np.asarray(points.units) - glue)[:, None] + steps
    candidates = (whole + glue) * np.asarray(points.units)
    distance = ((candidates - x[:, None]) ** 2).sum(-1)
    if points.even:
      distance[whole.sum(-1) % 2 == 1] = np.inf
    best = np.minimum(best, distance.min(1))
  np.testing.assert_allclose(((found - x) ** 2).sum(-1), best, rtol=1e-4)


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
  found, error = measured_moment(made("E8", 8), 100_000)
  spread = distance.std() / 8 / math.sqrt(len(distance))
  assert abs(distance.mean() / 8 - found) < 4 * math.hypot(spread, error)


@pytest.mark.parametrize(("name", "n"), LARGE)
def test_points_are_their_own_nearest_and_cells_move_with_them(name, n):
  points = made(name, n)
  x = random_blocks(points, 20)
  point = nearest_with_coset(points, x)[1]
  again = nearest_with_coset(points, point)[1]
  np.testing.assert_allclose(again, point, atol=1e-6)
  # The sum of two points is a point, and x moved by one has the moved nearest.
  shift = point[::-1]
  moved = nearest_with_coset(points, x + shift)[1]
  np.testing.assert_allclose(moved, point + shift, atol=1e-4)


@pytest.mark.parametrize(("name", "n"), LARGE)
def test_symbols_and_points_are_one_to_one(name, n):
  points = made(name, n)
  coset, point = nearest_with_coset(points, random_blocks(points, 30))
  bits, whole = to_symbols(points, coset, point)
  assert bits.shape == (30, points.coset_bits) and whole.shape == (30, n)
  np.testing.assert_allclose(
    from_symbols(points, bits, whole), point, atol=1e-6
  )
  # Any integers are the symbols of a point, which is its own nearest.
  random = np.random.default_rng(0)
  bits = jnp.asarray(random.integers(0, 2, (30, points.coset_bits)), jnp.int32)
  whole = jnp.asarray(random.integers(-9, 10, (30, n)), jnp.int32)
  point = from_symbols(points, bits, whole)
  coset, found = nearest_with_coset(points, point)
  np.testing.assert_allclose(found, point, atol=1e-5)
  again = to_symbols(points, coset, found)
  np.testing.assert_array_equal(again[0], bits)
  np.testing.assert_array_equal(again[1], whole)


def test_points_are_those_of_the_definitions():
  twice = 2 * nearest(made("Dn*", 5), random_blocks(made("Dn*", 5), 50))
  odd = np.asarray(twice) % 2
  assert np.isin(odd.sum(-1), (0, 5)).all() and 0 < odd.mean() < 1
  even = nearest(made("Dn", 5), random_blocks(made("Dn", 5), 50))
  assert not (np.asarray(even).sum(-1) % 2).any()
  # In the usual scale of 4, Leech vectors are all even or all odd, with sums
  # of 0 or 4 modulo 8; their squared lengths are multiples of 16.
  points = made("Leech24", 24)
  x = 4 * np.asarray(nearest(points, random_blocks(points, 20)))
  parity = x % 2
  assert np.isin(parity.sum(-1), (0, 24)).all()
  assert (x.sum(-1) % 8 == 4 * parity[:, 0]).all()
  assert not ((x**2).sum(-1) % 16).any()


@pytest.mark.parametrize(
  ("name", "n"), [("E8", 8), ("BW16", 16), ("Leech24", 24)]
)
def test_the_shortest_points_are_as_long_as_published(name, n):
  # Conway and Sloane, 1999, chapter 4: squared lengths of 2 at a volume of 1
  # (E_8), of 4 at 16 (BW_16) and of 4 at 1 (Leech); the last two are scaled by
  # the root of 1/2 here, to volumes of 2^-4 and 2^-12.
  points = made(name, n)
  x = random_blocks(points, 400 if n < 24 else 60, scale=0.3 if n > 8 else 0.5)
  square = (nearest(points, x) ** 2).sum(-1)
  other = square[square > 1e-6]
  assert len(other) and other.min() == pytest.approx(2.0)


def test_ties_are_defined():
  dual, even = made("Dn*", 3), made("Dn", 3)
  # 1/4 lies between both cosets: the first wins. Halves go to even integers.
  x = jnp.array([[0.25, 0.25, 0.25], [0.5, 0.0, 0.0], [1.5, 0.0, 0.0]])
  np.testing.assert_array_equal(
    nearest(dual, x), [[0, 0, 0], [0, 0, 0], [2, 0, 0]]
  )
  # An odd sum without errors is repaired upwards in the first coordinate.
  x = jnp.array([[1.0, 0.0, 0.0], [0.0, 1.25, -0.25]])
  np.testing.assert_array_equal(nearest(even, x), [[2, 0, 0], [0, 2, 0]])


@pytest.mark.parametrize(("name", "n"), [("Dn*", 4), ("E8", 8), ("A2", 2)])
def test_noise_is_uniform_over_the_cell_of_0(name, n):
  points = made(name, n)
  drawn = noise(points, jax.random.key(0), (40_000, n))
  # All of it is nearest to 0, has no mean, and is as large in all directions.
  found = nearest_with_coset(points, 0.999 * drawn)[1]
  assert jnp.abs(found).max() == 0
  second = np.asarray(drawn.T @ drawn) / len(drawn)
  size = np.trace(second) / n
  # Entries have standard errors below size / sqrt(count).
  np.testing.assert_allclose(second / size, np.eye(n), atol=0.03)
  np.testing.assert_allclose(drawn.mean(0) / size**0.5, 0, atol=0.03)


def test_units_of_volume_hold_one_point():
  # Unit cells and the volumes of the definitions.
  volumes = {
    ("Zn", 4): 1,
    ("A2", 2): math.sqrt(3) / 2,
    ("Dn", 4): 2,
    ("Dn*", 4): 0.5,
    ("E8", 8): 1,
    ("BW16", 16): 2**-4,
    ("Leech24", 24): 2**-12,
  }
  for (name, n), volume in volumes.items():
    points = made(name, n)
    assert points.volume == pytest.approx(volume)
    assert points.step**n * points.volume == pytest.approx(1)


def test_a_cold_softmax_is_the_argmin_and_a_hot_one_the_mean():
  points = made("Dn*", 4)
  x = random_blocks(points, 50)
  weights, soft = soften(points, x, 1e-4)
  wanted = nearest(points, x)
  clear = jnp.abs(weights - 0.5).min(-1) > 0.499
  assert clear.mean() > 0.9
  np.testing.assert_allclose(soft[clear], wanted[clear], atol=1e-2)
  weights, soft = soften(points, x, 1e6)
  np.testing.assert_allclose(weights, 0.5, atol=1e-5)
  both = lattice_points.candidates(points, x).mean(-2)
  np.testing.assert_allclose(soft, both, atol=1e-4)


def test_softmax_weighs_by_squared_distance():
  # x = 0.2 in all of 4 coordinates: 4 0.2^2 and 4 0.3^2.
  weights, soft = soften(made("Dn*", 4), jnp.full((1, 4), 0.2), 0.5)
  ratio = math.exp(-(4 * 0.09 - 4 * 0.04) / 0.5)
  np.testing.assert_allclose(weights, [[1 / (1 + ratio), ratio / (1 + ratio)]])
  np.testing.assert_allclose(soft, 0.5 * ratio / (1 + ratio), rtol=1e-6)


def test_gradients_pass_straight_through_the_nearest_point():
  points = made("E8", 8)
  x = random_blocks(points, 5)
  gradient = jax.grad(lambda x: (2 * nearest(points, x)).sum())(x)
  np.testing.assert_array_equal(gradient, 2)
  primal, _ = jax.jvp(lambda x: nearest(points, x), (x,), (x,))
  np.testing.assert_allclose(
    primal, nearest_with_coset(points, x)[1], atol=1e-6
  )


def test_the_softmax_moves_towards_the_nearer_coset():
  # Its gradient is the identity, and that of the weights.
  def first(x):
    return lattice_points.soften(made("Dn*", 2), x, 0.1)[1][0, 0]

  x = jnp.array([[0.24, 0.26]])
  gradient = jax.grad(first)(x)
  # d soft_0 = 1 + 0.5 dw, w = sigmoid((d_0^2 - d_1^2) / 0.1); at w of about
  # 1/2 the slope is w (1 - w) (2 x - 2 (x - 0.5)) / 0.1 = 2.5.
  np.testing.assert_allclose(gradient, [[2.25, 1.25]], rtol=0.02)


@pytest.mark.parametrize(
  ("name", "n", "match"),
  [
    ("Dn", 1, "Dn has blocks of n = 2 or more, got 1"),
    ("Dn*", 0, "n = 2 or more, got 0"),
    ("Zn", 0, "n = 1 or more, got 0"),
    ("Dn*", None, "n = 2 or more, got None"),
    ("E8", 7, "E8 has blocks of n = 8, got 7"),
    ("A2", 3, "A2 has blocks of n = 2, got 3"),
    ("E9", 9, "one of Zn, Dn, .*got 'E9'; choose"),
  ],
)
def test_a_lattice_that_does_not_exist_is_refused(name, n, match):
  with pytest.raises(JaxlicError, match=match):
    lattice_points.make(name, n)


def test_blocks_of_another_size_are_refused():
  with pytest.raises(JaxlicError, match="E8 have 8 coordinates, got 7"):
    lattice_points.nearest(made("E8", 8), jnp.zeros((1, 7)))


def test_a_softmax_over_thousands_of_cosets_is_refused():
  points = made("Leech24", 24)
  with pytest.raises(JaxlicError, match="holds up to 64 cosets, Leech24 has"):
    lattice_points.soften(points, jnp.zeros((1, 24)), 1.0)
