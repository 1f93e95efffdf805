import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic import codec, models
from jaxlic.errors import JaxlicError

GRID = (3, 2)
SLICES, SIZE, SUPPORT = 4, 2, 2
OPTIONS = {
  "width": 4,
  "latent": SLICES * SIZE,
  "slices": SLICES,
  "support": SUPPORT,
  "hyper_widths": (4, 5, 6),
  "slice_widths": (6, 5),
}


@functools.cache
def small():
  """A model of four slices, and weights that no layer hides."""
  model, random = models.make("ms2020", **OPTIONS), np.random.default_rng(0)
  shapes = jax.eval_shape(model.init, jax.random.key(0))
  return model, jax.tree.map(
    lambda leaf: random.normal(scale=0.2, size=leaf.shape).astype("f4"), shapes
  )


@jax.jit
def decode(params, symbols):
  """Predictions [slices 2 1 h w size], y_hat without and with residuals.

  `symbols` [slices h w size], of one image whose z is 0.
  """
  predictions, quantized = [], []

  def value_of(stage, predict):
    if stage.spec.name == "z":
      return jnp.zeros((1, 1, 1, 4))
    known, integers = predict(), symbols[len(quantized)]
    y_hat = stage.quantizer.from_symbols(integers[None], known).value
    predictions.append(jnp.stack(known))
    quantized.append(y_hat)
    return y_hat

  context = codec.begin(jnp.zeros(1))
  context = codec.walk(small()[0], params, context, GRID, value_of)
  return jnp.stack(predictions), jnp.concatenate(quantized, -1), context["y"]


def convolution(kernel, inputs, outputs, bias=True):
  return kernel**2 * inputs * outputs + bias * outputs


def test_the_parameter_count_is_the_sum_over_its_layers():
  n, m, size = 192, 320, 32
  gdn = n * n + n
  analysis = convolution(5, 3, n) + 2 * convolution(5, n, n)
  analysis += convolution(5, n, m) + 3 * gdn
  synthesis = convolution(5, m, n) + 2 * convolution(5, n, n)
  synthesis += convolution(5, n, 3) + 3 * gdn
  hyper_analysis = convolution(3, m, 320) + convolution(5, 320, 256)
  hyper_analysis += convolution(5, 256, 192, bias=False)
  hyper_synthesis = convolution(5, 192, 192) + convolution(5, 192, 256)
  hyper_synthesis += convolution(3, 256, 320)
  # The factorized density of a channel: matrices, biases and factors.
  density = 192 * ((3 + 3 * 9 + 3) + (4 * 3 + 1) + 4 * 3)
  inner = convolution(5, 224, 128) + convolution(3, 128, size)
  slices = 0
  for k in range(10):
    known = 320 + min(k, 5) * size
    slices += 2 * (convolution(5, known, 224) + inner)
    slices += convolution(5, known + size, 224) + inner
  total = analysis + synthesis + hyper_analysis + 2 * hyper_synthesis
  init = models.make("ms2020").init
  leaves = jax.tree.leaves(jax.eval_shape(init, jax.random.key(0)))
  count = sum(math.prod(leaf.shape) for leaf in leaves)
  assert count == total + density + slices


def test_a_prediction_sees_the_first_slices_before_it_and_no_other():
  symbols = jnp.zeros((SLICES, *GRID, SIZE), jnp.int32)
  params = small()[1]
  base = decode(params, symbols)[0]
  for changed in range(SLICES):
    other = decode(params, symbols.at[changed].set(3))[0]
    moved = jnp.any(other != base, (2, 3, 4, 5))  # [slices, mean or scale]
    for k in range(SLICES):
      sees = changed < min(k, SUPPORT)
      np.testing.assert_array_equal(moved[k], sees, err_msg=f"{changed}, {k}")


def test_the_residual_prediction_is_within_half_a_step():
  key = jax.random.key(0)
  symbols = jax.random.randint(key, (SLICES, *GRID, SIZE), -9, 10)
  _, quantized, y = decode(small()[1], symbols)
  residual = jnp.abs(y - quantized)
  # y is below 16, where float32 rounds by up to 1e-6.
  assert residual.max() <= 0.5 + 1e-6
  assert jnp.all(residual.max((0, 1, 2)) > 0)  # of every channel


def test_published_sizes_are_the_paper_s():
  model = models.make("ms2020")
  names = [stage.spec.name for stage in model.stages]
  assert names == ["z"] + [f"y{k}" for k in range(10)]
  assert [s.spec.channels for s in model.stages] == [192] + 10 * [32]
  assert [s.spec.stride for s in model.stages] == [64] + 10 * [16]


def test_unequal_slices_are_refused():
  with pytest.raises(
    JaxlicError, match="got 320 channels and 3 slices; choose"
  ):
    models.make("ms2020", slices=3)


def test_a_negative_support_is_refused():
  with pytest.raises(JaxlicError, match="support is a whole number from 0"):
    models.make("ms2020", support=-1)
