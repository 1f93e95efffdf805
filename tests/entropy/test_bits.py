import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic import entropy
from tests.entropy.entropy_models import (
  MAKERS,
  TABLE,
  frozen,
  latent,
  prediction,
)

SHAPE = (2, 5, 3)


def cdf(x):
  return 0.5 * math.erfc(-x / math.sqrt(2))


def gaussian_mass(distance, scale):
  """Of the unit bin, in the lower tail."""
  distance, scale = abs(float(distance)), max(float(scale), 0.11)
  return cdf((0.5 - distance) / scale) - cdf((-0.5 - distance) / scale)


def asymmetric_cdf(x, left, right):
  """Relative to the mode, from the density's integral."""
  if x < 0:
    return 2 * left / (left + right) * cdf(x / left)
  return (left - right + 2 * right * cdf(x / right)) / (left + right)


def asymmetric_mass(distance, scales):
  left, right = (max(float(s), 0.11) for s in scales)
  if distance > 0:  # in the lower tail of the mirror image
    distance, left, right = -distance, right, left
  below = asymmetric_cdf(distance - 0.5, left, right)
  return asymmetric_cdf(distance + 0.5, left, right) - below


def logistic(x):
  return 1 / (1 + np.exp(-x))


def bottleneck_mass(params, y):
  """Of a channel's values y [n], by the formulas, in float64."""
  layers = {name: np.asarray(a, np.float64) for name, a in params.items()}

  def logits(x):
    for k in range(5):
      x = np.logaddexp(0, layers[f"matrix{k}"]) @ x + layers[f"bias{k}"]
      if k < 4:
        x = x + np.tanh(layers[f"factor{k}"]) * np.tanh(x)
    return x[:, 0]

  y = np.moveaxis(np.asarray(y, np.float64), -1, 0).reshape(3, 1, -1)
  low, high = logits(y - 0.5), logits(y + 0.5)
  sign = np.where(low + high > 0, -1, 1)
  return abs(logistic(sign * high) - logistic(sign * low))


def noisy(y):
  return y + np.random.default_rng(5).uniform(-0.5, 0.5, y.shape)


def test_a_bottleneck_without_biases_has_the_known_mass_at_0():
  model = entropy.bottleneck(3)
  params = {
    name: 0 * value if name.startswith("bias") else value
    for name, value in model.init(jax.random.key(0)).items()
  }
  # sigmoid(0.05) - sigmoid(-0.05) = 0.0249948, that is 5.32223 bits.
  bits = jax.jit(model.bits)(params, jnp.zeros((2, 3)))
  np.testing.assert_allclose(bits, np.full((2, 3), 5.32223), rtol=1e-5)


def test_a_bottleneck_s_scale_is_that_of_its_first_logits():
  model = entropy.bottleneck(3, init_scale=2.0, filters=(4, 2))
  params = {
    name: 0 * value if name.startswith("bias") else value
    for name, value in model.init(jax.random.key(0)).items()
  }
  expected = -math.log2(logistic(3.5 / 2) - logistic(2.5 / 2))
  bits = jax.jit(model.bits)(params, np.full((1, 3), 3.0))
  np.testing.assert_allclose(bits, np.full((1, 3), expected), rtol=1e-5)


def test_a_bottleneck_has_the_bits_of_its_formulas():
  model = entropy.bottleneck(3)
  params = {
    name: value + np.random.default_rng(1).normal(size=value.shape)
    for name, value in model.init(jax.random.key(0)).items()
  }
  y = 4 * np.random.default_rng(2).normal(size=SHAPE)
  expected = -np.log2(np.maximum(bottleneck_mass(params, y), 1e-9))
  bits = np.moveaxis(jax.jit(model.bits)(params, y), -1, 0).reshape(3, -1)
  # float32 against float64: masses of some 1e-6 keep four digits.
  np.testing.assert_allclose(bits, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
  ("scale", "mass"),
  [(0.05, 0.99999452), (0.11, 0.99999452), (0.25, 0.95449974)]
  + [(0.5, 0.68268949), (1, 0.38292492), (2, 0.19741265), (10, 0.03987761)],
)
def test_a_gaussian_has_the_known_mass_at_its_mean(scale, mass):
  scales, means = np.full((1, 1), scale), np.full((1, 1), 7.0)
  bits = entropy.gaussian().bits({}, means, scales=scales, means=means)
  # A float32 mass next to 1 has a resolution of 6e-8.
  np.testing.assert_allclose(2.0**-bits, [[mass]], rtol=1e-7, atol=6e-8)


