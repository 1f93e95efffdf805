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

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxlic.types import Order, Prediction, Stage

Grid = tuple[int, int]


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


def predict(
  stage: Stage, params: dict, context: dict, grid: Grid
) -> Prediction:
  """Returns all of a stage's predictions; if it has an order, among zeros."""
  known = stage.predict(params, context, grid)
  if not stage.order:
    return known
  blank = jnp.zeros((*known.shape[:3], stage.spec.channels))
  return parallel(stage.order, params, known, blank)


def parallel(
  order: Order,
  params: dict,
  features: Float[Array, "b h w f"],
  value: Float[Array, "b h w c"],
) -> Prediction:
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
    taken.append(padded[:, rows, columns] * earlier[:, :, None])
  neighbours = jnp.stack(taken, 3)
  return order.refine(params, features, neighbours, jnp.asarray(groups))


def empty(order: Order, grid: Grid, channels: int) -> Float[Array, "m c"]:
  """Returns the canvas before the first group."""
  r = reach(order)
  area = (grid[0] + 2 * r) * (grid[1] + 2 * r)
  return jnp.zeros((area, channels))


def around(
  order: Order,
  params: dict,
  features: Float[Array, "1 h w f"],
  canvas: Float[Array, "m c"],
  places: Int[Array, "n"],
  group: Int[Array, ""],
) -> Prediction:
  """Returns the predictions [1 n 1 c] of one group's places."""
  grid = features.shape[1:3]
  here = features.reshape(-1, features.shape[3])
  here = here.at[places].get(mode="clip")
  stride = grid[1] + 2 * reach(order)
  offsets = np.array([down * stride + right for down, right in order.taps])
  where = _on_canvas(order, places, grid)[:, None] + offsets
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
