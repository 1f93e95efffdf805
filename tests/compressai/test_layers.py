import jax.numpy as jnp
import numpy as np

from jaxlic.compressai import layers, names
from jaxlic.compressai.sequences import Layer, sequence
from jaxlic.densities import factorized
from tests.compressai.fixture_files import state


def test_layers_of_a_sequence_are_numbered_by_what_they_are():
  assert sequence("h_s", "part", "up_conv - gdn conv") == [
    Layer("up_conv", "h_s.0", "part/conv0"),
    Layer("gdn", "h_s.2", "part/gdn0"),
    Layer("conv", "h_s.3", "part/conv1"),
  ]


def test_blocks_are_numbered_as_one_and_have_their_own_layers():
  assert sequence("g_s", "part", "block up_subpixel block") == [
    Layer("conv", "g_s.0.conv1", "part/block0/conv0"),
    Layer("conv", "g_s.0.conv2", "part/block0/conv1"),
    Layer("subpixel", "g_s.1.0", "part/up0/conv"),
    Layer("conv", "g_s.2.conv1", "part/block1/conv0"),
    Layer("conv", "g_s.2.conv2", "part/block1/conv1"),
  ]


def test_a_density_is_shifted_by_its_medians():
  prefix = "entropy_bottleneck."
  weights = {
    key.removeprefix(prefix): array
    for key, array in names.canonical(state("mbt2018-mean")).items()
    if key.startswith(prefix)
    and key.removeprefix(prefix) in layers.KINDS["density"].names
  }
  shifted = layers.density(weights)
  plain = layers.density(weights | {"quantiles": 0 * weights["quantiles"]})
  median = weights["quantiles"][:, 0, 1]
  np.testing.assert_array_equal(shifted["median"], median)
  assert np.abs(median).min() > 0.1
  x = median[:, None] + np.linspace(-9, 9, 19)
  residual = jnp.asarray(x - median[:, None], jnp.float32)
  # Logits of about 20 in float32.
  np.testing.assert_allclose(
    factorized.logits(shifted, residual),
    factorized.logits(plain, jnp.asarray(x, jnp.float32)),
    atol=2e-5,
  )
