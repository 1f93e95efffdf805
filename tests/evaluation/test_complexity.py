import jax
import jax.numpy as jnp
import pytest

from jaxlic import models
from jaxlic.evaluation import complexity
from tests.conftest import make_toy


def shape(*sides):
  return jax.ShapeDtypeStruct(sides, jnp.float32)


def convolve(image, kernel, stride=1, **options):
  return jax.lax.conv_general_dilated(
    image,
    kernel,
    (stride, stride),
    ((2, 2), (2, 2)),
    dimension_numbers=("NHWC", "HWIO", "NHWC"),
    **options,
  )


@pytest.mark.parametrize("stride", [1, 2])
def test_a_convolution_costs_its_taps_at_every_output(stride):
  macs = complexity.count_macs(
    lambda x, k: convolve(x, k, stride), shape(2, 16, 24, 3), shape(5, 5, 3, 7)
  )
  assert macs == 2 * (16 // stride) * (24 // stride) * 7 * 5 * 5 * 3


def test_groups_of_a_convolution_see_their_own_channels_only():
  macs = complexity.count_macs(
    lambda x, k: convolve(x, k, feature_group_count=4),
    shape(1, 16, 24, 8),
    shape(5, 5, 2, 12),
  )
  assert macs == 16 * 24 * 12 * 5 * 5 * 2


def test_gaps_of_a_transposed_convolution_cost_nothing():
  macs = complexity.count_macs(
    lambda x, k: jax.lax.conv_general_dilated(
      x,
      k,
      (1, 1),
      ((2, 3), (2, 3)),
      lhs_dilation=(2, 2),
      dimension_numbers=("NHWC", "HWIO", "NHWC"),
    ),
    shape(1, 8, 8, 3),
    shape(5, 5, 3, 7),
  )
  assert macs == 8 * 8 * 3 * 5 * 5 * 7


def test_a_matrix_product_costs_its_three_sides():
  macs = complexity.count_macs(jnp.matmul, shape(6, 3, 4), shape(6, 4, 5))
  assert macs == 6 * 3 * 4 * 5


def test_products_count_wherever_they_are_called():
  @jax.custom_jvp
  def inner(x, w):
    return x @ w

  inner.defjvps(lambda t, y, x, w: t @ w, lambda t, y, x, w: x @ t)

  def loop(x, w):
    return jax.lax.scan(lambda c, _: (jax.jit(inner)(c, w), None), x, None, 7)

  assert complexity.count_macs(loop, shape(3, 4), shape(4, 4)) == 7 * 3 * 4 * 4


def test_the_dearer_branch_of_a_condition_counts():
  def branch(flag, x):
    return jax.lax.cond(flag, lambda: x @ x @ x, lambda: x @ x)

  flag = jax.ShapeDtypeStruct((), jnp.bool_)
  assert complexity.count_macs(branch, flag, shape(4, 4)) == 2 * 4**3


def test_the_hyperprior_costs_what_is_published():
  # c3_neural_compression publishes 43.5 kMAC per pixel for its decoder. By
  # layers, at N = 128 and M = 192: transposed 5x5 convolutions at strides 16,
  # 8, 4, 2 and in the hyper synthesis, GDN, and a 3x3 convolution.
  n, m = 128, 192
  transposed = 25 * (m * n / 256 + n * n / 64 + n * n / 16 + 3 * n / 4)
  transposed += 25 * (n * n / 64**2 + n * n / 32**2)
  rest = n * n * (1 / 64 + 1 / 16 + 1 / 4) + 9 * n * m / 256
  assert (transposed + rest) / 1000 == pytest.approx(43.5, abs=0.05)

  model = models.make("bmshj2018-hyperprior", quality=1)
  cost = complexity.measure(model)
  expected = (transposed + rest) / 1000
  assert cost.decode_kmac == pytest.approx(expected, rel=1e-6)


def test_parameters_are_counted_as_init_makes_them():
  model, _, params, _ = make_toy("lapped")
  total = sum(leaf.size for leaf in jax.tree.leaves(params))
  assert complexity.measure(model).parameters == total
