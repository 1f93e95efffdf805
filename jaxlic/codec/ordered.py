"""Coding the positions of a stage one group after another.

An `Order` puts every position of a latent into a group. Training sees all
positions at once: `parallel` gathers the neighbours of each, those of earlier
groups, and refines all predictions together. Files are coded group by group:
`portions` lists the positions of each, `around` gathers their neighbours from
what is decoded so far, and `put` adds what was decoded. Both refine by the
same function, position by position, so that nothing is described twice and
causality holds whatever the model computes.

What is decoded so far lies on a canvas [(h + 2r) (w + 2r), c] whose margin, as
wide as the farthest tap, stays 0. Positions are numbered row by row; groups are
padded to the size of the largest by the number h * w, which is nowhere.
"""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxlic.types import Context, Grid, Known, Order, Params, Stage


def portions(
  order: Order, grid: Grid
) -> tuple[Int[np.ndarray, "k n"], Int[np.ndarray, "k"]]:
  """Returns the positions of every group, padded, and how many they are."""
  groups = order.groups(grid).ravel()
  counts = np.bincount(groups)
  places = np.full((len(counts), counts.max()), groups.size, np.int32)
  # In a stable order each group's positions stay row by row.
  inside = np.arange(places.shape[1]) < counts[:, None]
  places[inside] = np.argsort(groups, kind="stable")
  return places, counts.astype(np.int32)


@dataclasses.dataclass(frozen=True)
class Predictor:
  """What is known of a stage's latents, had some value been decoded so far."""

  stage: Stage
  params: Params
  features: Any  # of its `predict`: without an order, what is known

  @property
  def groups(self) -> int:
    """How many groups of positions follow each other."""
    order = self.stage.order
    return int(order.groups(self.features.shape[1:3]).max()) + 1 if order else 1

  def __call__(self, value: Float[Array, "b h w c"] | None = None) -> Known:
    """Returns what is known of every position; without a value, among zeros."""
    if not self.stage.order:
      return self.features
    if value is None:
      shape = (*self.features.shape[:3], self.stage.spec.channels)
      value = jnp.zeros(shape)
    return parallel(self.stage.order, self.params, self.features, value)


def predictor(
  stage: Stage, params: Params, context: Context, grid: Grid
) -> Predictor:
  """Returns the predictor of a stage, given what is known before it."""
  return Predictor(stage, params, stage.predict(params, context, grid))


def parallel(
  order: Order,
  params: Params,
  features: Float[Array, "b h w f"],
  value: Float[Array, "b h w c"],
) -> Known:
  """Returns the predictions of all positions, had `value` been decoded."""
  height, width = value.shape[1:3]
  groups = order.groups((height, width))
  r = reach(order)
  padded = jnp.pad(value, ((0, 0), (r, r), (r, r), (0, 0)))
  # Nothing outside the image is earlier than anything inside.
  known = np.pad(groups, r, constant_values=groups.size)
  taken = []
  for down, right in order.taps:
    rows = slice(r + down, r + down + height)
    columns = slice(r + right, r + right + width)
    earlier = (known[rows, columns] < groups).astype(np.float32)
    taken.append(padded[:, rows, columns] * earlier[None, :, :, None])
  neighbours = jnp.stack(taken, 3)
  return order.refine(params, features, neighbours, jnp.asarray(groups))


def empty(order: Order, grid: Grid, channels: int) -> Float[Array, "m c"]:
  """Returns the canvas before the first group."""
  r = reach(order)
  area = (grid[0] + 2 * r) * (grid[1] + 2 * r)
  return jnp.zeros((area, channels))


def around(
  order: Order,
  params: Params,
  features: Float[Array, "1 h w f"],
  canvas: Float[Array, "m c"],
  places: Int[Array, "n"],
  group: Int[Array, ""],
) -> Known:
  """Returns the predictions [1 n 1 c] of one group's places."""
  height, width = features.shape[1:3]
  here = features.reshape(-1, features.shape[3])
  here = here.at[places].get(mode="clip")
  stride = width + 2 * reach(order)
  offsets = [down * stride + right for down, right in order.taps]
  where = _on_canvas(order, places, (height, width))[:, None]
  where = where + np.array([offsets], np.int32)
  neighbours = canvas.at[where].get(mode="clip")
  groups = jnp.full((len(places), 1), group)
  return order.refine(
    params, here[None, :, None], neighbours[None, :, None], groups
  )


def put(
  order: Order,
  canvas: Float[Array, "m c"],
  places: Int[Array, "n"],
  value: Float[Array, "1 n 1 c"],
  *,
  grid: Grid,
) -> Float[Array, "m c"]:
  """Returns the canvas with the values of one group's places."""
  where = _on_canvas(order, places, grid)
  return canvas.at[where].set(value[0, :, 0], mode="drop")


def finish(
  order: Order, canvas: Float[Array, "m c"], grid: Grid
) -> Float[Array, "1 h w c"]:
  """Returns the latent, once every group is on the canvas."""
  r = reach(order)
  whole = canvas.reshape(grid[0] + 2 * r, grid[1] + 2 * r, -1)
  return whole[None, r : r + grid[0], r : r + grid[1]]


def reach(order: Order) -> int:
  """Returns the width of the canvas's margin."""
  return max(max(abs(down), abs(right)) for down, right in order.taps)


def _on_canvas(order: Order, places, grid: Grid):
  """Places of the image as places of the canvas; those nowhere, past it."""
  r = reach(order)
  rows, columns = places // grid[1], places % grid[1]
  where = (rows + r) * (grid[1] + 2 * r) + columns + r
  return jnp.where(places < grid[0] * grid[1], where, 2**30)
