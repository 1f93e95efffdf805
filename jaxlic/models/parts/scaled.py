"""Scales that bring one trained network to other rates.

y is coded as `round(scale * y) / scale`, a scale per channel and level,
interpolated between levels. Only the scales, `params["log_scale"]`, are trained
then. Scales of 1, which they begin as, are the model without.

References:
  Theis, Shi, Cunningham, Huszar, "Lossy image compression with compressive
  autoencoders", 2017, eq. 9.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlic.densities.channelwise import Scaled
from jaxlic.nn import gains
from jaxlic.types import Context, Grid, Model, Params, Predict, Quality

SCALES = "log_scale"


def predict_level(channels: int) -> Predict:
  """Returns a `predict` of mean 0, with the level that tells the scales."""

  def predict(params: Params, context: Context, grid: Grid) -> Scaled:
    level = context["quality"].level
    return Scaled(jnp.zeros((len(level), *grid, channels)), level)

  return predict


def scaled(model: Model) -> Model:
  """Returns a model of one stage, y, with scales for its spec's levels."""
  (stage,) = model.stages
  shape = (model.spec.levels, stage.spec.channels)

  def init(key: Array) -> Params:
    return model.init(key) | {SCALES: jnp.zeros(shape)}

  def latents(params: Params, y: Float[Array, "b h w c"], quality: Quality):
    coded = model.latents(params, y, quality)["y"]
    return {"y": coded * gains.gain(params[SCALES], quality.level)}

  def synthesize(params: Params, context: Context) -> Float[Array, "b H W 3"]:
    scale = gains.gain(params[SCALES], context["quality"].level)
    return model.synthesize(params, context | {"y": context["y"] / scale})

  return model._replace(init=init, latents=latents, synthesize=synthesize)
