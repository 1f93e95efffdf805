"""Channels of y that open one after another in training.

They are multiplied by `params["mask"]["open"]` [c], ones and zeros, which
`jaxlic/training/opening.py` opens.

References:
  Theis, Shi, Cunningham, Huszar, "Lossy image compression with compressive
  autoencoders", 2017, section 3.1.
"""

import dataclasses

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlic.errors import JaxlicError
from jaxlic.types import Model, Params, Quality

PATH = ("mask", "open")


def masked(model: Model, open_at_first: int) -> Model:
  """Returns a model of one stage, y, with so many of its channels open.

  Raises:
    JaxlicError: If it has not so many.
  """
  (stage,) = model.stages
  channels = stage.spec.channels
  if not 0 < open_at_first <= channels:
    raise JaxlicError(
      f"of {channels} channels open_at_first opens 1..{channels}, or 0 has no "
      f"mask, got {open_at_first}; choose one of them"
    )
  group, name = PATH

  def init(key: Array) -> Params:
    is_open = (jnp.arange(channels) < open_at_first).astype(jnp.float32)
    return model.init(key) | {group: {name: is_open}}

  def latents(params: Params, y: Float[Array, "b h w c"], quality: Quality):
    is_open = params[group][name][None, None, None]
    return model.latents(params, y * is_open, quality)

  spec = dataclasses.replace(
    model.spec, rests=(*model.spec.rests, name), opens=PATH
  )
  return model._replace(spec=spec, init=init, latents=latents)
