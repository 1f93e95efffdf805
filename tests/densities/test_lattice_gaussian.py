import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic.coding import range_coder, symbol_planes
from jaxlic.densities import cosets, gaussian
from jaxlic.densities import lattice_gaussian as density
from jaxlic.errors import JaxlicError
from jaxlic.quantize.lattices import points as lattice_points
from jaxlic.quantize.lattices import quantizer as lattice_quantizer
from jaxlic.types import Prediction
from tests.conftest import slow

LATTICES = [
  ("A2", 2),
  slow("Dn", 3),
  ("Dn*", 3),
  slow("Dn*", 2),
  slow("Dn", 2),
]


def params(points):
  return {"coset": cosets.init(points)}


def compiled(name, n, coset="modelled"):
  """(the lattice, its quantizer, its density)."""
  points = lattice_points.make(name, n)
  quantizer = lattice_quantizer.make(points, "mixed")
  rated = density.make(points, coset=coset, name="coset")
  return (
    points,
    quantizer._replace(
      to_symbols=jax.jit(quantizer.to_symbols),
      from_symbols=jax.jit(quantizer.from_symbols),
    ),
    rated._replace(bits=jax.jit(rated.bits), rows=jax.jit(rated.rows)),
  )


def predict(scale, shape, mean=0.0):
  return Prediction(
    mean=jnp.full(shape, mean, jnp.float32),
    scale=jnp.broadcast_to(jnp.asarray(scale, jnp.float32), shape),
  )


def every_symbol(points, radius):
  """All symbols of one block around 0, [1 m 1 s]."""
  bits = itertools.product((0, 1), repeat=points.coset_bits)
  whole = itertools.product(range(-radius, radius + 1), repeat=points.n)
  rows = [(*b, *w) for b, w in itertools.product(bits, whole)]
  return jnp.asarray(rows, jnp.int32)[None, :, None]


@pytest.mark.parametrize("coset", density.COSETS)
@pytest.mark.parametrize(("name", "n"), LATTICES)
def test_the_probabilities_of_all_points_sum_to_one(name, n, coset):
  points, quantizer, rated = compiled(name, n, coset)
  symbols = every_symbol(points, 6)
  scale = jnp.linspace(0.3, 0.9, n)[None, None, None]
  known = predict(scale, (1, symbols.shape[1], 1, n), mean=0.3)
  coded = quantizer.from_symbols(symbols, known).coded
  bits = rated.bits(params(points), coded, known).sum(-1)
  # Scales below 1 leave nothing outside; likelihoods are at least 1e-9 each.
  assert (2.0**-bits).sum() == pytest.approx(1.0, abs=1e-4)


def test_a_raw_coset_bit_costs_one_bit():
  points, quantizer, rated = compiled("Dn*", 3, "raw")
  symbols = jnp.asarray([[[[0, 1, 0, -1]], [[1, 1, 0, -1]]]], jnp.int32)
  known = predict(1.5, (1, 2, 1, 3))
  cost = rated.bits({}, quantizer.from_symbols(symbols, known).coded, known)
  np.testing.assert_array_equal(cost[..., 0], 1.0)
  # The rest is the mass of the unit bins around 1, 0, -1, and with 1/2 more.
  scale = 1.5 / points.step
  for j, shift in enumerate((0.0, 0.5)):
    for k, value in enumerate((1, 0, -1)):
      edges = [(value + shift + e) / scale / math.sqrt(2) for e in (-0.5, 0.5)]
      mass = (math.erf(edges[1]) - math.erf(edges[0])) / 2
      assert cost[0, j, 0, 1 + k] == pytest.approx(-math.log2(mass), rel=1e-4)


@pytest.mark.parametrize(
  ("name", "n"), [("Dn*", 8), slow("E8", 8), slow("Dn", 4)]
)
def test_at_high_rate_a_point_costs_its_density(name, n):
  # Cells of volume 1: -log2 of the density at the point, as for integers.
  points, quantizer, rated = compiled(name, n, "raw")
  x = 40 * jax.random.normal(jax.random.key(0), (1, 50, 1, n))
  known = predict(40.0, x.shape)
  coded = quantizer.from_symbols(quantizer.to_symbols(x, known), known).coded
  bits = rated.bits({}, coded, known).sum(-1)
  value = coded[..., -n:]
  nats = 0.5 * (value / 40) ** 2 + math.log(40 * math.sqrt(2 * math.pi))
  # Bins of a unit against a scale of 40: curvature costs below 1e-3 bits.
  np.testing.assert_allclose(bits, nats.sum(-1) / math.log(2), atol=2e-3 * n)


