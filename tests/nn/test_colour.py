import jax
import jax.numpy as jnp
import numpy as np

from jaxlic.nn import colour


def test_the_space_is_orthonormal():
  product = colour.LUMA_CHROMA @ colour.LUMA_CHROMA.T
  np.testing.assert_allclose(product, np.eye(3), atol=1e-15)


def test_grey_has_no_chroma():
  grey = jnp.full((1, 2, 2, 3), 0.75)
  # Luma is (R + G + B - 3/2) / sqrt 3; float32 leaves errors of 1e-7.
  wanted = np.broadcast_to([0.75 / 3**0.5, 0, 0], grey.shape)
  np.testing.assert_allclose(colour.to_luma_chroma(grey), wanted, atol=1e-6)


def test_the_inverse_returns_the_image():
  image = jax.random.uniform(jax.random.key(0), (2, 3, 4, 3))
  again = colour.from_luma_chroma(colour.to_luma_chroma(image))
  np.testing.assert_allclose(again, image, atol=1e-6)
