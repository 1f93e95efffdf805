import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic import codec, models
from jaxlic.models import cheng2020
from jaxlic.nn import cheng_networks
from tests.models.shapes import count, trace

# Sums over `parameters()` of CompressAI 1.2.8's g_a, g_s, h_a and h_s, of its
# Cheng2020Anchor and Cheng2020Attention, by (attention, N).
COUNTS = {
  (False, 128): (1_857_664, 5_228_812, 737_920, 2_729_792),
  (False, 192): (4_175_040, 11_750_796, 1_659_840, 6_140_640),
  (True, 128): (2_532_736, 5_903_884, 737_920, 2_729_792),
  (True, 192): (5_691_456, 13_267_212, 1_659_840, 6_140_640),
}


def networks(width, attention, dtype="float32"):
  return (
    cheng_networks.Analysis(width, attention, dtype),
    cheng_networks.Synthesis(width, attention, dtype),
    cheng_networks.HyperAnalysis(width, dtype),
    cheng_networks.HyperSynthesis(width, dtype),
  )


@pytest.mark.parametrize(("attention", "width"), COUNTS)
def test_parameter_counts_are_the_published_ones(attention, width):
  _, params = trace(networks(width, attention), 1, 1)
  assert tuple(map(count, params)) == COUNTS[attention, width]


@pytest.mark.parametrize("attention", [False, True])
@pytest.mark.parametrize("size", [1, 4, 5, 7])
def test_networks_fit_each_other_on_every_grid(attention, size):
  outputs, _ = trace(networks(4, attention), size, 3)
  y, shown, z, hyper = (leaf.shape for leaf in outputs)
  assert y == (2, size, 3, 4)
  assert shown == (2, 16 * size, 48, 3)
  assert z == (2, -(-size // 4), 1, 4)
  assert hyper == (2, size, 3, 8)


@pytest.mark.parametrize("attention", [False, True])
def test_networks_of_bfloat16_end_in_float32(attention):
  outputs, params = trace(networks(4, attention, "bfloat16"), 1, 1)
  types = {leaf.dtype for leaf in jax.tree.leaves((outputs, params))}
  assert types == {jnp.dtype("float32")}


def test_what_makes_y_is_not_rounded_to_bfloat16():
  # The last down block and residual block end in bfloat16; what follows does
  # not: a convolution, and the 19 of an attention.
  module = cheng_networks.Analysis(4, attention=True, dtype="bfloat16")
  image = jnp.zeros((1, 16, 16, 3))
  params = jax.eval_shape(module.init, jax.random.key(0), image)
  program = str(jax.make_jaxpr(module.apply)(params, image))
  lines = [
    line for line in program.splitlines() if "= conv_general_dilated" in line
  ]
  full = [":f32[" in line for line in lines]
  assert full == (len(lines) - 20) * [False] + 20 * [True]


@pytest.mark.newest
@pytest.mark.slow
def test_the_mixture_is_coded_in_order_as_evaluated():
  model = models.make("cheng2020-anchor", width=4, components=3)
  built = codec.make(model)
  params = jax.jit(model.init)(jax.random.key(0, impl="unsafe_rbg"))
  params["analysis"]["params"]["conv"]["kernel"] *= 20
  tables = built.freeze(params)
  image = np.random.default_rng(0).random((33, 49, 3)).astype("f4")
  payload = built.encode(params, tables, image)
  decoded = built.decode(params, tables, payload)
  shown = built.evaluate(params, image)
  np.testing.assert_array_equal(decoded, shown.image)
  assert shown.bits["y"] > 100


def test_the_mixture_reads_logits_means_and_scales():
  # 2 channels of 3 components.
  numbers = jnp.arange(18.0).reshape(1, 1, 1, 18)
  prediction = cheng2020.read_mixture(3, numbers)
  np.testing.assert_array_equal(prediction.logits[0, 0, 0, 1], [3, 4, 5])
  np.testing.assert_array_equal(prediction.mean[0, 0, 0, 0], [6, 7, 8])
  np.testing.assert_array_equal(prediction.scale[0, 0, 0, 1], [15, 16, 17])