@pytest.mark.parametrize(
  ("name", "n", "coset"),
  [
    slow("A2", 2, "modelled"),
    ("Dn*", 16, "raw"),
    slow("Dn*", 4, "modelled"),
    slow("Dn", 4, "raw"),
    ("E8", 8, "modelled"),
    slow("BW16", 16, "modelled"),
  ],
)
def test_symbols_are_coded_at_the_cost_of_their_bits(name, n, coset):
  points, quantizer, rated = compiled(name, n, coset)
  shape = (1, 40, 25, 16)
  random = np.random.default_rng(0)
  scale = np.exp(random.uniform(-2, 3, (1, 40, 25, 1)) + np.zeros(shape))
  known = predict(scale, shape, mean=0.2)
  x = 0.2 + jnp.asarray(scale * random.normal(size=shape), jnp.float32)
  symbols = quantizer.to_symbols(x, known)
  coded = quantizer.from_symbols(symbols, known).coded
  bits = rated.bits(params(points), coded, known).sum()
  rows = np.asarray(rated.rows(known)).reshape(-1, 16)
  flat = np.asarray(symbols).reshape(len(rows), -1)
  models = range_coder.compile_tables(rated.freeze(params(points)))
  encoder = range_coder.Encoder()
  symbol_planes.push(encoder, flat, rows, models, rated.planes)
  data = encoder.finish()
  decoder = range_coder.Decoder(data)
  decoded = symbol_planes.pop(decoder, rows, models, rated.planes)
  np.testing.assert_array_equal(decoded, flat)
  # Half a ladder step costs at most 0.005 bits per symbol, and a coset's logit
  # is the nearest of 32.
  assert abs(8 * len(data) / bits - 1) < 0.006


def test_integers_are_coded_as_rounding_is():
  points, _, rated = compiled("Zn", 4)
  known = predict(jnp.array([0.1, 0.9, 5.0, 80.0]), (1, 1, 1, 4))
  plain = gaussian.by_scale()
  np.testing.assert_array_equal(rated.rows(known), plain.rows(known))
  tables, wanted = rated.freeze(params(points)), gaussian.freeze()
  rows = rated.planes[0](
    np.arange(4, dtype=np.int32)[None], np.zeros((1, 0), int)
  )
  for row, scale_row in zip(rows[0], range(4), strict=True):
    # The same frequencies, but for a bin more at both ends.
    first = wanted.offsets[scale_row] - tables.offsets[row]
    size = wanted.sizes[scale_row] - 1
    inner = tables.frequencies[row, first : first + size].astype(int)
    assert np.abs(inner - wanted.frequencies[scale_row, :size]).max() <= 4


def test_gradients_reach_scales_and_logits():
  points, quantizer, rated = compiled("E8", 8)
  x = jax.random.normal(jax.random.key(0), (1, 5, 5, 16))
  keys = jax.random.split(jax.random.key(1), 1)

  def total(scale, logits):
    known = predict(1.0, x.shape)._replace(scale=scale)
    relaxed = quantizer.surrogate(x, known, keys, 1.0)
    return rated.bits({"coset": logits}, relaxed.coded, known).sum()

  scale = jnp.exp(jax.random.uniform(jax.random.key(2), x.shape, minval=-2))
  slopes = jax.jit(jax.grad(total, (0, 1)))
  scale_slope, logit_slope = slopes(scale, cosets.init(points))
  assert jnp.isfinite(scale_slope).all() and (scale_slope != 0).all()
  assert jnp.isfinite(logit_slope).all() and (logit_slope != 0).any()


def test_another_price_of_a_coset_bit_is_refused():
  with pytest.raises(JaxlicError, match="raw or modelled, got 'free'; choose"):
    density.make(lattice_points.make("E8"), coset="free", name="coset")


def test_damage_that_makes_no_bit_of_a_coset_still_has_rows():
  # What is wrong is told by the check of all symbols, once they are read.
  points, _, rated = compiled("E8", 8)
  rows = np.zeros((1, 8), np.int32)
  bits = np.array([[5]], np.int32)
  np.testing.assert_array_equal(
    rated.planes[1](rows, bits), rated.planes[1](rows, bits % 2)
  )
