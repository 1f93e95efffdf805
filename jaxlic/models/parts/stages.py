"""Stages that many models share, and what their networks' outputs mean."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlic.densities import factorized
from jaxlic.models.parts.net import Network
from jaxlic.models.parts.published import HYPER_STRIDE
from jaxlic.types import (
  Absorb,
  Context,
  Grid,
  ModelSpec,
  Params,
  Predict,
  Prediction,
  Quantizer,
  Stage,
  StageSpec,
)

MEDIAN = "median"  # of a factorized density; only imported models have it


def factorized_stage(
  spec: StageSpec, quantizer: Quantizer, absorb: Absorb, factor: int = 1
) -> Stage:
  """Returns a stage whose density, `params[name + "_density"]`, is factorized.

  Its grid is `factor` times coarser than the image's.
  """
  density = f"{spec.name}_density"
  return Stage(
    spec,
    quantizer,
    factorized.make(density),
    predict_median(density, spec.channels, factor),
    absorb,
  )


def hyper_stage(
  spec: ModelSpec, channels: int, quantizer: Quantizer, synthesis: Network
) -> Stage:
  """Returns the stage of z, at a quarter of y's grid, rounded up.

  What the synthesis makes of z, given y's grid, is `context["hyper"]` then, and
  `context["y"]` has no channels yet.
  """

  def absorb(params: Params, context: Context, z_hat, grid: Grid) -> Context:
    hyper = synthesis(params, z_hat, grid)
    return context | {"hyper": hyper, "y": hyper[..., :0]}

  z_spec = StageSpec("z", HYPER_STRIDE * spec.stride, channels, side=True)
  return factorized_stage(z_spec, quantizer, absorb, HYPER_STRIDE)


def predict_median(density: str, channels: int, factor: int = 1) -> Predict:
  """Returns a `predict` for a factorized density, whose mean is its median.

  That is `params[density]["median"]` [c], which training leaves as it is; only
  imported parameters have one, and without it the mean is 0. The grid is
  `factor` times coarser than the image's.
  """

  def predict(params: Params, context: Context, grid: Grid) -> Prediction:
    height, width = (-(-side // factor) for side in grid)
    batch = context["quality"].level.shape[0]
    zero = jnp.zeros((batch, height, width, channels))
    if MEDIAN not in params[density]:
      return Prediction(mean=zero, scale=zero)
    median = jax.lax.stop_gradient(params[density][MEDIAN])
    return Prediction(mean=zero + median[None, None, None], scale=zero)

  return predict


def predict_by_hyper(
  params: Params, context: Context, grid: Grid
) -> Prediction:
  """Returns the prediction that the hyper synthesis gives."""
  return read_scale_and_mean(context["hyper"])


def read_scale_and_mean(numbers: Float[Array, "b h w c"]) -> Prediction:
  """Returns the prediction of a Gaussian: scales first, then means."""
  scale, mean = jnp.split(numbers, 2, -1)
  return Prediction(mean=mean, scale=scale)


def absorb_as(name: str) -> Absorb:
  """Returns an `absorb` that only remembers the latent, under `name`."""

  def absorb(params: Params, context: Context, y_hat, grid: Grid) -> Context:
    return context | {name: y_hat}

  return absorb
