import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic.densities import channelwise, factorized
from jaxlic.types import Prediction
from tests.conftest import slow


def logistic_parameters(scale, channels=1):
  """Parameters whose cumulative is exactly sigmoid(x / scale)."""
  params = factorized.init(jax.random.key(0), channels, scale=scale)
  return {k: 0 * v if k.startswith("bias") else v for k, v in params.items()}


def random_parameters(channels=4):
  """Far from the initial ones, and different in every channel."""
  params = factorized.init(jax.random.key(1), channels, scale=3.0)
  rng = np.random.default_rng(2)
  return {
    name: value + rng.standard_normal(value.shape, np.float32)
    for name, value in params.items()
  }


def points(low, high, channels=4, step=1.0):
  line = jnp.arange(low, high + step, step, jnp.float32)
  return jnp.tile(line, (channels, 1))


def bin_mass(params, x):
  return factorized.mass(params, x - 0.5, x + 0.5)


def test_a_channel_has_58_parameters():
  # CompressAI's EntropyBottleneck of filters (3, 3, 3, 3), medians left out:
  # matrices 3 + 9 + 9 + 9 + 3, biases 3 + 3 + 3 + 3 + 1, factors 4 * 3.
  params = factorized.init(jax.random.key(0), 5)
  assert sum(value.size for value in params.values()) == 5 * 58


def test_logits_without_biases_are_linear():
  x = points(-30, 30, 1)
  y = factorized.logits(logistic_parameters(10.0), x)
  np.testing.assert_allclose(y, x / 10, rtol=1e-5, atol=1e-6)


def test_mass_at_zero_is_the_known_answer():
  # sigmoid(0.05) - sigmoid(-0.05).
  mass = bin_mass(logistic_parameters(10.0), jnp.zeros((1, 1)))
  np.testing.assert_allclose(mass, [[0.0249948]], rtol=1e-5)


def test_logits_rise_everywhere():
  y = factorized.logits(random_parameters(), points(-50, 50, step=0.25))
  assert (np.diff(y) > 0).all()


def test_masses_sum_to_one():
  mass = bin_mass(random_parameters(), points(-4000, 4000))
  # 8001 float32 masses, most of them 0.
  np.testing.assert_allclose(mass.sum(-1), 1.0, atol=1e-5)


@pytest.mark.parametrize("x", [-60.0, -20.0, 20.0, 60.0])
def test_masses_are_precise_in_both_tails(x):
  # Far out, sigmoid(t) is exp(-|t|): 2 sinh(1/2) exp(-|x|).
  expected = 2 * np.sinh(0.5) * np.exp(-abs(x))
  mass = bin_mass(logistic_parameters(1.0), jnp.full((1, 1), x))
  # float32 logits near 60 err by 4e-6, and so does, relatively, their exp.
  np.testing.assert_allclose(mass, [[expected]], rtol=1e-4)


def test_bits_are_those_of_each_channel_around_the_mean():
  params = random_parameters(3)
  value = 4 * jax.random.normal(jax.random.key(3), (2, 2, 3, 3))
  mean = jnp.broadcast_to(jnp.array([0.5, -1.0, 0.0]), value.shape)
  prediction = Prediction(mean=mean, scale=mean)
  bits = factorized.make("d").bits({"d": params}, value, prediction)
  for c in range(3):
    one = {name: array[c : c + 1] for name, array in params.items()}
    residual = (value - mean)[..., c].reshape(1, -1)
    expected = -jnp.log2(bin_mass(one, residual)).ravel()
    np.testing.assert_allclose(bits[..., c].ravel(), expected, rtol=1e-5)


def test_bits_and_gradients_are_finite_at_the_tails():
  density, params = factorized.make("d"), {"d": logistic_parameters(1.0)}
  value = jnp.array([-1e5, -50.0, 0.0, 50.0, 1e5]).reshape(1, 1, 5, 1)
  zero = Prediction(jnp.zeros_like(value), jnp.zeros_like(value))

  def loss(params, value):
    return density.bits(params, value, zero).sum()

  # -log2(1e-9) caps a symbol.
  np.testing.assert_allclose(
    density.bits(params, value, zero).max(), 29.897, rtol=1e-4
  )
  slopes = jax.jit(jax.grad(loss, (0, 1)))(params, value)
  for leaf in jax.tree.leaves(slopes):
    assert jnp.isfinite(leaf).all()


def test_rows_are_the_channels():
  zero = jnp.zeros((2, 1, 3, 4))
  rows = factorized.make("d").rows(Prediction(zero, zero))
  assert rows.dtype == jnp.int32
  np.testing.assert_array_equal(rows, np.tile(np.arange(4), (2, 1, 3, 1)))


@pytest.mark.parametrize("scale", [0.02, slow(0.1), slow(1.0), 10.0])
@pytest.mark.parametrize("shift", [slow(-0.4), slow(0.0), 0.3])
def test_frozen_rows_leave_out_no_more_than_the_tail_mass(scale, shift):
  params = logistic_parameters(scale)
  params["bias4"] = params["bias4"] - shift / scale
  tables = channelwise.freeze(factorized.FAMILY, params)
  first = int(tables.offsets[0])
  last = first + int(tables.sizes[0]) - 2
  outside = 1 / (1 + np.exp((shift - first + 0.5) / scale))
  outside += 1 / (1 + np.exp((last + 0.5 - shift) / scale))
  # float32 logits near 21 place a quantile to within 1e-5 of its mass.
  assert outside <= 1e-9 * (1 + 1e-4)


def test_frozen_frequencies_reproduce_the_mass():
  params = random_parameters()
  tables = channelwise.freeze(factorized.FAMILY, params)
  # The widest row's bins of all.
  count = np.arange(max(tables.sizes) - 1, dtype=np.float32)
  symbols = jnp.asarray(tables.offsets[:, None] + count, jnp.float32)
  masses = bin_mass(params, symbols)
  for row, (f, size, _) in enumerate(zip(*tables, strict=True)):
    mass = masses[row, : size - 1]
    # Frequencies are integers >= 1, of which raising the empty ones to 1 takes
    # up to `size` in all; the masses are float32.
    np.testing.assert_allclose(
      f[: size - 1] / 2**24, mass, atol=(2 + size) / 2**24
    )


def test_a_density_too_wide_for_tables_is_refused():
  with pytest.raises(ValueError, match="spans .* symbols, tables hold 32768"):
    channelwise.freeze(factorized.FAMILY, logistic_parameters(2000.0))


@pytest.mark.parametrize("filters", [(), (2,), (5, 4)])
def test_other_filters_give_the_layers_of_their_widths(filters):
  params = factorized.init(jax.random.key(0), 3, scale=7.0, filters=filters)
  widths = (1, *filters, 1)
  # Matrices, biases, and factors of all layers but the last.
  count = sum(a * b + b for a, b in zip(widths, widths[1:], strict=False))
  assert sum(v.size for v in params.values()) == 3 * (count + sum(filters))
  plain = {k: 0 * v if k.startswith("bias") else v for k, v in params.items()}
  x = points(-9, 9, 3)
  # Their scale is that of the logits, whatever the widths.
  np.testing.assert_allclose(
    factorized.logits(plain, x), x / 7, rtol=1e-5, atol=1e-6
  )


def test_a_larger_tail_mass_narrows_the_rows():
  params = {"d": logistic_parameters(1.0)}
  tables = factorized.make("d", tail_mass=1e-3).freeze(params)
  # The logistic's quantile is ln(2 / 1e-3 - 1) = 7.6, which rounds to 8.
  assert tables.offsets.tolist() == [-8] and tables.sizes.tolist() == [18]
