"""The softmax over the cosets of a lattice."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic.errors import JaxlicError
from jaxlic.quantize.lattices import points as lattice_points
from tests.quantize.lattices.compiled_points import (
  nearest,
  random_blocks,
  soften,
)


def test_a_cold_softmax_is_the_argmin_and_a_hot_one_the_mean():
  points = lattice_points.make("Dn*", 4)
  x = random_blocks(points, 50)
  weights, soft = soften(points, x, 1e-4)
  wanted = nearest(points, x)
  clear = jnp.abs(weights - 0.5).min(-1) > 0.499
  assert clear.mean() > 0.9
  np.testing.assert_allclose(soft[clear], wanted[clear], atol=1e-2)
  weights, soft = soften(points, x, 1e6)
  np.testing.assert_allclose(weights, 0.5, atol=1e-5)
  both = lattice_points.candidates(points, x).mean(-2)
  np.testing.assert_allclose(soft, both, atol=1e-4)


def test_softmax_weighs_by_squared_distance():
  # x = 0.2 in all of 4 coordinates: 4 0.2^2 and 4 0.3^2.
  weights, soft = soften(
    lattice_points.make("Dn*", 4), jnp.full((1, 4), 0.2), 0.5
  )
  ratio = math.exp(-(4 * 0.09 - 4 * 0.04) / 0.5)
  np.testing.assert_allclose(weights, [[1 / (1 + ratio), ratio / (1 + ratio)]])
  np.testing.assert_allclose(soft, 0.5 * ratio / (1 + ratio), rtol=1e-6)


def test_the_softmax_moves_towards_the_nearer_coset():
  # Its gradient is the identity, and that of the weights.
  def first(x):
    return lattice_points.soften(lattice_points.make("Dn*", 2), x, 0.1)[1][0, 0]

  x = jnp.array([[0.24, 0.26]])
  gradient = jax.grad(first)(x)
  # d soft_0 = 1 + 0.5 dw, w = sigmoid((d_0^2 - d_1^2) / 0.1); at w of about
  # 1/2 the slope is w (1 - w) (2 x - 2 (x - 0.5)) / 0.1 = 2.5.
  np.testing.assert_allclose(gradient, [[2.25, 1.25]], rtol=0.02)


def test_a_softmax_over_thousands_of_cosets_is_refused():
  points = lattice_points.make("Leech24", 24)
  with pytest.raises(JaxlicError, match="holds up to 64 cosets, Leech24 has"):
    lattice_points.soften(points, jnp.zeros((1, 24)), 1.0)
