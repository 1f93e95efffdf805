"""The factorized-prior model, and the hyperprior that predicts scales.

    analysis   conv5/2 GDN conv5/2 GDN conv5/2 GDN conv5/2        y at stride 16
    synthesis  the mirror image, transposed, with inverse GDN

The factorized model codes y with one learned density per channel; a variant of
it has ReLUs in place of the normalization. The hyperprior codes a second latent
z, from |y|, at stride 64; from z both sides predict the standard deviation of
every y, a zero-mean Gaussian.

Each quality from 1 to 8 is a model of its own, with the widths and the weight
of the distortion under which CompressAI publishes weights. Images in [0, 1]
enter the analysis as they are.

References:
  Balle, Minnen, Singh, Hwang, Johnston, "Variational image compression with a
  scale hyperprior", 2018. Differs in the latent z of images whose sides are no
  multiples of 64: it covers the padded image, and what the hyper synthesis
  makes beyond y's grid is cut off.
  Begaint et al., "CompressAI", 2020, models/google.py (layers and widths).
"""

import functools
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jaxlic.entropy import factorized, gaussian
from jaxlic.entropy.channelwise import Family
from jaxlic.errors import JaxlicError
from jaxlic.models.parts import context, precision
from jaxlic.nn import convolutions
from jaxlic.nn.gdn import GDN
from jaxlic.quantize import surrogates
from jaxlic.types import (
  Density,
  Model,
  ModelSpec,
  Prediction,
  Quantizer,
  Stage,
  StageSpec,
)

STRIDE = 16  # pixels per position of y
HYPER_STRIDE = 4  # positions of y per position of z
NARROW, WIDE = (128, 192), (192, 320)  # channels inside the transforms, of y
# Weights of 255^2 * MSE against bits per pixel, for qualities 1 to 8.
LAMBDAS = (0.0018, 0.0035, 0.0067, 0.0130, 0.0250, 0.0483, 0.0932, 0.1800)
# Likewise of 1 - MS-SSIM.
MS_SSIM_LAMBDAS = (2.40, 4.58, 8.73, 16.64, 31.73, 60.50, 115.37, 220.00)
WIDE_FROM = 6  # the first quality of the wide networks


def make_factorized(
  *,
  quality: int = 4,
  width: int | None = None,
  latent: int | None = None,
  norm: str | None = "sqrt",
  surrogate: str = "noise",
  dtype: str = "float32",
  name: str = "bmshj2018-factorized",
) -> Model:
  """Returns the factorized-prior model of a published quality.

  Args:
    quality: 1 (fewest bits) to 8: the weight of the distortion, and the widths.
    width: Channels inside the transforms, instead of the quality's.
    latent: Channels of y, instead of the quality's.
    norm: The form of the divisive normalization, see nn/gdn.py; None: ReLUs.
    surrogate: What stands for rounding in training, see quantize/surrogates.py.
    dtype: What the convolutions compute in, see nn/__init__.py.
    name: The model's name.

  Raises:
    JaxlicError: If there is no such quality, surrogate or dtype.
  """
  width, latent = published_widths(quality, width, latent, WIDE_FROM)
  dtype = precision.checked(dtype)
  quantizer = surrogates.make(surrogate)
  return without_hyper(
    model_spec(name, quality),
    Analysis(width, latent, norm, dtype),
    Synthesis(width, norm, dtype),
    factorized_stage("y", latent, quantizer, absorb_as("y")),
    factorized.FAMILY,
  )


def make_factorized_relu(
  *,
  quality: int = 4,
  width: int | None = None,
  latent: int | None = None,
  surrogate: str = "noise",
  dtype: str = "float32",
  name: str = "bmshj2018-factorized-relu",
) -> Model:
  """Returns the factorized-prior model with ReLUs, of a published quality.

  Args:
    quality: As in `make_factorized`.
    width: As in `make_factorized`.
    latent: As in `make_factorized`.
    surrogate: As in `make_factorized`.
    dtype: As in `make_factorized`.
    name: The model's name.

  Raises:
    JaxlicError: If there is no such quality, surrogate or dtype.
  """
  return make_factorized(
    quality=quality,
    width=width,
    latent=latent,
    norm=None,
    surrogate=surrogate,
    dtype=dtype,
    name=name,
  )


