"""Spatial feature transforms: features scaled and shifted by a condition.

References:
  Wang, Yu, Dong, Loy, "Recovering realistic texture in image super-resolution
  by deep spatial feature transform", 2018, section 3.2.
"""

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jaxlic.nn import convolutions


class Modulation(nn.Module):
  """x (1 + gamma(condition)) + beta(condition); at first the identity."""

  hidden: int
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(
    self, x: Float[Array, "b h w c"], condition: Float[Array, "b h w d"]
  ) -> Float[Array, "b h w c"]:
    shared = convolutions.conv(self.hidden, 3, dtype=self.dtype, name="shared")
    inner = nn.relu(shared(condition))

    def factor(name):
      zeros = nn.initializers.zeros
      conv = convolutions.conv(
        x.shape[-1], 3, dtype=self.dtype, kernel_init=zeros, name=name
      )
      return conv(inner)

    scale = (1 + factor("gamma")).astype(x.dtype)
    return x * scale + factor("beta").astype(x.dtype)
