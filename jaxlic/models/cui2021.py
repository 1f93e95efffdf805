"""The asymmetric gained model: one network, every rate, its own context.

    analysis   conv3/2 GDN conv3/2 GDN A conv3/2 GDN conv3/2 A    y at stride 16
    synthesis  the mirror image, subpixel3, with inverse GDN
    context    masked conv3, conv5 and conv7 of y side by side, and the hyper
               latent: 8M numbers per position for M channels of y; then 1x1
               convolutions to 20/3 M, 16/3 M, 4 M, 10/3 M and 3 M

with attention A, see nn/attention.py, and the hyper transforms of cheng2020,
whose kernels are 3x3, too. For every y the network gives the mode and the two
scales of an asymmetric Gaussian. Gain units act on y and z, see gained.py. In
training, latents are quantized with a random offset (universal quantization).

Raster order with a window of 7x7 is decoded in waves of equal x + 4 y.

References:
  Cui, Wang, Gao, Guo, Bai, Xu, Feng, "Asymmetric gained deep image compression
  with continuous rate adaptation", 2021. Its text names 3x3 kernels, attention,
  192 latents, contexts of three sizes and the density; where it is silent
  (normalization, places of the attention, hyper transforms, slopes) this is
  Minnen 2018 and Cheng 2020. Widths of the context's last layers are those of
  public re-implementations.
"""

import functools

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Int

from jaxlic.entropy import asymmetric
from jaxlic.models import bmshj2018, cheng2020, gained
from jaxlic.models.parts import context, precision
from jaxlic.nn import convolutions, neighbours
from jaxlic.nn.attention import Attention
from jaxlic.nn.gdn import GDN
from jaxlic.quantize import surrogates
from jaxlic.types import Model, ModelSpec, Prediction

WIDTH = 192  # of everything, y and z included
SIDES = (3, 5, 7)  # of the context's windows
TAPS = neighbours.raster_taps(max(SIDES))
# Of the inner 1x1 convolutions, in thirds of y's channels.
THIRDS = (20, 16, 12, 10)


def make(
  *,
  width: int = WIDTH,
  lambdas: tuple[float, ...] = gained.CUI2021,
  ms_ssim_lambdas: tuple[float, ...] = gained.CUI2021_MS_SSIM,
  hyper_input: str = "gained",
  surrogate: str = "universal",
  dtype: str = "float32",
  name: str = "cui2021",
) -> Model:
  """Returns the model.

  Args:
    width: Channels of the transforms, of y and of z.
    lambdas: The weight of the distortion at each level, ascending.
    ms_ssim_lambdas: Likewise, of 1 - MS-SSIM; see gained.py for their unit.
    hyper_input: What the hyper analysis sees, "gained" or "ungained" y.
    surrogate: What stands for rounding in training, see quantize/surrogates.py.
    dtype: What the convolutions compute in, see nn/__init__.py.
    name: The model's name.

  Raises:
    JaxlicError: If there is no such surrogate, dtype or input of the hyper
      analysis, there are less than two levels, or lambdas do not ascend.
  """
  dtype = precision.checked(dtype)
  quantizer = surrogates.make(surrogate)
  model = bmshj2018.with_hyper(
    ModelSpec(name, bmshj2018.STRIDE),
    Analysis(width, dtype),
    Synthesis(width, dtype),
    cheng2020.HyperAnalysis(width, dtype),
    cheng2020.HyperSynthesis(width, dtype),
    lambda hyper: hyper,
    quantizer,
    _context(width, dtype),
    (quantizer, asymmetric.by_scale()),
  )
  return gained.wrap(
    model,
    name=name,
    lambdas=lambdas,
    ms_ssim_lambdas=ms_ssim_lambdas,
    hyper_input=hyper_input,
  )


def read_scales_and_mode(numbers: Float[Array, "b h w c"]) -> Prediction:
  """Returns the prediction: left scales first, right ones, then modes."""
  left, right, mode = jnp.split(numbers, 3, -1)
  return Prediction(mean=mode, scale=jnp.stack([left, right], -1))


def _context(latent: int, dtype: str) -> context.ContextModel:
  groups = functools.partial(neighbours.waves, side=max(SIDES))
  network = Refinement(latent, dtype)
  return context.refined_by(network, latent, groups, TAPS, read_scales_and_mode)


class Analysis(nn.Module):
  """From the image to y, at stride 16, with `width` channels.

  What makes y itself, the last convolution and the attention after it, computes
  in float32.
  """

  width: int
  dtype: DTypeLike = jnp.float32

  @property
  def latent(self) -> int:
    """The channels of y."""
    return self.width

  @nn.compact
  def __call__(self, x: Float[Array, "b H W 3"]) -> Float[Array, "b h w c"]:
    for k in range(3):
      x = convolutions.conv(
        self.width, 3, 2, dtype=self.dtype, name=f"conv{k}"
      )(x)
      x = GDN(name=f"gdn{k}")(x)
      if k == 1:
        x = Attention(self.dtype, name="attention0")(x)
    x = convolutions.conv(self.width, 3, 2, name="conv3")(x)
    return Attention(name="attention1")(x)


class Synthesis(nn.Module):
  """From y to the image."""

  width: int
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b H W 3"]:
    up_conv = functools.partial(convolutions.SubpixelConv, dtype=self.dtype)
    x = Attention(self.dtype, name="attention0")(x)
    for k in range(3):
      x = up_conv(self.width, name=f"conv{k}")(x)
      x = GDN(inverse=True, name=f"gdn{k}")(x)
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
    return nn.Dense(3 * self.latent, name=f"dense{len(THIRDS)}")(x)
