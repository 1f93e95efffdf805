"""Four strided convolutions with divisive normalizations between, and mirrored.

    analysis         conv5/2 GDN conv5/2 GDN conv5/2 GDN conv5/2
    synthesis        the mirror image, transposed, with inverse GDN
    hyper analysis   |y| conv3 conv5/2 conv5/2
    hyper synthesis  up5 up5 conv3

ReLUs lie between the convolutions of the hyper networks, and follow the last of
the hyper synthesis.

References:
  Balle, Minnen, Singh, Hwang, Johnston, "Variational image compression with a
  scale hyperprior", 2018, figure 4.
"""

import functools

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jaxlic.nn import convolutions
from jaxlic.nn.gdn import GDN, PRESETS, Constants


class Analysis(nn.Module):
  """From the image to y, at stride 16; ReLUs if `norm` is None."""

  width: int
  latent: int
  norm: Constants | None = PRESETS["sqrt"]
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(self, x: Float[Array, "b H W 3"]) -> Float[Array, "b h w c"]:
    conv = functools.partial(convolutions.conv, dtype=self.dtype)
    for k in range(3):
      x = conv(self.width, 5, 2, name=f"conv{k}")(x)
      if self.norm is None:
        x = nn.relu(x)
      else:
        x = GDN(norm=self.norm, name=f"gdn{k}")(x)
    return convolutions.conv(self.latent, 5, 2, name="conv3")(x)


class Synthesis(nn.Module):
  """From y to the image; ReLUs if `norm` is None."""

  width: int
  norm: Constants | None = PRESETS["sqrt"]
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b H W 3"]:
    up_conv = functools.partial(convolutions.UpConv, dtype=self.dtype)
    for k in range(3):
      x = up_conv(self.width, name=f"conv{k}")(x)
      if self.norm is None:
        x = nn.relu(x)
      else:
        x = GDN(inverse=True, norm=self.norm, name=f"gdn{k}")(x)
    return convolutions.UpConv(3, name="conv3")(x)


class ScaleHyperAnalysis(nn.Module):
  """From |y| to z, at a quarter of y's grid, rounded up."""

  width: int
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(self, y: Float[Array, "b h w c"]) -> Float[Array, "b u v d"]:
    conv = functools.partial(convolutions.conv, dtype=self.dtype)
    x = conv(self.width, 3, name="conv0")(jnp.abs(y))
    x = conv(self.width, 5, 2, name="conv1")(nn.relu(x))
    return convolutions.conv(self.width, 5, 2, name="conv2")(nn.relu(x))


class ScaleHyperSynthesis(nn.Module):
  """From z to the standard deviations of y, at least 0, on y's grid."""

  width: int
  latent: int
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(
    self, z: Float[Array, "b u v d"], grid: tuple[int, int]
  ) -> Float[Array, "b h w c"]:
    up_conv = functools.partial(convolutions.UpConv, dtype=self.dtype)
    x = nn.relu(up_conv(self.width, name="conv0")(z))
    x = nn.relu(up_conv(self.width, name="conv1")(x))
    x = nn.relu(convolutions.conv(self.latent, 3, name="conv2")(x))
    return x[:, : grid[0], : grid[1]]
