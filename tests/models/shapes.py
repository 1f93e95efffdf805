"""What networks make of images, and how many parameters they have."""

import math

import jax
import jax.numpy as jnp


def trace(modules, height, width):
  """(outputs, parameters) of the networks, as shapes; y has this grid."""
  analysis, synthesis, hyper_analysis, hyper_synthesis = modules
  key = jax.random.key(0)

  def run():
    image = jnp.zeros((2, 16 * height, 16 * width, 3))
    y, a = analysis.init_with_output(key, image)
    shown, s = synthesis.init_with_output(key, y)
    z, ha = hyper_analysis.init_with_output(key, y)
    hyper, hs = hyper_synthesis.init_with_output(key, z, y.shape[1:3])
    return (y, shown, z, hyper), (a, s, ha, hs)

  return jax.eval_shape(run)


def count(params):
  return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))
