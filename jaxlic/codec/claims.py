"""What size of image a payload can hold, known before memory is taken for it.

Where nothing is known of a symbol but its channel, the likeliest one of its row
costs `log2(2^24 / frequency)` bits, and no other costs less. The symbols of the
first stage are such ones: as many as an image has positions, whatever it shows.
A payload of fewer bits than they take holds no such image.

Zeros at a payload's end are not written, and hold any number of bits: each is
there by a chance of 1/256, and SLACK of them are granted to files of releases
that did not know the rule. Encoders add zeros up to the least size.
"""

import functools
import math

import jax

from jaxlic.codec import inputs, traceable
from jaxlic.codec.compiled import Compiled
from jaxlic.coding import range_coder
from jaxlic.errors import JaxlicError
from jaxlic.types import Model, ModelSpec, Params, Stage

SLACK = 16  # bytes


def least_bytes(
  model: Model,
  compiled: Compiled,
  params: Params,
  models: dict[str, range_coder.AnyModels],
  size: tuple[int, int],
  level: float,
) -> int:
  """Returns the fewest bytes of payload of an image of `size` (h, w).

  They are 0 for models that predict each position of their first stage.
  """
  stage, predict = model.stages[0], compiled.stages[0].predict
  if stage.order:
    return 0
  grid = inputs.grid(model.spec, *size)
  context = traceable.begin(inputs.vector(level))
  _, rows = jax.eval_shape(
    functools.partial(predict, grid=grid), params, context
  )
  shape = math.prod(rows.shape[:-1]), rows.shape[-1]
  return least_of(stage, models[stage.spec.name], shape, level)


def least_of(
  stage: Stage,
  tables: range_coder.AnyModels,
  shape: tuple[int, int],
  level: float,
) -> int:
  """Returns the same, of the first stage and its (positions, channels)."""
  rows_of = stage.density.channel_rows
  if stage.order or not rows_of or not isinstance(tables, range_coder.Models):
    return 0
  positions, channels = shape
  bits = range_coder.least_bits(rows_of(level, channels), tables)
  return max(0, int(positions * bits / 8) - SLACK)


def check(
  spec: ModelSpec, size: tuple[int, int], count: int, least: int
) -> None:
  """Checks that a payload of `count` bytes can hold an image.

  Raises:
    JaxlicError: If it cannot.
  """
  if count < least:
    raise JaxlicError(
      f"a file of {size[0]} x {size[1]} pixels under {spec.name} has at least "
      f"{least} bytes of payload, got {count}: it is damaged; fetch it again"
    )
