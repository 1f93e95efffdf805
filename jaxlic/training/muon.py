"""Muon: momentum made orthogonal, for matrices and convolutions' kernels.

The mean gradient of a matrix, U S V' in its singular values, moves it by U V':
a few Newton-Schulz steps bring all of S but the smallest near 1. Scaled by
`0.2 sqrt(max(m, n))` an entry moves about as far as Adam's would, at any shape,
so that both share a rate. A kernel [h w i o] is one matrix, from all its taps
and inputs to its outputs.

References:
  Jordan et al., "Muon: An optimizer for hidden layers in neural networks",
  2024; Liu et al., "Muon is scalable for LLM training", 2025 (the scale). The
  iteration is Optax's.
"""

import math

import jax
import optax
from jaxtyping import Array, Float

ADAM_RMS = 0.2  # what an entry of Adam's steps is like, in units of the rate


def scale_by_muon(
  *, momentum: float, newton_schulz: int
) -> optax.GradientTransformation:
  """Returns the transformation of matrices and kernels; it leaves the rate.

  Args:
    momentum: Decay of the mean gradient, which is Nesterov's.
    newton_schulz: Steps of the iteration.
  """

  def shapes(tree):
    return jax.tree.map(_to_outputs, tree)

  return optax.chain(
    optax.contrib.scale_by_muon(
      ns_steps=newton_schulz,
      beta=momentum,
      weight_dimension_numbers=shapes,
    ),
    optax.stateless(lambda moved, _: jax.tree.map(_as_far_as_adam, moved)),
  )


def _to_outputs(leaf: Array) -> optax.contrib.MuonDimensionNumbers:
  last = leaf.ndim - 1
  return optax.contrib.MuonDimensionNumbers(tuple(range(last)), last)


def _as_far_as_adam(moved: Float[Array, "*i o"]) -> Float[Array, "*i o"]:
  outputs = moved.shape[-1]
  return ADAM_RMS * math.sqrt(max(outputs, moved.size // outputs)) * moved
