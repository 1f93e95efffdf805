import pickle
import zlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic import entropy
from jaxlic.coding import ans_coder, range_coder, row_corrections
from jaxlic.compressai import layers
from jaxlic.errors import JaxlicError
from tests.conftest import slow
from tests.entropy.entropy_models import (
  MAKERS,
  frozen,
  latent,
  prediction,
  rounded,
)

SHAPE = (2, 5, 4, 3)


def shape_or_none(name, shape):
  return shape if name == "bottleneck" else None


@pytest.mark.parametrize("coder", ["range", "ans"])
@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("shape", [SHAPE, (1, 3), slow((3,)), slow((7, 0, 3))])
def test_what_is_decompressed_is_what_was_rounded(shape, name, coder):
  model, (_, tables) = MAKERS[name](coder=coder), frozen(name)
  y, known = latent(name, shape), prediction(name, shape)
  symbols, expected = rounded(name, y, known)
  means = known.get("means") if name != "mixture" else None
  np.testing.assert_array_equal(
    model.quantize(y, "symbols", means=means), symbols
  )
  data = model.compress(tables, y, **known)
  # Arrays of JAX make the same bytes as those of NumPy.
  arrays = jax.tree.map(jnp.asarray, known)
  assert model.compress(tables, jnp.asarray(y), **arrays) == data
  y_hat = model.decompress(tables, data, shape_or_none(name, shape), **known)
  assert y_hat.dtype == jnp.float32 and y_hat.shape == shape
  np.testing.assert_array_equal(y_hat, expected)
  value = model.quantize(y, "dequantize", means=means)
  np.testing.assert_array_equal(y_hat, value)


@pytest.mark.parametrize("coder", ["range", "ans"])
@pytest.mark.parametrize("count", [0, 1])
def test_no_symbol_and_one_work(count, coder):
  model, (_, tables) = MAKERS["gaussian"](coder=coder), frozen("gaussian")
  y = np.full((count, 1), 2.2, np.float32)
  data = model.compress(tables, y, scales=np.ones_like(y))
  # The check, and of one symbol up to the 24 bits of a state, and the count of
  # corrected rows.
  assert len(data) <= (4, 8)[count]
  y_hat = model.decompress(tables, data, scales=np.ones_like(y))
  np.testing.assert_array_equal(y_hat, np.full((count, 1), 2.0))


@pytest.mark.parametrize("coder", ["range", "ans"])
@pytest.mark.parametrize("name", MAKERS)
def test_bytes_are_as_many_as_the_bits_say(name, coder):
  model, (params, tables) = MAKERS[name](coder=coder), frozen(name)
  known = prediction(name, (100, 50, 3))
  if name == "gaussian of a table":
    choice = np.random.default_rng(0).choice([0.3, 1.0, 40.0], (100, 50, 3))
    known["scales"] = choice.astype(np.float32)
  y = drawn(name, known, (100, 50, 3), params)
  symbols, y_hat = rounded(name, y, known)
  bits = float(model.bits(params, y_hat, **known).sum())
  size = 8 * len(model.compress(tables, y, **known))
  # Rounded scales, means and weights, and the check.
  assert abs(size - bits) < 0.01 * bits + 8 * 16


def drawn(name, known, shape, params):
  """An array of the density that is predicted."""
  rng = np.random.default_rng(2)
  noise = rng.normal(size=shape)
  if name == "bottleneck":
    # Its first density is about that of 10 times a standard logistic.
    return rng.logistic(scale=10, size=shape).astype(np.float32)
  scales, means = known["scales"], known["means"]
  if name == "asymmetric":
    below = rng.random(shape) < scales[..., 0] / scales.sum(-1)
    size = np.where(below, -scales[..., 0], scales[..., 1])
    return (means + size * abs(noise)).astype(np.float32)
  if name == "mixture":
    weights = np.exp(known["logits"])
    first = rng.random(shape) < weights[..., 0] / weights.sum(-1)
    scales = np.where(first, scales[..., 0], scales[..., 1])
    means = np.where(first, means[..., 0], means[..., 1])
  return (means + scales * noise).astype(np.float32)


def test_bytes_are_a_check_and_the_documented_payload():
  model, (_, tables) = MAKERS["gaussian"](coder="ans"), frozen("gaussian")
  y, known = latent("gaussian", SHAPE), prediction("gaussian", SHAPE)
  data = model.compress(tables, y, **known)
  symbols, _ = rounded("gaussian", y, known)
  ladder = np.exp(np.linspace(np.log(0.11), np.log(256), 64))
  gaps = abs(np.log(known["scales"][..., None] / ladder))
  rows = gaps.argmin(-1).ravel()
  encoder = ans_coder.Encoder()
  row_corrections.push(encoder, rows, np.zeros(rows.shape, bool))
  models = range_coder.compile_tables(tables.tables)
  encoder.push(symbols.ravel(), rows, models)
  payload = encoder.finish()
  assert data[4:] == payload
  parts = symbols.astype("<i4"), np.array(SHAPE, "<i8")
  check = zlib.crc32(b"".join(part.tobytes() for part in parts) + payload)
  assert data[:4] == check.to_bytes(4, "little")


def test_another_device_s_scales_are_corrected():
  model, (_, tables) = MAKERS["gaussian"](), frozen("gaussian")
  # Halfway between two rows, and rounding errors to either side of it.
  edge = 0.11 * (256 / 0.11) ** (20.5 / 63)
  shares = 1e-6 * np.random.default_rng(0).uniform(-1, 1, (2, 40, 5))
  here, there = (edge * (1 + shares)).astype(np.float32)
  assert (here != there).any()
  y = np.random.default_rng(1).normal(size=(40, 5)).astype(np.float32)
  data = model.compress(tables, y, scales=here)
  y_hat = model.decompress(tables, data, scales=there)
  np.testing.assert_array_equal(y_hat, np.rint(y))


