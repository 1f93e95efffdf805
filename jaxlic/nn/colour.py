"""An orthonormal luma-chroma space, so that errors keep their size."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

# Rows: (R + G + B) / sqrt 3, (R - B) / sqrt 2, (2 G - R - B) / sqrt 6.
LUMA_CHROMA = np.array([[1, 1, 1], [1, 0, -1], [-1, 2, -1]]) / np.sqrt(
  [[3], [2], [6]]
)


def to_luma_chroma(image: Float[Array, "b H W 3"]) -> Float[Array, "b H W 3"]:
  """Returns the image around mid-grey, in luma and two chroma axes."""
  matrix = jnp.asarray(LUMA_CHROMA.T, jnp.float32)
  return jnp.matmul(image - 0.5, matrix, precision="highest")


def from_luma_chroma(x: Float[Array, "b H W 3"]) -> Float[Array, "b H W 3"]:
  """Inverse of `to_luma_chroma`."""
  matrix = jnp.asarray(LUMA_CHROMA, jnp.float32)
  return jnp.matmul(x, matrix, precision="highest") + 0.5
