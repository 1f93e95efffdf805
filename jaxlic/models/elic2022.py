"""The networks of ELIC: bottlenecks instead of normalization, and contexts.

    analysis         conv5/2 BBB conv5/2 BBB A conv5/2 BBB conv5/2 A
    synthesis        A up5 BBB up5 A BBB up5 BBB up5
    hyper analysis   conv3 conv5/2 conv5/2
    hyper synthesis  up5 up5 conv3

B is a bottleneck residual block and A an attention, see nn/attention.py; up5
is a transposed convolution of stride 2. ReLUs lie between the convolutions of
the hyper networks.

y is coded in uneven groups of channels. A `ChannelContext` sums up the groups
before, and `ParameterAggregation` predicts each position's distribution from
that, from z, and from what is known around the position.

References:
  He, Yang, Peng, Ma, Qin, Wang, "ELIC: Efficient learned image compression with
  unevenly grouped space-channel contextual adaptive coding", 2022.
  Begaint et al., "CompressAI", 2020, models/sensetime.py (layers and widths).
  Its last layer of the hyper synthesis is a transposed convolution of stride 1,
  which is a convolution with the kernel turned by half a circle.
"""

import functools

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jaxlic.nn import resample
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
    conv = functools.partial(resample.conv, dtype=self.dtype)
    for k in range(3):
      x = conv(self.width, 5, 2, name=f"conv{k}")(x)
      for block in range(k * BLOCKS, (k + 1) * BLOCKS):
        x = Bottleneck(self.width, self.dtype, name=f"block{block}")(x)
      if k == 1:
        x = Attention(self.dtype, name="attention0")(x)
    x = resample.conv(self.latent, 5, 2, name="conv3")(x)
    return Attention(name="attention1")(x)


class Synthesis(nn.Module):
  """From y to the image."""

  width: int = 192
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b H W 3"]:
    up_conv = functools.partial(resample.UpConv, dtype=self.dtype)
    x = Attention(self.dtype, name="attention0")(x)
    for k in range(3):
      x = up_conv(self.width, name=f"conv{k}")(x)
      if k == 1:
        x = Attention(self.dtype, name="attention1")(x)
      for block in range(k * BLOCKS, (k + 1) * BLOCKS):
        x = Bottleneck(self.width, self.dtype, name=f"block{block}")(x)
    return resample.UpConv(3, name="conv3")(x)


class HyperAnalysis(nn.Module):
  """From y to z, at a quarter of y's grid, rounded up."""

  width: int = 192
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(self, y: Float[Array, "b h w c"]) -> Float[Array, "b u v d"]:
    conv = functools.partial(resample.conv, dtype=self.dtype)
    x = nn.relu(conv(self.width, 3, name="conv0")(y))
    x = nn.relu(conv(self.width, 5, 2, name="conv1")(x))
    return resample.conv(self.width, 5, 2, name="conv2")(x)


class HyperSynthesis(nn.Module):
  """From z to `2 * width` channels for the aggregations, on y's grid."""

  width: int = 192
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(
    self, z: Float[Array, "b u v d"], grid: tuple[int, int]
  ) -> Float[Array, "b h w c"]:
    up_conv = functools.partial(resample.UpConv, dtype=self.dtype)
    x = nn.relu(up_conv(self.width, name="conv0")(z))
    x = nn.relu(up_conv(self.width * 3 // 2, name="conv1")(x))
    x = resample.conv(2 * self.width, 3, name="conv2")(x)
    return x[:, : grid[0], : grid[1]]


class ChannelContext(nn.Module):
  """From all groups of channels before to `features` for the next one."""

  features: int
  widths: tuple[int, ...] = CONTEXT_WIDTHS
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(self, known: Float[Array, "b h w c"]) -> Float[Array, "b h w d"]:
    x = known
    for k, width in enumerate(self.widths):
      x = nn.relu(resample.conv(width, 5, dtype=self.dtype, name=f"conv{k}")(x))
    return resample.conv(self.features, 5, name=f"conv{len(self.widths)}")(x)


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
      x = nn.relu(resample.conv(width, 1, dtype=self.dtype, name=f"conv{k}")(x))
    return resample.conv(self.features, 1, name=f"conv{last}")(x)

  def inner_width(self, inputs: int, layer: int) -> int:
    """Returns the channels between a layer, counted from 1, and the next."""
    left = AGGREGATION_LAYERS - layer
    line = (left * inputs + layer * self.features) // AGGREGATION_LAYERS
    return max(line, self.least)
