import jax
import jax.numpy as jnp
import numpy as np

from jaxlic.nn.residual import ResidualBlock, leaky_relu


def test_a_block_starts_as_the_identity():
  x = jax.random.normal(jax.random.key(0), (2, 3, 4, 5))
  y, _ = ResidualBlock().init_with_output(jax.random.key(1), x)
  np.testing.assert_array_equal(y, x)


def test_the_negative_slope_is_one_eighth():
  y = leaky_relu(jnp.array([-8.0, 0.0, 3.0]))
  np.testing.assert_array_equal(y, [-1.0, 0.0, 3.0])
