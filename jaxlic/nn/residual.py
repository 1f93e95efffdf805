"""Residual blocks."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jaxlic.nn.convolutions import conv


def leaky_relu(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
  """Returns x where positive, else x / 8: exact in fixed point."""
  return jax.nn.leaky_relu(x, 0.125)


class ResidualBlock(nn.Module):
  """x + conv(leaky(conv(leaky(x)))), all of x's width; starts as identity."""

  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
    c = x.shape[-1]
    inner = leaky_relu(conv(c, 3, dtype=self.dtype)(leaky_relu(x)))
    zeros = nn.initializers.zeros
    return x + conv(c, 3, dtype=self.dtype, kernel_init=zeros)(inner)
