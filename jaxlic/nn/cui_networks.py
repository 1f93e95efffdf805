"""Transforms of 3x3 kernels with normalizations and attention; three contexts.

See `jaxlic/models/cui2021.py` for their layers.

References:
  Cui, Wang, Gao, Guo, Bai, Xu, Feng, "Asymmetric gained deep image compression
  with continuous rate adaptation", 2021.
"""

import functools

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Int

from jaxlic.nn import convolutions, gdn, neighbours
from jaxlic.nn.attention import Attention

SIDES = (3, 5, 7)  # of the context's windows
TAPS = neighbours.raster_taps(max(SIDES))
# Of the inner 1x1 convolutions, in thirds of y's channels.
THIRDS = (20, 16, 12, 10)


class Analysis(nn.Module):
  """From the image to y, at stride 16, with `width` channels.

  What makes y itself, the last convolution and the attention after it, computes
  in float32.
  """

  width: int
  dtype: DTypeLike = jnp.float32
  norm: gdn.Constants = gdn.PRESETS["sqrt"]

  @nn.compact
  def __call__(self, x: Float[Array, "b H W 3"]) -> Float[Array, "b h w c"]:
    for k in range(3):
      x = convolutions.conv(
        self.width, 3, 2, dtype=self.dtype, name=f"conv{k}"
      )(x)
      x = gdn.GDN(norm=self.norm, name=f"gdn{k}")(x)
      if k == 1:
        x = Attention(self.dtype, name="attention0")(x)
    x = convolutions.conv(self.width, 3, 2, name="conv3")(x)
    return Attention(name="attention1")(x)


class Synthesis(nn.Module):
  """From y to the image."""

  width: int
  dtype: DTypeLike = jnp.float32
  norm: gdn.Constants = gdn.PRESETS["sqrt"]

  @nn.compact
  def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b H W 3"]:
    up_conv = functools.partial(convolutions.SubpixelConv, dtype=self.dtype)
    x = Attention(self.dtype, name="attention0")(x)
    for k in range(3):
      x = up_conv(self.width, name=f"conv{k}")(x)
      x = gdn.GDN(inverse=True, norm=self.norm, name=f"gdn{k}")(x)
      if k == 1:
        x = Attention(self.dtype, name="attention1")(x)
    return convolutions.SubpixelConv(3, name="conv3")(x)


class Refinement(nn.Module):
  """From features and neighbours to the scales and modes of `latent` values."""

  latent: int
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(
    self,
    features: Float[Array, "b h w f"],
    around: Float[Array, "b h w t c"],
    groups: Int[Array, "h w"],
  ) -> Float[Array, "b h w o"]:
    known = [features.astype(self.dtype)]
    for side in SIDES:
      taps = neighbours.raster_taps(side)
      near = around[..., [TAPS.index(tap) for tap in taps], :]
      conv = neighbours.MaskedConv(
        2 * self.latent, taps, self.dtype, side, name=f"masked{side}"
      )
      known.append(conv(near))
    x = jnp.concatenate(known, -1)
    for k, thirds in enumerate(THIRDS):
      width = thirds * self.latent // 3
      x = nn.leaky_relu(nn.Dense(width, dtype=self.dtype, name=f"dense{k}")(x))
    last = f"dense{len(THIRDS)}"
    return nn.Dense(3 * self.latent, dtype=jnp.float32, name=last)(x)
