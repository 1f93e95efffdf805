"""The mean-scale hyperprior, and its joint autoregressive form.

z predicts the mean and the scale of every y; jointly with the latents around it
that are decoded before, by models/context.py.

The transforms are those of bmshj2018. The hyper transforms see y itself, use
leaky ReLUs, and the hyper synthesis is wider, with two numbers per latent.

References:
  Minnen, Balle, Toderici, "Joint autoregressive and hierarchical priors for
  learned image compression", 2018 (the mean-scale hyperprior is this model
  without its autoregression).
  Begaint et al., "CompressAI", 2020, models/google.py (layers and widths).
"""

import functools
from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jaxlic.models import bmshj2018
from jaxlic.models.parts import context, precision
from jaxlic.nn import convolutions
from jaxlic.quantize import surrogates
from jaxlic.types import Model, Prediction

WIDE_FROM = 5  # the first quality of the wide networks
JOINT_WIDTH = 192


def make_mean(
  *,
  quality: int = 4,
  width: int | None = None,
  latent: int | None = None,
  norm: str = "sqrt",
  surrogate: str = "noise",
  dtype: str = "float32",
  name: str = "mbt2018-mean",
) -> Model:
  """Returns the mean-scale hyperprior of a published quality.

  Args:
    quality: 1 (fewest bits) to 8: the weight of the distortion, and the widths.
    width: Channels inside the transforms and of z, instead of the quality's.
    latent: Channels of y, instead of the quality's.
    norm: The form of the divisive normalization, see nn/gdn.py.
    surrogate: What stands for rounding in training, see quantize/surrogates.py.
    dtype: What the convolutions compute in, see nn/__init__.py.
    name: The model's name.

  Raises:
    JaxlicError: If there is no such quality, surrogate or dtype.
  """
  width, latent = bmshj2018.published_widths(quality, width, latent, WIDE_FROM)
  dtype = precision.checked(dtype)
  return bmshj2018.with_hyper(
    bmshj2018.model_spec(name, quality),
    *networks(width, latent, norm, dtype),
    read_scale_and_mean,
    surrogates.make(surrogate),
  )


def make_joint(
  *,
  quality: int = 4,
  width: int | None = None,
  latent: int | None = None,
  norm: str = "sqrt",
  order: str = "raster",
  surrogate: str = "noise",
  dtype: str = "float32",
  name: str = "mbt2018",
) -> Model:
  """Returns the joint autoregressive and hierarchical prior.

  Args:
    quality: As in `make_mean`.
    width: As in `make_mean`; 192 for every quality.
    latent: As in `make_mean`.
    norm: As in `make_mean`.
    order: "raster", or "checkerboard" (He 2021); see models/context.py.
    surrogate: As in `make_mean`.
    dtype: As in `make_mean`.
    name: The model's name.

  Raises:
    JaxlicError: If there is no such quality, order, surrogate or dtype.
  """
  width = JOINT_WIDTH if width is None else width
  width, latent = bmshj2018.published_widths(quality, width, latent, WIDE_FROM)
  dtype = precision.checked(dtype)
  return bmshj2018.with_hyper(
    bmshj2018.model_spec(name, quality),
    *networks(width, latent, norm, dtype),
    lambda hyper: hyper,
    surrogates.make(surrogate),
    context.make(
      order,
      latent=latent,
      outputs=2 * latent,
      read=read_scale_and_mean,
      dtype=dtype,
    ),
  )


def networks(
  width: int, latent: int, norm: str, dtype: str
) -> tuple[nn.Module, nn.Module, nn.Module, nn.Module]:
  """Returns analysis, synthesis, hyper analysis and hyper synthesis."""
  return (
    bmshj2018.Analysis(width, latent, norm, dtype),
    bmshj2018.Synthesis(width, norm, dtype),
    HyperAnalysis(width, dtype),
    HyperSynthesis(latent, dtype),
  )


def read_scale_and_mean(numbers: Float[Array, "b h w c"]) -> Prediction:
  """Returns the prediction of a Gaussian: scales first, then means."""
  scale, mean = jnp.split(numbers, 2, -1)
  return Prediction(mean=mean, scale=scale)


class HyperAnalysis(nn.Module):
  """From y to z, at a quarter of y's grid, rounded up."""

  width: int
  dtype: DTypeLike = jnp.float32
  activation: Callable = nn.leaky_relu

  @nn.compact
  def __call__(self, y: Float[Array, "b h w c"]) -> Float[Array, "b u v d"]:
    conv = functools.partial(convolutions.conv, dtype=self.dtype)
    x = self.activation(conv(self.width, 3, name="conv0")(y))
    x = self.activation(conv(self.width, 5, 2, name="conv1")(x))
    return convolutions.conv(self.width, 5, 2, name="conv2")(x)


class HyperSynthesis(nn.Module):
  """From z to the scales of y, then its means, along the channels."""

  latent: int
  dtype: DTypeLike = jnp.float32
  activation: Callable = nn.leaky_relu

  @nn.compact
  def __call__(
    self, z: Float[Array, "b u v d"], grid: tuple[int, int]
  ) -> Float[Array, "b h w c"]:
    up_conv = functools.partial(convolutions.UpConv, dtype=self.dtype)
    middle = self.latent * 3 // 2
    x = self.activation(up_conv(self.latent, name="conv0")(z))
    x = self.activation(up_conv(middle, name="conv1")(x))
    x = convolutions.conv(2 * self.latent, 3, name="conv2")(x)
    return x[:, : grid[0], : grid[1]]
