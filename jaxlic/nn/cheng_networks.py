"""Transforms of residual blocks, with and without attention.

See `jaxlic/models/cheng2020.py` for their layers.

References:
  Cheng, Sun, Takeuchi, Katto, "Learned image compression with discretized
  Gaussian mixture likelihoods and attention modules", 2020.
"""

import functools

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jaxlic.nn import convolutions, gdn
from jaxlic.nn.attention import Attention
from jaxlic.nn.cheng_blocks import DownBlock, ResidualBlock, UpBlock


class Analysis(nn.Module):
  """From the image to y, at stride 16, with `width` channels.

  What makes y itself, the last convolution and the attention after it, computes
  in float32.
  """

  width: int
  attention: bool = False
  dtype: DTypeLike = jnp.float32
  norm: gdn.Constants = gdn.PRESETS["sqrt"]

  @nn.compact
  def __call__(self, x: Float[Array, "b H W 3"]) -> Float[Array, "b h w c"]:
    for k in range(3):
      x = DownBlock(self.width, self.dtype, self.norm, name=f"down{k}")(x)
      if k == 1 and self.attention:
        x = Attention(self.dtype, name="attention0")(x)
      x = ResidualBlock(self.width, self.dtype, name=f"block{k}")(x)
    x = convolutions.conv(self.width, 3, 2, name="conv")(x)
    return Attention(name="attention1")(x) if self.attention else x


class Synthesis(nn.Module):
  """From y to the image."""

  width: int
  attention: bool = False
  dtype: DTypeLike = jnp.float32
  norm: gdn.Constants = gdn.PRESETS["sqrt"]

  @nn.compact
  def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b H W 3"]:
    if self.attention:
      x = Attention(self.dtype, name="attention0")(x)
    for k in range(3):
      x = ResidualBlock(self.width, self.dtype, name=f"block{k}")(x)
      x = UpBlock(self.width, self.dtype, self.norm, name=f"up{k}")(x)
      if k == 1 and self.attention:
        x = Attention(self.dtype, name="attention1")(x)
    x = ResidualBlock(self.width, self.dtype, name="block3")(x)
    return convolutions.SubpixelConv(3, name="up3")(x)


class HyperAnalysis(nn.Module):
  """From y to z, at a quarter of y's grid, rounded up."""

  width: int
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(self, y: Float[Array, "b h w c"]) -> Float[Array, "b u v d"]:
    conv = functools.partial(convolutions.conv, self.width, 3, dtype=self.dtype)
    x = nn.leaky_relu(conv(name="conv0")(y))
    x = nn.leaky_relu(conv(name="conv1")(x))
    x = nn.leaky_relu(conv(2, name="conv2")(x))
    x = nn.leaky_relu(conv(name="conv3")(x))
    return convolutions.conv(self.width, 3, 2, name="conv4")(x)


class HyperSynthesis(nn.Module):
  """From z to two numbers for every latent, on y's grid."""

  width: int
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(
    self, z: Float[Array, "b u v d"], grid: tuple[int, int]
  ) -> Float[Array, "b h w c"]:
    conv = functools.partial(convolutions.conv, dtype=self.dtype)
    up_conv = functools.partial(convolutions.SubpixelConv, dtype=self.dtype)
    middle = self.width * 3 // 2
    x = nn.leaky_relu(conv(self.width, 3, name="conv0")(z))
    x = nn.leaky_relu(up_conv(self.width, name="up0")(x))
    x = nn.leaky_relu(conv(middle, 3, name="conv1")(x))
    x = nn.leaky_relu(up_conv(middle, name="up1")(x))
    x = convolutions.conv(2 * self.width, 3, name="conv2")(x)
    return x[:, : grid[0], : grid[1]]
