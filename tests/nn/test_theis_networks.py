"""The layers of the compressive autoencoder."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic.nn import theis_networks


def shapes_at(module, size, channels):
  """The outputs of a module's layers, by name, without computing any."""
  x = jnp.zeros((1, size, size, channels))

  def run():
    _, state = module.init_with_output(
      jax.random.key(0), x, capture_intermediates=True
    )
    return state["intermediates"]

  return {
    name: value["__call__"][0].shape[1:]
    for name, value in jax.eval_shape(run).items()
    if name != "__call__"
  }


def test_the_layers_of_the_published_analysis():
  # Valid convolutions of 128 + 69 pixels; the first two are shown before their
  # outermost positions are left out.
  assert shapes_at(theis_networks.Analysis(128, 96), 128, 3) == {
    "conv0": (99, 99, 64),
    "conv1": (49, 49, 128),
    "block0": (43, 43, 128),
    "block1": (39, 39, 128),
    "block2": (35, 35, 128),
    "conv": (18, 18, 96),
  }


def test_the_layers_of_the_analysis_without_mirroring():
  assert shapes_at(theis_networks.Analysis(128, 64, "zero"), 128, 3) == {
    "conv0": (64, 64, 64),
    "conv1": (32, 32, 128),
    "block0": (32, 32, 128),
    "block1": (32, 32, 128),
    "block2": (32, 32, 128),
    "conv": (16, 16, 64),
  }


def test_the_layers_of_the_published_synthesis():
  assert shapes_at(theis_networks.Synthesis(128), 16, 96) == {
    "conv0": (32, 32, 128),
    "block0": (32, 32, 128),
    "block1": (32, 32, 128),
    "block2": (32, 32, 128),
    "conv1": (64, 64, 64),
    "conv2": (128, 128, 3),
  }


def test_parameters_are_those_of_the_layers():
  def convolution(side, fan_in, fan_out):
    return (side**2 * fan_in + 1) * fan_out

  def count(module, channels):
    x = jnp.zeros((1, 8, 8, channels))
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), x))
    return sum(leaf.size for leaf in jax.tree.leaves(shapes))

  blocks = 3 * 2 * convolution(3, 128, 128)
  for latent in (96, 64):
    analysis = convolution(5, 3, 64) + convolution(5, 64, 128) + blocks
    analysis += convolution(5, 128, latent)
    assert count(theis_networks.Analysis(128, latent), 3) == analysis
    synthesis = convolution(3, latent, 512) + blocks
    synthesis += convolution(3, 128, 256) + convolution(3, 64, 12)
    assert count(theis_networks.Synthesis(128), latent) == synthesis


@pytest.mark.parametrize("side", [1, 2, 9])
def test_mirroring_reflects_as_often_as_it_takes(side):
  x = jnp.arange(float(side))[None, :, None, None]
  x = jnp.broadcast_to(x, (1, side, side, 1))
  column = theis_networks.mirrored(x, (34, 35))[0, :, 0, 0]
  expected = np.pad(np.arange(side), (34, 35), "reflect")
  np.testing.assert_array_equal(column, expected)


def test_pictures_stay_within_their_range_and_their_gradient_does_not_stop():
  synthesis = theis_networks.Synthesis(6)
  y = 50 * jax.random.normal(jax.random.key(0), (1, 2, 2, 5))
  params = jax.jit(synthesis.init)(jax.random.key(1), y)
  image, pull = jax.vjp(jax.jit(lambda p: synthesis.apply(p, y)), params)
  assert image.min() == 0.0 and image.max() == 1.0
  # Of the last bias: DEVIATION times the gradient of every pixel, clipped or
  # not; a bias serves one pixel in four.
  gradient = pull(jnp.ones_like(image))[0]["params"]["conv2"]["conv"]["bias"]
  np.testing.assert_allclose(
    gradient.reshape(4, 3),
    np.tile(theis_networks.DEVIATION, (4, 1))
    * image.shape[1]
    * image.shape[2]
    / 4,
    rtol=1e-5,
  )
