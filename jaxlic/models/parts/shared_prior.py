"""One entropy model for all levels of gain units.

Means and scales of a group of channels are predicted in image units, as latents
are before their gains, and the logarithm of the gain is added. Scales are
positions on the Gaussian's ladder, linear in the network's output. What is
decoded is known in image units, too.

The parameters are those of gain units and `params["log_deviation"]` [c], the
logarithms of the channels' deviations, from which networks predict.
"""

import math
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxlic.densities import factorized, gaussian
from jaxlic.models.parts.branched import Branched, centred
from jaxlic.models.parts.channel_groups import ChannelGroup
from jaxlic.models.parts.net import Net, init_of
from jaxlic.models.parts.skeleton import build
from jaxlic.models.parts.stages import hyper_stage
from jaxlic.nn import gains
from jaxlic.nn.lapped_transform import compand
from jaxlic.types import (
  Absorb,
  Context,
  Grid,
  Model,
  ModelSpec,
  Params,
  Predict,
  Prediction,
  Quality,
  Quantizer,
  Stage,
)

# From parameters and context to two numbers for each latent of a group.
Numbers = Callable[[Params, Context], Float[Array, "b h w c"]]


def hyperprior(
  spec: ModelSpec,
  transform: Branched,
  hyper_analysis: Net,
  hyper_synthesis: Net,
  predictors: dict[ChannelGroup, Net],
  z_quantizer: Quantizer,
  y_quantizer: Quantizer,
) -> Model:
  """Returns a model with a hyper latent z, a stage, and one for each group.

  Args:
    spec: The model's facts; its lambdas make the gains at first.
    transform: Analysis and synthesis.
    hyper_analysis: From companded y, and the centred level, to z.
    hyper_synthesis: From z and y's grid to what predictors see beside y.
    predictors: Of each group, in coding order, from both, y companded, and the
      centred level to means, in deviations, and log scales.
    z_quantizer: Of z.
    y_quantizer: Of the groups.
  """
  channels = hyper_analysis.module.channels

  def latents(params: Params, y: Float[Array, "b h w c"], quality: Quality):
    z = hyper_analysis(params, compand(y), centred(quality, spec.levels))
    y = y * gains.gain(params["log_gain"], quality.level)
    return {"z": z} | {group.name: group.take(y) for group in predictors}

  def numbers(group: ChannelGroup) -> Numbers:
    def of_group(params: Params, context: Context) -> Float[Array, "b h w c"]:
      known = jnp.concatenate([context["hyper"], compand(context["y"])], -1)
      level = centred(context["quality"], spec.levels)
      return predictors[group](params, known, level)

    return of_group

  return build(
    spec,
    [
      transform.analysis.init,
      transform.synthesis.init,
      hyper_analysis.init,
      hyper_synthesis.init,
      init_of("z_density", factorized.init, channels, scale=1.5),
      *(net.init for net in predictors.values()),
      transform.init,
      lambda key: init_gains(spec.lambdas, transform.channels),
    ],
    transform.analyze,
    latents,
    [
      hyper_stage(spec, channels, z_quantizer, hyper_synthesis),
      *(
        Stage(
          group.spec(),
          y_quantizer,
          gaussian.by_index(),
          predict_group(group, numbers(group)),
          absorb_group(group),
        )
        for group in predictors
      ),
    ],
    transform.synthesize,
  )


def init_gains(lambdas: tuple[float, ...], channels: int) -> Params:
  """Returns gains [levels c] near the optimum of high rates.

  There a step's square is `26 / (255^2 lambda)`, of images in [0, 1].
  """
  log_step = 0.5 * np.log(26 / (255**2 * np.array(lambdas)))
  steps = jnp.tile(jnp.asarray(log_step, jnp.float32)[:, None], channels)
  return {"log_gain": -steps, "log_inverse_gain": steps}


def predict_group(group: ChannelGroup, numbers: Numbers) -> Predict:
  """Returns the `predict` of a group, of means first, then log scales."""

  def predict(params: Params, context: Context, grid: Grid) -> Prediction:
    mean, log_scale = jnp.split(numbers(params, context), 2, -1)
    log_deviation = params["log_deviation"][None, None, None, group.channels]
    log_gain = gains.interpolate(
      params["log_gain"][:, group.channels], context["quality"].level
    )
    mean = mean * jnp.exp(log_deviation + log_gain)
    log_scale = log_scale + log_deviation + log_gain
    index = (log_scale - math.log(gaussian.SCALE_MIN)) / gaussian.LOG_STEP
    return Prediction(mean=group.pick(mean), scale=group.pick(index))

  return predict


def absorb_group(group: ChannelGroup) -> Absorb:
  """Returns the `absorb` of a group, without its gains."""

  def absorb(
    params: Params, context: Context, y_hat: Array, grid: Grid
  ) -> Context:
    inverse = gains.gain(
      params["log_inverse_gain"][:, group.channels], context["quality"].level
    )
    y = group.put(y_hat, grid) * inverse
    return context | {"y": group.join(context["y"], y)}

  return absorb
