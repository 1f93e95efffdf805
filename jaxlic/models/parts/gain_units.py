"""Gain units around a model of one rate.

y is multiplied by a gain per channel and level before it is coded, and by a
separately learned inverse gain before the synthesis; so is z ("hyper gains"),
before its rounding and before the hyper synthesis. See `models/gained.py`.
"""

import dataclasses

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxlic.errors import JaxlicError
from jaxlic.nn import gains
from jaxlic.quality import check_lambdas
from jaxlic.types import Context, Grid, Model, Params, Quality, Stage

HYPER_INPUTS = ("gained", "ungained")


def wrap(
  model: Model,
  *,
  hyper: str | None,
  name: str,
  lambdas: tuple[float, ...],
  ms_ssim_lambdas: tuple[float, ...] = (),
  hyper_input: str = "gained",
) -> Model:
  """Returns `model` with gain units on y, and on z if it has one.

  The synthesis reads y from `context["y"]`. Channels of what the analysis gives
  beyond those of y pass as they are, and so do other stages than z's.

  Args:
    model: The model of one rate. Stages of side information have no gains, but
      for z; the others code y, which is in order what the analysis gives first.
    hyper: The name of z's stage; None: there is none.
    name: The gained model's name.
    lambdas: The weight of the distortion at each level, ascending.
    ms_ssim_lambdas: Likewise, of 1 - MS-SSIM.
    hyper_input: What the hyper analysis sees, one of HYPER_INPUTS.

  Raises:
    JaxlicError: If there is no such input, there are less than two levels, or
      lambdas do not ascend.
  """
  _check(lambdas, hyper_input)
  spec = dataclasses.replace(
    model.spec,
    name=name,
    levels=len(lambdas),
    lambdas=tuple(lambdas),
    ms_ssim_lambdas=tuple(ms_ssim_lambdas),
  )
  sizes = {stage.spec.name: stage.spec.channels for stage in model.stages}
  side = {stage.spec.name for stage in model.stages if stage.spec.side}
  channels = sum(size for name, size in sizes.items() if name not in side)

  def init(key: Array) -> Params:
    params = model.init(key)
    params |= init_units("gain", spec.lambdas, channels)
    if hyper:
      ones = (1.0,) * spec.levels
      params |= init_units("hyper_gain", ones, sizes[hyper])
    return params

  def latents(params: Params, y: Float[Array, "b h w c"], quality: Quality):
    gained = multiply(params, "gain", y[..., :channels], quality)
    gained = jnp.concatenate([gained, y[..., channels:]], -1)
    coded = model.latents(params, gained, quality)
    if hyper:
      if hyper_input == "ungained":
        coded[hyper] = model.latents(params, y, quality)[hyper]
      coded[hyper] = multiply(params, "hyper_gain", coded[hyper], quality)
    return coded

  def synthesize(params: Params, context: Context) -> Float[Array, "b H W 3"]:
    y = multiply(params, "inverse_gain", context["y"], context["quality"])
    return model.synthesize(params, context | {"y": y})

  stages = tuple(
    _inverted(stage) if stage.spec.name == hyper else stage
    for stage in model.stages
  )
  return Model(spec, init, model.analyze, latents, stages, synthesize)


def init_units(name: str, lambdas: tuple[float, ...], channels: int) -> dict:
  """Returns the parameters of a pair of units, logarithms [levels c].

  Gains are as the square roots of the lambdas, with a geometric mean of 1; the
  inverse gains are their inverses.
  """
  log_gain = 0.5 * np.log(lambdas)
  rows = jnp.asarray(log_gain - log_gain.mean(), jnp.float32)[:, None]
  rows = jnp.tile(rows, channels)
  return {f"log_{name}": rows, f"log_inverse_{name}": -rows}


def multiply(
  params: Params, name: str, latent: Float[Array, "b h w c"], quality: Quality
) -> Float[Array, "b h w c"]:
  """Returns the latent times the gains of that name at a quality."""
  return latent * gains.gain(params[f"log_{name}"], quality.level)


def _check(lambdas: tuple[float, ...], hyper_input: str) -> None:
  check_lambdas("a gained model", lambdas)
  if hyper_input not in HYPER_INPUTS:
    raise JaxlicError(
      f"the hyper analysis sees {' or '.join(HYPER_INPUTS)} latents, got "
      f"{hyper_input!r}; choose one"
    )


def _inverted(stage: Stage) -> Stage:
  """The stage of z, whose hyper synthesis sees it with inverse gains."""

  def absorb(params: Params, context: Context, z_hat, grid: Grid) -> Context:
    z_hat = multiply(params, "inverse_hyper_gain", z_hat, context["quality"])
    return stage.absorb(params, context, z_hat, grid)

  return stage._replace(absorb=absorb)
