"""How a map of quality scales the cells of a latent.

A cell is a position of the hyper latent, 64 x 64 pixels. The logarithm of its
scaling, the root of the map's mean weight there, is rounded to whole steps.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlic import quality as qualities
from jaxlic.models.parts.published import HYPER_STRIDE, STRIDE
from jaxlic.models.parts.stages import factorized_stage
from jaxlic.nn import convolutions
from jaxlic.quantize import rounding
from jaxlic.types import Context, Grid, Params, Stage, StageSpec

STEPS = 16  # of the logarithm of a cell's scaling
MOST = 14  # steps, of maps that are 1, or 0, all over a cell


def stage(name: str) -> Stage:
  """Returns the stage of the cells' steps, which are known under its name."""

  def absorb(params: Params, context: Context, steps, grid: Grid) -> Context:
    # A damaged file may hold any number.
    return context | {name: jnp.clip(steps, -MOST, MOST)}

  spec = StageSpec(name, HYPER_STRIDE * STRIDE, 1, side=True)
  mixed = rounding.make(rounding.mixed())
  return factorized_stage(spec, mixed, absorb, HYPER_STRIDE)


def scale(
  y: Float[Array, "b h w c"], quality_map: Float[Array, "b H W 1"]
) -> Float[Array, "b h w d"]:
  """Returns y scaled by the map, and the steps as one more channel."""
  steps = spread(cell_steps(quality_map), y.shape[1:3])
  return jnp.concatenate([y * jnp.exp(steps / STEPS), steps], -1)


def unscale(
  y: Float[Array, "b h w c"], steps: Float[Array, "b u v 1"]
) -> Float[Array, "b h w c"]:
  """Inverse of `scale`, of the steps of the cells."""
  return y * jnp.exp(-spread(steps, y.shape[1:3]) / STEPS)


def cell_steps(
  quality_map: Float[Array, "b H W 1"],
) -> Float[Array, "b u v 1"]:
  """Returns the log of the scaling of every cell, in whole steps of 1/16."""
  h, w = (-(-side // STRIDE) for side in quality_map.shape[1:3])
  more = (-h % HYPER_STRIDE, -w % HYPER_STRIDE)
  pad = ((0, 0), *((0, n * STRIDE) for n in more), (0, 0))
  blocks = convolutions.space_to_depth(
    jnp.pad(qualities.weight(quality_map), pad, mode="edge"),
    HYPER_STRIDE * STRIDE,
  )
  return jnp.round(STEPS / 2 * jnp.log(blocks.mean(-1, keepdims=True)))


def spread(
  cells: Float[Array, "b u v 1"], grid: tuple[int, int]
) -> Float[Array, "b h w 1"]:
  """Returns the value of its cell for every position of y."""
  wide = jnp.repeat(jnp.repeat(cells, HYPER_STRIDE, 1), HYPER_STRIDE, 2)
  return wide[:, : grid[0], : grid[1]]
