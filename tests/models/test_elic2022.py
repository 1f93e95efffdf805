import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

from jaxlic.nn import elic_networks, hyper_networks
from tests.models.shapes import count, trace

GROUPS = (16, 16, 32, 64, 192)
WIDTH = 192
# Sums over `parameters()` of CompressAI 1.2.8's Elic2022Official: its g_a, g_s,
# h_a, h_s, then by group its channel_context (none for the first group) and
# param_aggregation.
COUNTS = (7_337_792, 7_337_475, 2_396_736, 3_300_192)
CONTEXT_COUNTS = (909_184, 1_101_216, 1_485_280, 2_663_136)
AGGREGATION_COUNTS = (320_288, 332_576, 369_472, 530_389, 1_853_312)


def networks(width, latent, dtype="float32"):
  return (
    elic_networks.Analysis(width, latent, dtype),
    elic_networks.Synthesis(width, dtype),
    hyper_networks.HyperAnalysis(width, dtype, nn.relu),
    hyper_networks.HyperSynthesis(width, dtype, nn.relu),
  )


def init(module, channels):
  """(output, parameters) at one position, as shapes."""
  known = jnp.zeros((1, 1, 1, channels))
  return jax.eval_shape(module.init_with_output, jax.random.key(0), known)


def test_parameter_counts_of_the_transforms_are_the_published_ones():
  defaults = (
    elic_networks.Analysis(),
    elic_networks.Synthesis(),
    hyper_networks.HyperAnalysis(WIDTH, activation=nn.relu),
    hyper_networks.HyperSynthesis(WIDTH, activation=nn.relu),
  )
  _, params = trace(defaults, 1, 1)
  assert tuple(map(count, params)) == COUNTS


@pytest.mark.parametrize("k", range(1, 5))
def test_parameter_counts_of_the_channel_contexts_are_the_published_ones(k):
  module = elic_networks.ChannelContext(2 * GROUPS[k])
  y, params = init(module, sum(GROUPS[:k]))
  assert y.shape == (1, 1, 1, 2 * GROUPS[k])
  assert count(params) == CONTEXT_COUNTS[k - 1]


@pytest.mark.parametrize("k", range(5))
def test_parameter_counts_of_the_aggregations_are_the_published_ones(k):
  module = elic_networks.ParameterAggregation(2 * GROUPS[k], least=2 * WIDTH)
  # The surroundings, the groups before (if any), and z.
  parts = 2 if k else 1
  y, params = init(module, parts * 2 * GROUPS[k] + 2 * WIDTH)
  assert y.shape == (1, 1, 1, 2 * GROUPS[k])
  assert count(params) == AGGREGATION_COUNTS[k]


@pytest.mark.parametrize(
  ("inputs", "features", "least", "widths"),
  # A line in three steps: 640, 469.3, 298.7, 128; and 100, 70, 40, 10.
  [
    (640, 128, 0, [469, 298]),
    (640, 128, 384, [469, 384]),
    (100, 10, 0, [70, 40]),
    (100, 10, 200, [200, 200]),
  ],
)
def test_inner_widths_of_an_aggregation_lie_on_a_line(
  inputs, features, least, widths
):
  module = elic_networks.ParameterAggregation(features, least)
  params = init(module, inputs)[1]["params"]
  layers = [params[f"conv{k}"]["bias"].shape[0] for k in range(3)]
  assert layers == [*widths, features]


def test_an_aggregation_sees_one_position():
  module = elic_networks.ParameterAggregation(3, least=4)
  params = init(module, 5)[1]["params"]
  assert {leaf["kernel"].shape[:2] for leaf in params.values()} == {(1, 1)}


@pytest.mark.parametrize("size", [1, 4, 5, 7])
def test_networks_fit_each_other_on_every_grid(size):
  outputs, _ = trace(networks(4, 6), size, 3)
  y, shown, z, hyper = (leaf.shape for leaf in outputs)
  assert y == (2, size, 3, 6)
  assert shown == (2, 16 * size, 48, 3)
  assert z == (2, -(-size // 4), 1, 4)
  assert hyper == (2, size, 3, 8)


def test_networks_of_bfloat16_end_in_float32():
  traced = [
    trace(networks(4, 6, "bfloat16"), 1, 1),
    init(elic_networks.ChannelContext(4, (6, 5), "bfloat16"), 3),
    init(elic_networks.ParameterAggregation(4, 6, "bfloat16"), 8),
  ]
  types = {leaf.dtype for leaf in jax.tree.leaves(traced)}
  assert types == {jnp.dtype("float32")}


def test_what_makes_y_is_not_rounded_to_bfloat16():
  # The last convolution, and the 19 of an attention.
  module = elic_networks.Analysis(4, 6, "bfloat16")
  image = jnp.zeros((1, 16, 16, 3))
  params = jax.eval_shape(module.init, jax.random.key(0), image)
  program = str(jax.make_jaxpr(module.apply)(params, image))
  lines = [
    line for line in program.splitlines() if "= conv_general_dilated" in line
  ]
  full = [":f32[" in line for line in lines]
  assert full == (len(lines) - 20) * [False] + 20 * [True]
