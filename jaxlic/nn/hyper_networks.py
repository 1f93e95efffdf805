"""Hyper transforms that see y itself, and tell two numbers for each of it.

    hyper analysis   conv3 conv5/2 conv5/2
    hyper synthesis  up5 up5 conv3

References:
  Minnen, Balle, Toderici, "Joint autoregressive and hierarchical priors for
  learned image compression", 2018, table 1.
"""

import functools
from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jaxlic.nn import convolutions


class HyperAnalysis(nn.Module):
  """From y to z, at a quarter of y's grid, rounded up."""

  width: int
  dtype: DTypeLike = jnp.float32
  activation: Callable[[Array], Array] = nn.leaky_relu

  @nn.compact
  def __call__(self, y: Float[Array, "b h w c"]) -> Float[Array, "b u v d"]:
    conv = functools.partial(convolutions.conv, dtype=self.dtype)
    x = self.activation(conv(self.width, 3, name="conv0")(y))
    x = self.activation(conv(self.width, 5, 2, name="conv1")(x))
    return convolutions.conv(self.width, 5, 2, name="conv2")(x)


class HyperSynthesis(nn.Module):
  """From z to the scales of y, then its means, along the channels."""

  latent: int
  dtype: DTypeLike = jnp.float32
  activation: Callable[[Array], Array] = nn.leaky_relu

  @nn.compact
  def __call__(
    self, z: Float[Array, "b u v d"], grid: tuple[int, int]
  ) -> Float[Array, "b h w c"]:
    up_conv = functools.partial(convolutions.UpConv, dtype=self.dtype)
    middle = self.latent * 3 // 2
    x = self.activation(up_conv(self.latent, name="conv0")(z))
    x = self.activation(up_conv(middle, name="conv1")(x))
    x = convolutions.conv(2 * self.latent, 3, name="conv2")(x)
    return x[:, : grid[0], : grid[1]]