def make_hyperprior(
  *,
  quality: int = 4,
  width: int | None = None,
  latent: int | None = None,
  norm: str = "sqrt",
  surrogate: str = "noise",
  dtype: str = "float32",
  name: str = "bmshj2018-hyperprior",
) -> Model:
  """Returns the scale hyperprior of a published quality.

  Args:
    quality: As in `make_factorized`.
    width: Channels inside the transforms and of z, instead of the quality's.
    latent: As in `make_factorized`.
    norm: As in `make_factorized`.
    surrogate: As in `make_factorized`.
    dtype: As in `make_factorized`.
    name: The model's name.

  Raises:
    JaxlicError: If there is no such quality, surrogate or dtype.
  """
  width, latent = published_widths(quality, width, latent, WIDE_FROM)
  dtype = precision.checked(dtype)

  def read(hyper: Float[Array, "b h w c"]) -> Prediction:
    return Prediction(mean=jnp.zeros_like(hyper), scale=hyper)

  return with_hyper(
    model_spec(name, quality),
    Analysis(width, latent, norm, dtype),
    Synthesis(width, norm, dtype),
    HyperAnalysis(width, dtype),
    HyperSynthesis(width, latent, dtype),
    read,
    surrogates.make(surrogate),
  )


def without_hyper(
  spec: ModelSpec,
  analysis: nn.Module,
  synthesis: nn.Module,
  stage: Stage,
  family: Family,
) -> Model:
  """Returns a model of one stage, y, whose channels have their own densities.

  Their parameters, `params["y_density"]`, are those of `family`.
  """
  latent, stride = analysis.latent, spec.stride

  def init(key: Array) -> dict:
    analysis_key, synthesis_key, density_key = jax.random.split(key, 3)
    image, y = jnp.zeros((1, stride, stride, 3)), jnp.zeros((1, 1, 1, latent))
    return {
      "analysis": analysis.init(analysis_key, image),
      "synthesis": synthesis.init(synthesis_key, y),
      "y_density": family.init(density_key, latent),
    }

  def analyze(params: dict, image: Float[Array, "b H W 3"], rate) -> Array:
    return analysis.apply(params["analysis"], image)

  def latents(params: dict, y: Float[Array, "b h w c"], rate) -> dict:
    return {"y": y}

  def synthesize(params: dict, context: dict) -> Float[Array, "b H W 3"]:
    return synthesis.apply(params["synthesis"], context["y"])

  return Model(spec, init, analyze, latents, (stage,), synthesize)


def with_hyper(
  spec: ModelSpec,
  analysis: "Analysis",
  synthesis: "Synthesis",
  hyper_analysis: nn.Module,
  hyper_synthesis: nn.Module,
  read: Callable,
  quantizer: Quantizer,
  context_model: context.ContextModel | None = None,
  y_coding: tuple[Quantizer, Density] | None = None,
) -> Model:
  """Returns a model of two stages: z, then y as a Gaussian that z predicts.

  `hyper_analysis` maps y to z, with `hyper_analysis.width` channels at a
  quarter of y's grid, rounded up; `hyper_synthesis` maps z and the grid to what
  `read` turns into the prediction of y. Both stages share the `quantizer`.

  With a `context_model`, `read` gives the features that this refines, by the
  latents around each that are decoded before it. `y_coding` is y's, if it is
  not the `quantizer` and a Gaussian.
  """
  y_quantizer, y_density = y_coding or (quantizer, gaussian.by_scale())
  width, latent = hyper_analysis.width, analysis.latent

  def init(key: Array) -> dict:
    keys = jax.random.split(key, 6)
    image, y = jnp.zeros((1, STRIDE, STRIDE, 3)), jnp.zeros((1, 1, 1, latent))
    z = jnp.zeros((1, 1, 1, width))
    extra = context_model.init(keys[5]) if context_model else {}
    return extra | {
      "analysis": analysis.init(keys[0], image),
      "synthesis": synthesis.init(keys[1], y),
      "hyper_analysis": hyper_analysis.init(keys[2], y),
      "hyper_synthesis": hyper_synthesis.init(keys[3], z, (1, 1)),
      "z_density": factorized.init(keys[4], width),
    }

  def analyze(params: dict, image: Float[Array, "b H W 3"], rate) -> Array:
    return analysis.apply(params["analysis"], image)

  def latents(params: dict, y: Float[Array, "b h w c"], rate) -> dict:
    return {"z": hyper_analysis.apply(params["hyper_analysis"], y), "y": y}

  def absorb_z(params: dict, context: dict, z_hat, grid) -> dict:
    hyper = hyper_synthesis.apply(params["hyper_synthesis"], z_hat, grid)
    return context | {"hyper": hyper}

  def predict_y(params: dict, context: dict, grid) -> Prediction | Array:
    return read(context["hyper"])

  def synthesize(params: dict, context: dict) -> Float[Array, "b H W 3"]:
    return synthesis.apply(params["synthesis"], context["y"])

  z_stage = factorized_stage("z", width, quantizer, absorb_z, HYPER_STRIDE)
  y_stage = Stage(
    StageSpec("y", STRIDE, latent),
    y_quantizer,
    y_density,
    predict_y,
    absorb_as("y"),
    context_model and context_model.order,
  )
  return Model(spec, init, analyze, latents, (z_stage, y_stage), synthesize)


