"""Cheng 2020: residual blocks, a context model, with and without attention.

    analysis         Down Block Down [A] Block Down Block conv3/2 [A]
    synthesis        [A] Block Up Block Up [A] Block Up Block subpixel3
    hyper analysis   conv3 conv3 conv3/2 conv3 conv3/2
    hyper synthesis  conv3 subpixel3 conv3 subpixel3 conv3

with leaky ReLUs of slope 0.01 between the convolutions of the hyper networks,
and attention, A, in one of the two variants ("attn"; the other is "anchor").
All have one width, but for the second half of the hyper synthesis.

y is predicted jointly by z and by the latents around each position, see
models/context.py: as one Gaussian each, which is CompressAI's form, or as the
paper's mixture of three.

References:
  Cheng, Sun, Takeuchi, Katto, "Learned image compression with discretized
  Gaussian mixture likelihoods and attention modules", 2020.
  Begaint et al., "CompressAI", 2020, models/waseda.py (layers and widths).
"""

import functools

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jaxlic.entropy import mixture
from jaxlic.errors import JaxlicError
from jaxlic.models import bmshj2018, mbt2018
from jaxlic.models.parts import context, precision
from jaxlic.nn import convolutions
from jaxlic.nn.attention import Attention
from jaxlic.nn.cheng_blocks import DownBlock, ResidualBlock, UpBlock
from jaxlic.quantize import rounding, surrogates
from jaxlic.types import Model, Prediction

QUALITIES = 6
NARROW, WIDE = 128, 192
WIDE_FROM = 4  # the first quality of the wide networks


def make(
  *,
  quality: int = 3,
  width: int | None = None,
  attention: bool = False,
  components: int = 1,
  order: str = "raster",
  surrogate: str = "noise",
  dtype: str = "float32",
  name: str = "cheng2020-anchor",
) -> Model:
  """Returns the model of a published quality.

  Args:
    quality: 1 (fewest bits) to 6: the weight of the distortion, and the width.
    width: Channels of everything, instead of the quality's.
    attention: Whether the transforms have attention blocks.
    components: Of the mixture of Gaussians that predicts a latent: 1, or the
      paper's 3.
    order: "raster", or "checkerboard" (He 2021); see models/context.py.
    surrogate: What stands for rounding in training, see quantize/surrogates.py.
    dtype: What the convolutions compute in, see nn/__init__.py.
    name: The model's name.

  Raises:
    JaxlicError: If there is no such quality, order, surrogate or dtype, or no
      component.
  """
  if components < 1:
    raise JaxlicError(
      f"a mixture has 1 component or more, got {components}; choose 1 or 3"
    )
  bmshj2018.check_quality(quality, QUALITIES, "Cheng 2020")
  published = WIDE if quality >= WIDE_FROM else NARROW
  width = published if width is None else width
  dtype = precision.checked(dtype)
  quantizer = surrogates.make(surrogate)
  # A mixture's symbols are rounded latents, a Gaussian's differ by its mean.
  mixed = components > 1
  return bmshj2018.with_hyper(
    bmshj2018.model_spec(name, quality),
    *networks(width, attention, dtype),
    lambda hyper: hyper,
    quantizer,
    context.make(
      order,
      latent=width,
      outputs=(3 * components if mixed else 2) * width,
      read=(
        functools.partial(read_mixture, components)
        if mixed
        else mbt2018.read_scale_and_mean
      ),
      dtype=dtype,
    ),
    (rounding.plain(quantizer), mixture.make()) if mixed else None,
  )


def networks(
  width: int, attention: bool, dtype: str
) -> tuple[nn.Module, nn.Module, nn.Module, nn.Module]:
  """Returns analysis, synthesis, hyper analysis and hyper synthesis."""
  return (
    Analysis(width, attention, dtype),
    Synthesis(width, attention, dtype),
    HyperAnalysis(width, dtype),
    HyperSynthesis(width, dtype),
  )


def read_mixture(
  components: int, numbers: Float[Array, "b h w n"]
) -> Prediction:
  """Returns the prediction of a mixture: logits, means, then scales.

  Each third holds the components of the first channel, then of the next.
  """
  thirds = numbers.reshape(*numbers.shape[:3], 3, -1, components)
  logits, mean, scale = jnp.moveaxis(thirds, 3, 0)
  return Prediction(mean=mean, scale=scale, logits=logits)


class Analysis(nn.Module):
  """From the image to y, at stride 16, with `width` channels.

  What makes y itself, the last convolution and the attention after it, computes
  in float32.
  """

  width: int
  attention: bool = False
  dtype: DTypeLike = jnp.float32

  @property
  def latent(self) -> int:
    """The channels of y."""
    return self.width

  @nn.compact
  def __call__(self, x: Float[Array, "b H W 3"]) -> Float[Array, "b h w c"]:
    for k in range(3):
      x = DownBlock(self.width, self.dtype, name=f"down{k}")(x)
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

  @nn.compact
  def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b H W 3"]:
    if self.attention:
      x = Attention(self.dtype, name="attention0")(x)
    for k in range(3):
      x = ResidualBlock(self.width, self.dtype, name=f"block{k}")(x)
      x = UpBlock(self.width, self.dtype, name=f"up{k}")(x)
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