def test_tables_survive_a_pickle():
  model, (_, tables) = MAKERS["bottleneck"](), frozen("bottleneck")
  kept = pickle.loads(pickle.dumps(tables))
  y = latent("bottleneck", SHAPE)
  data = model.compress(tables, y)
  assert model.compress(kept, y) == data
  np.testing.assert_array_equal(model.decompress(kept, data, SHAPE), np.rint(y))


def compressai_weights():
  """Of an EntropyBottleneck of 2 channels, by the names there."""
  rng, weights, widths = np.random.default_rng(0), {}, (1, 3, 3, 3, 3, 1)
  for k in range(5):
    shape = (2, widths[k + 1], widths[k])
    weights[f"_matrix{k}"] = rng.normal(size=shape).astype(np.float32)
    bias = rng.normal(size=(2, widths[k + 1], 1))
    weights[f"_bias{k}"] = bias.astype(np.float32)
    if k < 4:
      weights[f"_factor{k}"] = (0.3 * bias).astype(np.float32)
  weights["quantiles"] = np.array(
    [[[-9, 0.75, 9]], [[-9, -2.375, 9]]], np.float32
  )
  return weights


def test_imported_bottlenecks_round_around_their_medians():
  model, weights = entropy.bottleneck(2), compressai_weights()
  params = layers.density(weights)
  tables = model.freeze(params)
  y = 4 * np.random.default_rng(1).normal(size=(30, 2)).astype(np.float32)
  medians = np.tile(np.array([0.75, -2.375], np.float32), (30, 1))
  expected = np.rint(y - medians) + medians
  data = model.compress(tables, y)
  y_hat = model.decompress(tables, data, y.shape)
  np.testing.assert_array_equal(y_hat, expected)
  np.testing.assert_array_equal(
    model.quantize(y, "dequantize", means=medians), expected
  )
  # CompressAI's likelihood, which is that of y_hat itself, in float64.
  expected_bits = -np.log2(np.maximum(likelihood(weights, expected), 1e-9))
  bits = jax.jit(model.bits)(params, y_hat)
  np.testing.assert_allclose(bits, expected_bits, rtol=1e-4, atol=1e-4)
  assert abs(8 * len(data) - bits.sum()) < 0.01 * bits.sum() + 8 * 16


def likelihood(weights, y):
  def logits(x):
    for k in range(5):
      slope = np.logaddexp(0, weights[f"_matrix{k}"].astype(np.float64))
      x = slope @ x + weights[f"_bias{k}"]
      if k < 4:
        x = x + np.tanh(weights[f"_factor{k}"]) * np.tanh(x)
    return x[:, 0].T

  y = y.T[:, None].astype(np.float64)
  low, high = logits(y - 0.5), logits(y + 0.5)
  sign = np.where(low + high > 0, -1, 1)
  return abs(1 / (1 + np.exp(-sign * high)) - 1 / (1 + np.exp(-sign * low)))


@pytest.mark.parametrize("coder", ["range", "ans"])
@pytest.mark.parametrize("name", ["bottleneck", "gaussian", "mixture"])
def test_damaged_bytes_are_an_error_and_never_an_array(name, coder):
  model, (_, tables) = MAKERS[name](coder=coder), frozen(name)
  y, known = latent(name, SHAPE), prediction(name, SHAPE)
  data = model.compress(tables, y, **known)
  rng = np.random.default_rng(0)
  wrong = [data[:-1], data + b"\0", data[:3], b"", rng.bytes(len(data))]
  for _ in range(50):
    changed = bytearray(data)
    changed[rng.integers(len(data))] ^= rng.integers(1, 256)
    wrong.append(bytes(changed))
  for bytes_ in wrong:
    with pytest.raises(JaxlicError, match="damaged|4 bytes or more"):
      model.decompress(tables, bytes_, shape_or_none(name, SHAPE), **known)


def test_another_coder_scale_or_shape_is_an_error():
  model, (_, tables) = MAKERS["gaussian"](), frozen("gaussian")
  y, known = latent("gaussian", SHAPE), prediction("gaussian", SHAPE)
  data = model.compress(tables, y, **known)
  match = "other tables, another coder, shape or prediction|payload is damaged"
  with pytest.raises(JaxlicError, match=match):
    MAKERS["gaussian"](coder="ans").decompress(tables, data, **known)
  with pytest.raises(JaxlicError, match=match):
    model.decompress(tables, data, scales=2 * known["scales"])
  with pytest.raises(JaxlicError, match=match):
    model.decompress(tables, data, scales=known["scales"][:1])


@pytest.mark.parametrize("shape", [(4, 5, 2, 3), (40, 3), (1, *SHAPE)])
def test_the_same_elements_in_another_shape_are_an_error(shape):
  model, (_, tables) = MAKERS["bottleneck"](), frozen("bottleneck")
  data = model.compress(tables, latent("bottleneck", SHAPE))
  with pytest.raises(JaxlicError, match="other tables, another coder, shape"):
    model.decompress(tables, data, shape)


def test_a_transfer_guard_does_not_matter():
  model, (_, tables) = MAKERS["gaussian"](), frozen("gaussian")
  y, known = latent("gaussian", SHAPE), prediction("gaussian", SHAPE)
  with jax.transfer_guard("disallow"):
    data = model.compress(tables, y, **known)
    y_hat = model.decompress(tables, data, **known)
  np.testing.assert_array_equal(y_hat, rounded("gaussian", y, known)[1])
