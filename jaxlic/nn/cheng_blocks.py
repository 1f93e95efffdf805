"""Residual blocks of 3x3 convolutions that keep, halve or double the size.

| block | the skip | what is added to it |
|---|---|---|
| `ResidualBlock` | x, or 1x1 of x | leaky(conv(leaky(conv(x)))) |
| `DownBlock` | 1x1/2 | GDN(conv(leaky(conv/2(x)))) |
| `UpBlock` | sub-pixel conv | inverse GDN(conv(leaky(sub-pixel conv(x)))) |

Leaky ReLUs have a slope of 0.01 here. In bfloat16, an input of float32 that is
skipped as it is makes the sum float32.

References:
  Cheng, Sun, Takeuchi, Katto, "Learned image compression with discretized
  Gaussian mixture likelihoods and attention modules", 2020 (the network).
  Begaint et al., "CompressAI", 2020, layers/layers.py (order of layers).
"""

import functools

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jaxlic.nn import convolutions, gdn


class ResidualBlock(nn.Module):
  """Two convolutions beside the identity; a 1x1 one if widths differ."""

  features: int
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w d"]:
    conv = functools.partial(convolutions.conv, self.features, dtype=self.dtype)
    inner = nn.leaky_relu(conv(3, name="conv0")(x))
    inner = nn.leaky_relu(conv(3, name="conv1")(inner))
    if x.shape[-1] != self.features:
      x = conv(1, name="skip")(x)
    return x + inner.astype(x.dtype)


class DownBlock(nn.Module):
  """Half the size, rounded up."""

  features: int
  dtype: DTypeLike = jnp.float32
  norm: gdn.Constants = gdn.PRESETS["sqrt"]

  @nn.compact
  def __call__(self, x: Float[Array, "b H W c"]) -> Float[Array, "b h w d"]:
    conv = functools.partial(convolutions.conv, self.features, dtype=self.dtype)
    inner = nn.leaky_relu(conv(3, 2, name="conv0")(x))
    inner = gdn.GDN(norm=self.norm, name="gdn")(conv(3, name="conv1")(inner))
    return conv(1, 2, name="skip")(x) + inner


class UpBlock(nn.Module):
  """Twice the size."""

  features: int
  dtype: DTypeLike = jnp.float32
  norm: gdn.Constants = gdn.PRESETS["sqrt"]

  @nn.compact
  def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b H W d"]:
    up_conv = functools.partial(
      convolutions.SubpixelConv, self.features, dtype=self.dtype
    )
    conv = convolutions.conv(self.features, 3, dtype=self.dtype, name="conv")
    inner = conv(nn.leaky_relu(up_conv(name="up")(x)))
    inner = gdn.GDN(inverse=True, norm=self.norm, name="gdn")(inner)
    return up_conv(name="skip")(x) + inner
