import functools
import math
import zlib

import jax
import jax.numpy as jnp
import numpy as np

from jaxlic.coding import range_coder
from jaxlic.densities import gaussian, mixture
from jaxlic.densities.mixture import Mixture
from jaxlic.types import Prediction

DENSITY = mixture.make()
MODELS = range_coder.compile_tables(DENSITY.freeze({}))
N = 20_000  # predictions; one number, so that functions compile once


BITS = jax.jit(functools.partial(DENSITY.bits, {}))
ROWS, NEAR_EDGE = jax.jit(DENSITY.rows), jax.jit(DENSITY.near_edge)


def prediction(*parameters):
  """What is known [1 1 1 n k], of means, scales and logits [n k]."""
  return Mixture(
    *(jnp.asarray(a, jnp.float32)[None, None, None] for a in parameters)
  )


def random_prediction(seed, n, k=3):
  """Scales from 0.08 to 30, and means some scales apart."""
  rng = np.random.default_rng(seed)
  scale = np.exp(rng.uniform(math.log(0.08), math.log(12), (n, 1)))
  scale = scale * np.exp(0.4 * rng.normal(size=(n, k)))
  mean = rng.normal(size=(n, 1)) + scale * rng.normal(size=(n, k))
  return prediction(mean, scale, 2 * rng.normal(size=(n, k)))


def draw(seed, predicted):
  """Symbols [n] of a prediction."""
  rng = np.random.default_rng(seed)
  mean, scale, logits = (listed(a).astype(np.float64) for a in predicted)
  n = len(mean)
  cumulated = np.exp(logits - logits.max(-1, keepdims=True)).cumsum(-1)
  chosen = (rng.random((n, 1)) * cumulated[:, -1:] > cumulated).sum(1)
  which = np.arange(n), chosen
  scale = np.maximum(scale, 0.11)
  noisy = mean[which] + scale[which] * rng.normal(size=n)
  return np.rint(noisy).astype(np.int32)


def listed(array):
  return np.asarray(array).reshape(-1, array.shape[-1])


def coded(symbols, rows):
  encoder = range_coder.Encoder()
  encoder.push(symbols, rows, MODELS)
  return encoder.finish()


def test_the_mass_of_a_bin_is_the_known_one():
  # 0.5 * 0.6826895 + 0.3 * 0.2417303 + 0.2 * 0.1209780, by erfc in float64.
  bits = mixture.mixture_bits(
    jnp.float32(0),
    jnp.array([0.0, 1.0, -2.0]),
    jnp.array([0.5, 1.0, 2.0]),
    jnp.log(jnp.array([0.5, 0.3, 0.2])),
  )
  np.testing.assert_allclose(2.0**-bits, 0.4380594, atol=1e-7)


def test_masses_sum_to_1_over_the_integers():
  predicted = random_prediction(0, 50)
  symbols = jnp.arange(-400.0, 401.0)
  bits = jax.vmap(lambda v: BITS(jnp.full((1, 1, 1, 50), v), predicted))(
    symbols
  )
  # What is below 1e-9 is raised to that; the largest masses err by 6e-8.
  mass = (2.0**-bits).sum(0)
  np.testing.assert_allclose(mass, np.ones((1, 1, 1, 50)), atol=3e-6)


def test_one_component_is_the_gaussian():
  predicted = random_prediction(1, N)
  logits = jnp.zeros_like(predicted.mean).at[..., 1:].set(-jnp.inf)
  value = jnp.asarray(draw(2, predicted), jnp.float32)[None, None, None]
  alone = Prediction(predicted.mean[..., 0], predicted.scale[..., 0])
  expected = jax.jit(gaussian.by_scale().bits)({}, value, alone)
  bits = BITS(value, predicted._replace(logits=logits))
  # Compiled apart: a division may be a product with a reciprocal, whose last
  # bits count (value / scale)^2 times, up to 40 before the bits are capped.
  np.testing.assert_allclose(bits, expected, rtol=1e-5, atol=1e-6)


def test_bits_and_gradients_are_finite_at_the_tails():
  value = jnp.array([-1e6, -30.0, 0.0, 0.5, 1e6]).reshape(1, 1, 1, 5)
  mixture_of = [[-1e4, 0, 3], [-5, 0.11, 300], [-80, 0, 90]]
  predicted = prediction(*(np.tile(row, (5, 1)) for row in mixture_of))

  def loss(value, predicted):
    return DENSITY.bits({}, value, predicted).sum()

  gradient = jax.jit(jax.value_and_grad(loss, (0, 1)))
  leaves = jax.tree.leaves(gradient(value, predicted))
  assert len(leaves) == 5 and all(jnp.isfinite(leaf).all() for leaf in leaves)