@pytest.mark.parametrize(
  ("scale", "bits"),
  [(0.25, 0.312466), (1, 2.104833), (2, 3.061969), (4, 4.050843)],
)
def test_a_gaussian_s_mean_bits_are_the_known_entropy(scale, bits):
  # Of round(N(0, scale^2)), summed in float64.
  y = np.arange(-40.0, 41.0)[:, None]
  cost = entropy.gaussian().bits({}, y, scales=np.full(y.shape, 1.0 * scale))
  np.testing.assert_allclose((2.0**-cost * cost).sum(), bits, rtol=1e-5)


@pytest.mark.parametrize("name", ["gaussian", "asymmetric", "mixture"])
def test_bits_are_those_of_the_formulas(name):
  known = prediction(name, SHAPE)
  scales, means = known["scales"], known["means"]
  centre = means[..., 0] if name == "mixture" else means
  y = (centre + np.random.default_rng(3).normal(size=SHAPE)).astype(np.float32)
  expected = np.empty(SHAPE)
  for i in np.ndindex(SHAPE):
    if name == "gaussian":
      expected[i] = gaussian_mass(y[i] - means[i], scales[i])
    elif name == "asymmetric":
      expected[i] = asymmetric_mass(float(y[i] - means[i]), scales[i])
    else:
      weights = np.exp(known["logits"][i].astype(np.float64))
      masses = map(gaussian_mass, y[i] - means[i], scales[i])
      expected[i] = weights @ list(masses) / weights.sum()
  bits = MAKERS[name]().bits({}, y, **known)
  expected = -np.log2(np.maximum(expected, 1e-9))
  # A distance is a difference of float32: it errs by some 1e-7 of its terms,
  # times the tails' slopes of up to 40 / scale.
  np.testing.assert_allclose(bits, expected, rtol=1e-4, atol=1e-5)


def test_a_table_s_least_scale_bounds_the_scales():
  model = entropy.gaussian(TABLE)
  y = np.array([[0.0, 1.0, 2.0]])
  small = model.bits({}, y, scales=np.full(y.shape, 0.01))
  least = model.bits({}, y, scales=np.full(y.shape, TABLE[0]))
  np.testing.assert_array_equal(small, least)


@pytest.mark.parametrize("name", MAKERS)
def test_bits_have_finite_gradients_under_jit_and_vmap(name):
  model, (params, _) = MAKERS[name](), frozen(name)
  # Some elements are a million away.
  y, known = latent(name, SHAPE), prediction(name, SHAPE)

  def total(params, y, known):
    each = jax.vmap(lambda y, known: model.bits(params, y, **known))
    return each(y, known).sum()

  value, slopes = jax.jit(jax.value_and_grad(total, (0, 1, 2)))(
    params, y, known
  )
  expected = model.bits(params, y, **known).sum()
  np.testing.assert_allclose(value, expected, rtol=1e-5)
  leaves = jax.tree.leaves(slopes)
  assert len(leaves) == len(params) + 1 + len(known)
  assert all(np.isfinite(leaf).all() for leaf in leaves)


@pytest.mark.parametrize("name", ["bottleneck", "gaussian"])
def test_gradients_are_those_of_differences(name):
  model, (params, _) = MAKERS[name](), frozen(name)
  known = prediction(name, (4, 3))
  y = np.random.default_rng(4).normal(size=(4, 3)).astype(np.float32)
  y = y + known.get("means", np.float32(0))

  def total(y):
    return model.bits(params, y, **known).sum()

  slope, step = jax.jit(jax.grad(total))(y), 2.0**-5
  # Central differences err by step^2 / 6 times the third derivative.
  bits = jax.jit(functools.partial(model.bits, params, **known))
  differences = (bits(y + step) - bits(y - step)) / (2 * step)
  np.testing.assert_allclose(slope, differences, rtol=0.01, atol=0.02)


def test_arrays_of_any_rank_have_the_same_bits():
  model, (params, _) = MAKERS["bottleneck"](), frozen("bottleneck")
  y = np.random.default_rng(6).normal(size=(2, 5, 3)).astype(np.float32)
  bits = jax.jit(model.bits)
  whole, other = bits(params, y), bits(params, y[:, :, None])
  np.testing.assert_array_equal(other[:, :, 0], whole)
  np.testing.assert_allclose(bits(params, y[0, 0]), whole[0, 0], rtol=1e-6)
  assert model.bits(params, y[:0]).shape == (0, 5, 3)


@pytest.mark.parametrize("name", MAKERS)
def test_every_function_of_a_model_tells_what_it_returns(name):
  model = MAKERS[name]()
  for function in ("bits", "quantize", "freeze", "compress", "decompress"):
    assert getattr(model, function).__doc__.startswith("Returns "), function
