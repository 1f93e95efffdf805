"""Three strided convolutions, each normalized after, and mirrored; stride 16.

Convolutions are padded with zeros by half their kernel on every side. What goes
up is the transpose of what goes down: multiples of 16 come back exactly.

References:
  Balle, Laparra, Simoncelli, "End-to-end optimized image compression", 2017;
  see models/balle2017.py.
"""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jaxlic.nn import convolutions
from jaxlic.nn.gdn import GDN, PRESETS, Constants
from jaxlic.nn.stride2_gradients import LAYOUT

KERNEL, STRIDE = 9, 4  # of the layer next to the image


class Analysis(nn.Module):
  """From the image to y; of its grey, the mean of R, G and B, if `grey`."""

  width: int
  norm: Constants = PRESETS["sqrt"]
  normalize_latent: bool = True
  grey: bool = False
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(self, x: Float[Array, "b H W 3"]) -> Float[Array, "b h w c"]:
    conv = functools.partial(convolutions.conv, self.width)
    x = jnp.mean(x, -1, keepdims=True) if self.grey else x
    x = conv(KERNEL, STRIDE, name="conv0", dtype=self.dtype)(x)
    x = GDN(norm=self.norm, name="gdn0")(x)
    x = conv(5, 2, name="conv1", dtype=self.dtype)(x)
    x = GDN(norm=self.norm, name="gdn1")(x)
    x = conv(5, 2, name="conv", use_bias=False)(x)
    return GDN(norm=self.norm, name="gdn2")(x) if self.normalize_latent else x


class Synthesis(nn.Module):
  """From y to the image; to three equal channels if `grey`."""

  width: int
  norm: Constants = PRESETS["sqrt"]
  normalize_latent: bool = True
  grey: bool = False
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b H W 3"]:
    gdn = functools.partial(GDN, inverse=True, norm=self.norm)
    x = gdn(name="gdn0")(x) if self.normalize_latent else x
    for k in (0, 1):
      x = convolutions.UpConv(self.width, self.dtype, name=f"conv{k}")(x)
      x = gdn(name=f"gdn{k + 1}")(x)
    x = UpConv9(1 if self.grey else 3, name="conv2")(x)
    return jnp.repeat(x, 3, -1) if self.grey else x


class UpConv9(nn.Module):
  """A transposed 9x9 convolution of stride 4 that exactly quadruples the size.

  The parameter is the transposed kernel [9, 9, in, out] (flipped HWIO, padding
  4, output padding 3). It computes in float32, for it makes the image.
  """

  features: int

  @nn.compact
  def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b H W d"]:
    shape = KERNEL, KERNEL, x.shape[-1], self.features
    kernel = self.param("kernel", nn.initializers.lecun_normal(), shape)
    bias = self.param("bias", nn.initializers.zeros, (self.features,))
    x = jax.lax.conv_general_dilated(
      x.astype(jnp.float32),
      _subpixel(kernel),
      (1, 1),
      ((1, 1), (1, 1)),
      dimension_numbers=LAYOUT,
    )
    return convolutions.depth_to_space(x, STRIDE) + bias[None, None, None]


def _subpixel(kernel: Float[Array, "9 9 c d"]) -> Float[Array, "3 3 c e"]:
  """The kernel of all 4x4 phases of an output pixel, as channels (p, q, d).

  Row 4m + p meets row m + e through tap 4 + 4e - p, which is tap
  4 (e + 1) + (3 - p) once three zeros lie before.
  """
  *_, inputs, outputs = kernel.shape
  kernel = jnp.pad(kernel, ((3, 0), (3, 0), (0, 0), (0, 0)))
  kernel = kernel.reshape(3, STRIDE, 3, STRIDE, inputs, outputs)
  kernel = jnp.flip(kernel, (1, 3)).transpose(0, 2, 4, 1, 3, 5)
  return kernel.reshape(3, 3, inputs, STRIDE**2 * outputs)
