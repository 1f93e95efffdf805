"""The skeletons of models: y alone, and y with a hyper latent z.

`build` is for any model. `without_hyper` codes y in one stage. `hyperprior`
codes z, of a coarser grid, and then y in one group of channels or several:
each stage predicts its group from `context["hyper"]`, what the hyper synthesis
makes of z, and from `context["y"]`, all groups before it.
"""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import flax.linen as nn
import jax
from jaxtyping import Array, Float

from jaxlic.densities import factorized
from jaxlic.densities.channelwise import Family
from jaxlic.models.parts import channel_groups
from jaxlic.models.parts.channel_groups import ChannelGroup
from jaxlic.models.parts.context import ContextModel
from jaxlic.models.parts.net import Given, Init, Net, Network, init_of, together
from jaxlic.models.parts.published import STRIDE
from jaxlic.models.parts.stages import MEDIAN, hyper_stage
from jaxlic.types import (
  Absorb,
  Analyze,
  Context,
  Density,
  Grid,
  Latents,
  Model,
  ModelSpec,
  Order,
  Params,
  Predict,
  Quality,
  Quantizer,
  Stage,
  Synthesize,
)


def build(
  spec: ModelSpec,
  inits: Sequence[Init],
  analyze: Analyze,
  latents: Latents,
  stages: Sequence[Stage],
  synthesize: Synthesize,
) -> Model:
  """Returns a model, whose parameters are those of all `inits` together.

  Besides what its spec says, medians rest in training.
  """
  spec = dataclasses.replace(spec, rests=(MEDIAN, *spec.rests))
  init = together(inits)
  return Model(spec, init, analyze, latents, tuple(stages), synthesize)


def with_params(model: Model, inits: Sequence[Init]) -> Model:
  """Returns the model with more parameters; the others start as without."""

  def init(key: Array) -> Params:
    params = model.init(key)
    for k, one in enumerate(inits):
      params |= one(jax.random.fold_in(key, k))
    return params

  return model._replace(init=init)


def without_hyper(
  spec: ModelSpec,
  analysis: Network,
  synthesis: Network,
  stage: Stage,
  family: Family,
) -> Model:
  """Returns a model of one stage, y, whose channels have their own densities.

  Their parameters, `params["y_density"]`, are what the family's `init` makes.
  """
  density = init_of("y_density", family.init, stage.spec.channels)
  return build(
    spec,
    [*analysis.inits, *synthesis.inits, density],
    analyze=lambda params, image, quality: analysis(params, image),
    latents=lambda params, y, quality: {"y": y},
    stages=[stage],
    synthesize=lambda params, context: synthesis(params, context["y"]),
  )


class Transforms(NamedTuple):
  """The four networks of a hyperprior, and the channels between them."""

  analysis: Network  # image -> y
  synthesis: Network  # y -> image
  hyper_analysis: Network  # y -> z, a quarter of y's grid, rounded up
  hyper_synthesis: Network  # z and y's grid -> hyper
  latent: int  # channels of y
  hyper_latent: int  # channels of z


def transforms(
  analysis: nn.Module,
  synthesis: nn.Module,
  hyper_analysis: nn.Module,
  hyper_synthesis: nn.Module,
  *,
  latent: int,
  hyper_latent: int,
  inputs: int = 3,
) -> Transforms:
  """Returns the networks, of `inputs` channels, with y at the stride of 16."""
  y, z = (1, 1, 1, latent), (1, 1, 1, hyper_latent)
  return Transforms(
    Net("analysis", analysis, ((1, STRIDE, STRIDE, inputs),)),
    Net("synthesis", synthesis, (y,)),
    Net("hyper_analysis", hyper_analysis, (y,)),
    Net("hyper_synthesis", hyper_synthesis, (z, Given((1, 1)))),
    latent,
    hyper_latent,
  )


class Coded(NamedTuple):
  """A group of y's channels, its stage, and the parameters of that."""

  group: ChannelGroup
  stage: Stage
  inits: tuple[Init, ...] = ()


def code(
  group: ChannelGroup,
  quantizer: Quantizer,
  density: Density,
  predict: Predict,
  *inits: Init,
  order: Order | None = None,
  absorb: Absorb | None = None,
) -> Coded:
  """Returns how a group is coded; None for the group's own `absorb`."""
  spec, absorb = group.spec(), absorb or group.absorb
  stage = Stage(spec, quantizer, density, predict, absorb, order)
  return Coded(group, stage, inits)


def code_whole(
  latent: int, quantizer: Quantizer, density: Density, predict: Predict
) -> Coded:
  """Returns how all of y is coded at once."""
  whole = channel_groups.whole(latent, STRIDE)
  return code(whole, quantizer, density, predict)


def code_in_order(
  latent: int, quantizer: Quantizer, density: Density, model: ContextModel
) -> Coded:
  """Returns how all of y is coded by a context model of the hyper synthesis."""

  def predict(params: Params, context: Context, grid: Grid) -> Array:
    return context["hyper"]

  whole = channel_groups.whole(latent, STRIDE)
  return code(whole, quantizer, density, predict, model.init, order=model.order)


def hyperprior(
  spec: ModelSpec,
  transforms: Transforms,
  quantizer: Quantizer,
  coded: Sequence[Coded],
) -> Model:
  """Returns a model of a stage z, and one for every group of y.

  Args:
    spec: The model's facts.
    transforms: Its networks.
    quantizer: Of z.
    coded: The groups of y, in order; together they have all its channels.
  """
  analysis, synthesis, hyper_analysis, hyper_synthesis, _, channels = transforms

  def latents(params: Params, y: Float[Array, "b h w c"], quality: Quality):
    groups = {each.group.name: each.group.take(y) for each in coded}
    return {"z": hyper_analysis(params, y)} | groups

  z_stage = hyper_stage(spec, channels, quantizer, hyper_synthesis)
  return build(
    spec,
    [init for net in transforms[:4] for init in net.inits]
    + [init_of("z_density", factorized.init, channels)]
    + [init for each in coded for init in each.inits],
    analyze=lambda params, image, quality: analysis(params, image),
    latents=latents,
    stages=[z_stage, *(each.stage for each in coded)],
    synthesize=lambda params, context: synthesis(params, context["y"]),
  )
