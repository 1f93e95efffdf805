"""Hyper transforms, and what predicts slices of channels from those before.

See `jaxlic/models/ms2020.py` for their layers.

References:
  Minnen, Singh, "Channel-wise autoregressive entropy models for learned image
  compression", 2020.
"""

import functools

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jaxlic.nn import convolutions


class HyperAnalysis(nn.Module):
  """From y to z, at a quarter of y's grid, rounded up."""

  widths: tuple[int, ...]  # of three layers; the last is z's
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(self, y: Float[Array, "b h w c"]) -> Float[Array, "b u v d"]:
    conv = functools.partial(convolutions.conv, dtype=self.dtype)
    first, second, last = self.widths
    x = nn.relu(conv(first, 3, name="conv0")(y))
    x = nn.relu(conv(second, 5, 2, name="conv1")(x))
    return convolutions.conv(last, 5, 2, use_bias=False, name="conv2")(x)


class HyperSynthesis(nn.Module):
  """From z to what slice transforms see beside the slices, on y's grid."""

  widths: tuple[int, ...]  # of three layers; the first is z's, too
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(
    self, z: Float[Array, "b u v d"], grid: tuple[int, int]
  ) -> Float[Array, "b h w c"]:
    up_conv = functools.partial(convolutions.UpConv, dtype=self.dtype)
    first, second, last = self.widths
    x = nn.relu(up_conv(first, name="conv0")(z))
    x = nn.relu(up_conv(second, name="conv1")(x))
    x = nn.relu(convolutions.conv(last, 3, name="conv2")(x))
    return x[:, : grid[0], : grid[1]]


class SliceTransform(nn.Module):
  """From all that is known to one number for every latent of a slice."""

  widths: tuple[int, ...]
  features: int
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(self, known: Float[Array, "b h w c"]) -> Float[Array, "b h w d"]:
    conv = functools.partial(convolutions.conv, dtype=self.dtype)
    x = known
    for k, width in enumerate(self.widths):
      x = nn.relu(conv(width, 5, name=f"conv{k}")(x))
    return convolutions.conv(self.features, 3, name=f"conv{len(self.widths)}")(
      x
    )