def test_rows_are_the_nearest():
  predicted = prediction(
    # The ladder's third and fourth scale are 0.1407 and 0.1591, whose mean in
    # the logarithm is 0.1496.
    [[1.0, -0.5, 0.3], [0.0, 1e9, -1e9]],
    [[0.0, 0.149, 0.151], [1.0, 255.0, 1e9]],
    [[2.0, 1.0, 1.95], [-50.0, 50.0, 0.0]],
  )
  expected = [
    [64, -32, 19, 0, 2, 3, 96, 88, 96],
    [0, 2**21, -(2**21), 18, 63, 63, 0, 96, 0],
  ]
  np.testing.assert_array_equal(listed(ROWS(predicted)), expected)


def test_coding_costs_little_more_than_the_mixture():
  predicted = random_prediction(3, N)
  symbols = draw(4, predicted)
  value = jnp.asarray(symbols, jnp.float32)[None, None, None]
  ideal = float(BITS(value, predicted).sum())
  size = 8 * len(coded(symbols, listed(ROWS(predicted))))
  # Rounding a mean by a tenth of its scale costs 0.0006 bits, a scale by a
  # ladder step 0.002, weights 0.001, all of about 2.9 bits; less, since what a
  # component alone would tell is more than what their sum does.
  assert -1e-4 < size / ideal - 1 < 1.5e-3


def test_scales_below_the_ladder_cost_their_bound():
  predicted = random_prediction(5, N)
  low = predicted._replace(scale=jnp.full_like(predicted.scale, -3.0))
  bound = predicted._replace(scale=jnp.full_like(predicted.scale, 0.11))
  np.testing.assert_array_equal(ROWS(low), ROWS(bound))


def near_edges(rng, n):
  """Parameters [n 3] at the edges of their integers."""
  scale_row = rng.integers(0, 36, (n, 1)) + rng.integers(-3, 4, (n, 3))
  scale = 0.11 * np.exp(gaussian.LOG_STEP * (scale_row + 0.5))
  mean = rng.normal(size=(n, 1)) + scale * rng.normal(size=(n, 3))
  mean = (np.rint(64 * mean) + 0.5) / 64
  logits = (np.rint(16 * rng.normal(size=(n, 3))) + 0.5) / 8
  logits[np.arange(n), rng.integers(0, 3, n)] = 8.0
  return mean, scale, logits


def moved(rng, widths, mean, scale, logits):
  """Parameters with errors of up to so many times the width of an edge."""

  def error(shape):
    return widths * rng.uniform(-1, 1, shape)

  share = mixture.EDGE_SHARE
  step = gaussian.LOG_STEP * mixture.EDGE_WIDTH
  return (
    mean + share * error(mean.shape) * (abs(mean) + scale),
    scale * np.exp(step * error(scale.shape)),
    logits + share * error(logits.shape) * (1 + abs(logits)),
  )


def test_what_is_not_near_an_edge_codes_the_same_elsewhere(monkeypatch):
  # Errors are enlarged beyond those of float32 itself.
  monkeypatch.setattr(mixture, "EDGE_WIDTH", 1e-3)
  monkeypatch.setattr(mixture, "EDGE_SHARE", 1e-4)
  rng = np.random.default_rng(8)
  here = moved(rng, 3, *near_edges(rng, N))
  there = prediction(*moved(rng, 0.99, *here))
  here = prediction(*here)
  rows, other = (listed(ROWS(p)) for p in (here, there))
  # A function of its own: that of the density is compiled without the change.
  near_edge = listed(jax.jit(lambda known: DENSITY.near_edge(known))(here))
  assert (rows != other).mean() > 0.05
  # Many of the changes are not told: they must not matter.
  corrected = np.where(near_edge, rows, other)
  assert 0.01 < (corrected != rows).mean() < 0.9 * (rows != other).mean()
  symbols = draw(9, here)
  assert coded(symbols, corrected) == coded(symbols, rows)


def test_few_parameters_are_near_an_edge():
  near_edge = listed(NEAR_EDGE(random_prediction(10, N)))
  counts = near_edge.reshape(N, 3, 3).sum((0, 2))
  # Of 60,000 scales 6e-5, which is 3.6. Of means 2 * 2e-6 * (|mean| + scale)
  # over cells of a tenth of the scale, about 1e-4; of weights as many. That
  # counts of such means reach 20 has a probability below 1e-4.
  assert counts.max() < 20 and counts.min() > 0


def test_sparse_latents_have_nothing_near_an_edge():
  # All components about 0 and narrow are one to the coder.
  rng = np.random.default_rng(11)
  mean = 0.06 * rng.uniform(-1, 1, (N, 3))
  scale = rng.uniform(-1, 0.1, mean.shape)
  logits = 3 * rng.normal(size=mean.shape)
  assert not NEAR_EDGE(prediction(mean, scale, logits)).any()


# Files of this release need them; another rule needs another format version.
def test_the_tables_of_version_1_stay():
  crc = 0
  for array in DENSITY.freeze({}):
    crc = zlib.crc32(array.astype("<i4").tobytes(), crc)
  assert crc == 3968557377
