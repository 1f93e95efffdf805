"""Transforms that are modulated in every place, by a condition.

See `jaxlic/models/scgain.py` for their layers.

References:
  mmSir, "GainedVAE", 2021, SCGainedMSHyperprior.
"""

import functools

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jaxlic.nn import convolutions, gdn
from jaxlic.nn.modulation import Modulation


class Analysis(nn.Module):
  """From the image and its quality map to y, at stride 16."""

  width: int
  latent: int
  hidden: int
  dtype: DTypeLike = jnp.float32
  norm: gdn.Constants = gdn.PRESETS["sqrt"]

  @nn.compact
  def __call__(self, x: Float[Array, "b H W 4"]) -> Float[Array, "b h w c"]:
    conv = functools.partial(convolutions.conv, dtype=self.dtype)
    condition = nn.leaky_relu(conv(self.hidden, 3, 2, name="map0")(x))
    condition = nn.leaky_relu(conv(self.hidden, 3, name="map1")(condition))
    condition = conv(self.hidden, 3, name="map2")(condition)
    x = x[..., :3]
    for k in range(3):
      if k:
        down = conv(self.hidden, 3, 2, name=f"map{k + 2}")
        condition = down(nn.leaky_relu(condition))
      x = conv(self.width, 5, 2, name=f"conv{k}")(x)
      x = gdn.GDN(norm=self.norm, name=f"gdn{k}")(x)
      x = Modulation(self.hidden, self.dtype, name=f"modulation{k}")(
        x, condition
      )
    return convolutions.conv(self.latent, 5, 2, name="conv3")(x)


class Synthesis(nn.Module):
  """From y, and z beside the map, to the image."""

  width: int
  hidden: int
  dtype: DTypeLike = jnp.float32
  norm: gdn.Constants = gdn.PRESETS["sqrt"]

  @nn.compact
  def __call__(
    self, y: Float[Array, "b h w c"], z: Float[Array, "b u v d"]
  ) -> Float[Array, "b H W 3"]:
    up_conv = functools.partial(convolutions.UpConv, dtype=self.dtype)
    condition = nn.leaky_relu(up_conv(self.hidden, name="map0")(z))
    condition = nn.leaky_relu(up_conv(self.hidden, name="map1")(condition))
    condition = condition[:, : y.shape[1], : y.shape[2]]
    both = jnp.concatenate([y.astype(condition.dtype), condition], -1)
    condition = convolutions.conv(
      self.hidden, 3, dtype=self.dtype, name="map2"
    )(both)
    modulate = functools.partial(Modulation, self.hidden, self.dtype)
    x = modulate(name="modulation0")(y, condition)
    for k in range(3):
      condition = up_conv(self.hidden, name=f"map{k + 3}")(
        nn.leaky_relu(condition)
      )
      x = up_conv(self.width, name=f"conv{k}")(x)
      x = gdn.GDN(inverse=True, norm=self.norm, name=f"gdn{k}")(x)
      x = modulate(name=f"modulation{k + 1}")(x, condition)
    return convolutions.UpConv(3, name="conv3")(x)
