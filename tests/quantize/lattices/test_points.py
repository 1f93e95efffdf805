import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic.errors import JaxlicError
from jaxlic.quantize.lattices import points as lattice_points
from tests.conftest import slow
from tests.quantize.lattices.compiled_points import (
  from_symbols,
  nearest,
  nearest_with_coset,
  noise,
  random_blocks,
  to_symbols,
)

SMALL = [
  ("Zn", 3),
  ("A2", 2),
  slow("Dn", 2),
  slow("Dn", 3),
  ("Dn", 5),
  slow("Dn*", 2),
  slow("Dn*", 3),
  ("Dn*", 6),
]
ALL = [*SMALL, ("E8", 8), slow("BW16", 16), slow("Leech24", 24)]


@pytest.mark.parametrize(("name", "n"), SMALL)
def test_points_are_the_nearest_by_brute_force(name, n):
  points = lattice_points.make(name, n)
  blocks = random_blocks(points, 60)
  point = np.asarray(nearest_with_coset(points, blocks)[1])
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
  np.testing.assert_allclose(((point - x) ** 2).sum(-1), best, rtol=1e-4)


@pytest.mark.parametrize(("name", "n"), ALL)
def test_points_are_their_own_nearest_and_cells_move_with_them(name, n):
  points = lattice_points.make(name, n)
  x = random_blocks(points, 20)
  point = nearest_with_coset(points, x)[1]
  again = nearest_with_coset(points, point)[1]
  np.testing.assert_allclose(again, point, atol=1e-6)
  # The sum of two points is a point, and x moved by one has the moved nearest.
  shift = point[::-1]
  moved = nearest_with_coset(points, x + shift)[1]
  np.testing.assert_allclose(moved, point + shift, atol=1e-4)


@pytest.mark.parametrize(("name", "n"), ALL)
def test_symbols_and_points_are_one_to_one(name, n):
  points = lattice_points.make(name, n)
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
  coset, same = nearest_with_coset(points, point)
  np.testing.assert_allclose(same, point, atol=1e-5)
  again = to_symbols(points, coset, same)
  np.testing.assert_array_equal(again[0], bits)
  np.testing.assert_array_equal(again[1], whole)


def test_points_are_those_of_the_definitions():
  twice = 2 * nearest(
    lattice_points.make("Dn*", 5),
    random_blocks(lattice_points.make("Dn*", 5), 50),
  )
  odd = np.asarray(twice) % 2
  assert np.isin(odd.sum(-1), (0, 5)).all() and 0 < odd.mean() < 1
  even = nearest(
    lattice_points.make("Dn", 5),
    random_blocks(lattice_points.make("Dn", 5), 50),
  )
  assert not (np.asarray(even).sum(-1) % 2).any()
  # In the usual scale of 4, Leech vectors are all even or all odd, with sums
  # of 0 or 4 modulo 8; their squared lengths are multiples of 16.
  points = lattice_points.make("Leech24", 24)
  x = 4 * np.asarray(nearest(points, random_blocks(points, 20)))
  parity = x % 2
  assert np.isin(parity.sum(-1), (0, 24)).all()
  assert (x.sum(-1) % 8 == 4 * parity[:, 0]).all()
  assert not ((x**2).sum(-1) % 16).any()


@pytest.mark.parametrize(
  ("name", "n"), [("E8", 8), slow("BW16", 16), ("Leech24", 24)]
)
def test_the_shortest_points_are_as_long_as_published(name, n):
  # Conway and Sloane, 1999, chapter 4: squared lengths of 2 at a volume of 1
  # (E_8), of 4 at 16 (BW_16) and of 4 at 1 (Leech); the last two are scaled by
  # the root of 1/2 here, to volumes of 2^-4 and 2^-12.
  points = lattice_points.make(name, n)
  x = random_blocks(points, 400 if n < 24 else 60, scale=0.3 if n > 8 else 0.5)
  square = (nearest(points, x) ** 2).sum(-1)
  other = square[square > 1e-6]
  assert len(other) and other.min() == pytest.approx(2.0)


def test_ties_are_defined():
  dual, even = lattice_points.make("Dn*", 3), lattice_points.make("Dn", 3)
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
  points = lattice_points.make(name, n)
  drawn = noise(points, jax.random.key(0), (40_000, n))
  # All of it is nearest to 0, has no mean, and is as large in all directions.
  point = nearest_with_coset(points, 0.999 * drawn)[1]
  assert jnp.abs(point).max() == 0
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
    points = lattice_points.make(name, n)
    assert points.volume == pytest.approx(volume)
    assert points.step**n * points.volume == pytest.approx(1)


def test_gradients_pass_straight_through_the_nearest_point():
  points = lattice_points.make("E8", 8)
  x = random_blocks(points, 5)
  gradient = jax.grad(lambda x: (2 * nearest(points, x)).sum())(x)
  np.testing.assert_array_equal(gradient, 2)
  primal, _ = jax.jvp(lambda x: nearest(points, x), (x,), (x,))
  np.testing.assert_allclose(
    primal, nearest_with_coset(points, x)[1], atol=1e-6
  )


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
    lattice_points.nearest(lattice_points.make("E8", 8), jnp.zeros((1, 7)))
