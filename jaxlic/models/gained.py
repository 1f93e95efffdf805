"""Gain units around any model of one rate: one set of weights, every rate.

y is multiplied by a gain per channel and level before it is coded, and by a
separately learned inverse gain before the synthesis; so is z ("hyper gains"),
before its rounding and before the hyper synthesis. Means, scales and contexts
are those of the latents as coded, in gained units. Qualities between levels
interpolate all four geometrically, in training, estimate and files alike.

What the hyper analysis sees has two published forms, which are two models:

    "gained"     z = h_a(gain y)   GainedVAE
    "ungained"   z = h_a(y)        CompressAI, `GainHyperpriorLatentCodec`

Level 0 has the lowest rate, as in the paper; GainedVAE counts downwards. Gains
start near the optimum of high rates, where a step is proportional to
lambda^-1/2; those of z, and all in the paper, start at 1.

References:
  Cui, Wang, Gao, Guo, Bai, Xu, Feng, "Asymmetric gained deep image compression
  with continuous rate adaptation", 2021, section 3.
  mmSir, "GainedVAE", 2021 (weights of eight levels, widths). Differs in that
  the estimated rate is that of the quality between levels, that gains are
  interpolated as the paper says, and equally by encoder and decoder.
  Begaint et al., "CompressAI", 2020, latent_codecs/gain/hyperprior.py.
"""

import dataclasses
from collections.abc import Callable, Mapping

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxlic.errors import JaxlicError
from jaxlic.nn import gains
from jaxlic.types import Model, Stage

# Weights of 255^2 * MSE against bits per pixel, lowest rate first.
GAINED_VAE = (0.0003, 0.001, 0.003, 0.005, 0.01, 0.02, 0.03, 0.05)
CUI2021 = (0.0003, 0.001, 0.003, 0.007, 0.03, 0.05)
# Likewise of 1 - MS-SSIM. The paper gives 0.0006 to 0.07 without a unit: as
# weights of 1000 (1 - MS-SSIM) they are of the order of CompressAI's.
CUI2021_MS_SSIM = (0.6, 1.0, 3.0, 7.0, 30.0, 70.0)
HYPER_INPUTS = ("gained", "ungained")


def make(
  backbones: Mapping[str, Callable[..., Model]],
  *,
  backbone: str = "mbt2018-mean",
  lambdas: tuple[float, ...] = GAINED_VAE,
  ms_ssim_lambdas: tuple[float, ...] = (),
  hyper_input: str = "gained",
  name: str = "gained",
  **options: object,
) -> Model:
  """Returns a model of one rate with gain units.

  Args:
    backbones: The models of one rate by name.
    backbone: The one to wrap.
    lambdas: The weight of the distortion at each level, ascending.
    ms_ssim_lambdas: Likewise, of 1 - MS-SSIM; none are published for 8 levels.
    hyper_input: What the hyper analysis sees, "gained" or "ungained" y.
    name: The model's name.
    **options: The backbone's; its quality sets nothing but widths.

  Raises:
    JaxlicError: If there is no such backbone or input, there are less than two
      levels, or lambdas do not ascend.
  """
  if backbone not in backbones:
    raise JaxlicError(
      f"a backbone is one of {', '.join(backbones)}, got {backbone!r}; choose "
      "one of them"
    )
  return wrap(
    backbones[backbone](**options),
    name=name,
    lambdas=lambdas,
    ms_ssim_lambdas=ms_ssim_lambdas,
    hyper_input=hyper_input,
  )


def wrap(
  model: Model,
  *,
  name: str,
  lambdas: tuple[float, ...],
  ms_ssim_lambdas: tuple[float, ...] = (),
  hyper_input: str = "gained",
) -> Model:
  """Returns `model` with gain units on y, and on z if it has one.

  The stages of y are those whose names begin with it, and the synthesis reads y
  from `context["y"]`. Channels of what the analysis gives beyond those of y
  pass as they are, and so do other stages. Arguments are as in `make`.

  Raises:
    JaxlicError: As `make`.
  """
  _check(lambdas, hyper_input)
  spec = dataclasses.replace(
    model.spec,
    name=name,
    levels=len(lambdas),
    lambdas=tuple(lambdas),
    ms_ssim_lambdas=tuple(ms_ssim_lambdas),
  )
  specs = [stage.spec for stage in model.stages]
  channels = sum(s.channels for s in specs if s.name.startswith("y"))
  hyper_channels = sum(s.channels for s in specs if s.name == "z")

  def init(key: Array) -> dict:
    params = model.init(key)
    params |= init_units("gain", spec.lambdas, channels)
    if hyper_channels:
      ones = (1.0,) * spec.levels
      params |= init_units("hyper_gain", ones, hyper_channels)
    return params

  def latents(params: dict, y: Float[Array, "b h w c"], rate) -> dict:
    own = multiply(params, "gain", y[..., :channels], rate)
    own = jnp.concatenate([own, y[..., channels:]], -1)
    coded = model.latents(params, own, rate)
    if hyper_channels:
      if hyper_input == "ungained":
        coded["z"] = model.latents(params, y, rate)["z"]
      coded["z"] = multiply(params, "hyper_gain", coded["z"], rate)
    return coded

  def synthesize(params: dict, context: dict) -> Float[Array, "b H W 3"]:
    y = multiply(params, "inverse_gain", context["y"], context["rate"])
    return model.synthesize(params, context | {"y": y})

  stages = tuple(_inverted(stage) for stage in model.stages)
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
  params: dict, name: str, latent: Float[Array, "b h w c"], rate
) -> Float[Array, "b h w c"]:
  """Returns the latent times the gains of that name at `rate`."""
  return latent * gains.gain(params[f"log_{name}"], rate)


def check_lambdas(what: str, lambdas: tuple[float, ...]) -> None:
  """Checks that levels have weights of the distortion, in order.

  Raises:
    JaxlicError: If there are less than two, or they do not ascend from above 0.
  """
  ascend = len(lambdas) > 1 and (np.diff(lambdas) > 0).all()
  if not (ascend and min(lambdas) > 0 and np.isfinite(lambdas).all()):
    raise JaxlicError(
      f"{what} has 2 levels or more, of ascending lambdas above 0, got "
      f"{lambdas}; give them from the lowest rate to the highest"
    )


def _check(lambdas: tuple[float, ...], hyper_input: str) -> None:
  check_lambdas("a gained model", lambdas)
  if hyper_input not in HYPER_INPUTS:
    raise JaxlicError(
      f"the hyper analysis sees {' or '.join(HYPER_INPUTS)} latents, got "
      f"{hyper_input!r}; choose one"
    )


def _inverted(stage: Stage) -> Stage:
  """The stage; z's hyper synthesis sees it with inverse gains."""
  if stage.spec.name != "z":
    return stage

  def absorb(params: dict, context: dict, z_hat, grid) -> dict:
    z_hat = multiply(params, "inverse_hyper_gain", z_hat, context["rate"])
    return stage.absorb(params, context, z_hat, grid)

  return stage._replace(absorb=absorb)
