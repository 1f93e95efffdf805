"""Transforms of bottlenecks and attention; what sums up channels, and places.

See `jaxlic/models/elic2022.py` for their layers.

References:
  He, Yang, Peng, Ma, Qin, Wang, "ELIC: Efficient learned image compression with
  unevenly grouped space-channel contextual adaptive coding", 2022.
"""

import functools

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Int

from jaxlic.nn import convolutions, neighbours
from jaxlic.nn.attention import Attention, Bottleneck

BLOCKS = 3  # bottlenecks at each size
CONTEXT_WIDTHS = (224, 128)
AGGREGATION_LAYERS = 3


class Analysis(nn.Module):
  """From the image to y, at stride 16.

  What makes y itself, the last convolution and the attention after it, computes
  in float32.
  """

  width: int = 192
  latent: int = 320
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(self, x: Float[Array, "b H W 3"]) -> Float[Array, "b h w c"]:
    conv = functools.partial(convolutions.conv, dtype=self.dtype)
    for k in range(3):
      x = conv(self.width, 5, 2, name=f"conv{k}")(x)
      for block in range(k * BLOCKS, (k + 1) * BLOCKS):
        x = Bottleneck(self.width, self.dtype, name=f"block{block}")(x)
      if k == 1:
        x = Attention(self.dtype, name="attention0")(x)
    x = convolutions.conv(self.latent, 5, 2, name="conv3")(x)
    return Attention(name="attention1")(x)


class Synthesis(nn.Module):
  """From y to the image."""

  width: int = 192
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b H W 3"]:
    up_conv = functools.partial(convolutions.UpConv, dtype=self.dtype)
    x = Attention(self.dtype, name="attention0")(x)
    for k in range(3):
      x = up_conv(self.width, name=f"conv{k}")(x)
      if k == 1:
        x = Attention(self.dtype, name="attention1")(x)
      for block in range(k * BLOCKS, (k + 1) * BLOCKS):
        x = Bottleneck(self.width, self.dtype, name=f"block{block}")(x)
    return convolutions.UpConv(3, name="conv3")(x)


class ChannelContext(nn.Module):
  """From all groups of channels before to `features` for the next one."""

  features: int
  widths: tuple[int, ...] = CONTEXT_WIDTHS
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(self, known: Float[Array, "b h w c"]) -> Float[Array, "b h w d"]:
    x = known
    for k, width in enumerate(self.widths):
      x = nn.relu(
        convolutions.conv(width, 5, dtype=self.dtype, name=f"conv{k}")(x)
      )
    return convolutions.conv(self.features, 5, name=f"conv{len(self.widths)}")(
      x
    )


class ParameterAggregation(nn.Module):
  """From all that is known of a position to `features` of its distribution.

  1x1 convolutions, so that positions can be computed one by one. The inner
  widths lie on a line from the width of the input to `features`, but are at
  least `least`, twice the width of the transforms.
  """

  features: int
  least: int
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(self, known: Float[Array, "b h w c"]) -> Float[Array, "b h w d"]:
    x, last = known, AGGREGATION_LAYERS - 1
    for k in range(last):
      width = self.inner_width(known.shape[-1], k + 1)
      x = nn.relu(
        convolutions.conv(width, 1, dtype=self.dtype, name=f"conv{k}")(x)
      )
    return convolutions.conv(self.features, 1, name=f"conv{last}")(x)

  def inner_width(self, inputs: int, layer: int) -> int:
    """Returns the channels between a layer, counted from 1, and the next."""
    left = AGGREGATION_LAYERS - layer
    line = (left * inputs + layer * self.features) // AGGREGATION_LAYERS
    return max(line, self.least)


class Refinement(nn.Module):
  """From features and neighbours to scales and means of a group."""

  latent: int
  width: int
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(
    self,
    features: Float[Array, "b h w f"],
    around: Float[Array, "b h w t c"],
    groups: Int[Array, "h w"],
  ) -> Float[Array, "b h w o"]:
    near = neighbours.MaskedConv(
      2 * self.latent, neighbours.CHECKERBOARD_TAPS, self.dtype, name="masked"
    )(around)
    near = neighbours.unless_first(near, groups)
    x = jnp.concatenate([near, features.astype(near.dtype)], -1)
    return ParameterAggregation(
      2 * self.latent, 2 * self.width, self.dtype, name="aggregation"
    )(x)