def published_widths(
  quality: int, width: int | None, latent: int | None, wide_from: int
) -> tuple[int, int]:
  """Returns the transforms' and the latent's channels; those given win.

  Qualities from `wide_from` on use the wide networks.

  Raises:
    JaxlicError: If the quality is not in 1..8.
  """
  if not 1 <= quality <= len(LAMBDAS):
    raise JaxlicError(
      f"a published quality is in 1..{len(LAMBDAS)}, got {quality}; choose one "
      "of them, and set width and latent for other networks"
    )
  published = WIDE if quality >= wide_from else NARROW
  return (
    published[0] if width is None else width,
    published[1] if latent is None else latent,
  )


def check_quality(quality: int, count: int, paper: str) -> None:
  """Checks that a paper has so high a quality.

  Raises:
    JaxlicError: If it is not in 1..count.
  """
  if not 1 <= quality <= count:
    raise JaxlicError(
      f"a published quality of {paper} is in 1..{count}, got {quality}; choose "
      "one of them, and set width for another network"
    )


def model_spec(name: str, quality: int) -> ModelSpec:
  """Returns the facts of a model of one rate."""
  return ModelSpec(
    name,
    STRIDE,
    lambdas=(LAMBDAS[quality - 1],),
    ms_ssim_lambdas=(MS_SSIM_LAMBDAS[quality - 1],),
  )


def factorized_stage(
  name: str,
  channels: int,
  quantizer: Quantizer,
  absorb: Callable,
  factor: int = 1,
) -> Stage:
  """Returns a stage whose density, `params[name + "_density"]`, is factorized.

  Its grid is `factor` times coarser than y's.
  """
  density = f"{name}_density"
  return Stage(
    StageSpec(name, factor * STRIDE, channels),
    quantizer,
    factorized.make(density),
    predict_median(density, channels, factor),
    absorb,
  )


def predict_median(density: str, channels: int, factor: int = 1) -> Callable:
  """Returns a `predict` for a factorized density, whose mean is its median.

  That is `params[density]["median"]` [c], which training leaves as it is; only
  imported parameters have one, and without it the mean is 0. The grid is
  `factor` times coarser than y's.
  """

  def predict(params: dict, context: dict, grid) -> Prediction:
    height, width = (-(-side // factor) for side in grid)
    zero = jnp.zeros((context["rate"].shape[0], height, width, channels))
    if "median" not in params[density]:
      return Prediction(mean=zero, scale=zero)
    median = jax.lax.stop_gradient(params[density]["median"])
    return Prediction(mean=zero + median, scale=zero)

  return predict


def absorb_as(name: str) -> Callable:
  """Returns an `absorb` that only remembers the latent, under `name`."""

  def absorb(params: dict, context: dict, y_hat, grid) -> dict:
    return context | {name: y_hat}

  return absorb


class Analysis(nn.Module):
  """From the image to y, at stride 16; ReLUs if `norm` is None."""

  width: int
  latent: int
  norm: str | None = "sqrt"
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
  norm: str | None = "sqrt"
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


class HyperAnalysis(nn.Module):
  """From |y| to z, at a quarter of y's grid, rounded up."""

  width: int
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(self, y: Float[Array, "b h w c"]) -> Float[Array, "b u v d"]:
    conv = functools.partial(convolutions.conv, dtype=self.dtype)
    x = conv(self.width, 3, name="conv0")(jnp.abs(y))
    x = conv(self.width, 5, 2, name="conv1")(nn.relu(x))
    return convolutions.conv(self.width, 5, 2, name="conv2")(nn.relu(x))


class HyperSynthesis(nn.Module):
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
