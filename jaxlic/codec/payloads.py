"""From the integers of stages to payloads, and back.

A payload holds, per stage, the list of rows near an edge and then the symbols;
those of a stage with an order group after group, positions row by row in each,
and those of several planes plane after plane in each group. Zeros follow up to
the least size that `claims` tells.
"""

import operator
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Array

from jaxlic.codec import batches, claims, inputs, ordered
from jaxlic.codec.compiled import Compiled, Portion, visit
from jaxlic.coding import range_coder, row_corrections, symbol_planes
from jaxlic.errors import JaxlicError
from jaxlic.types import (
  AnyTables,
  Coded,
  Context,
  Grid,
  Known,
  Model,
  Params,
  Payload,
  Stage,
)

CoderModels = dict[str, range_coder.AnyModels]  # of each stage
# What is coded at once, in NumPy: a stage, or a group of an ordered one, with
# symbols [n s] and rows [n c *parameters].
Portions = dict[str, list[Coded]]


def write(
  model: Model,
  models: CoderModels,
  sent: Portions,
  size: tuple[int, int],
  level: float,
) -> Payload:
  """Returns what codes one image of `size` (h, w)."""
  coder = range_coder.Encoder()
  for stage in model.stages:
    portions, table = sent[stage.spec.name], models[stage.spec.name]
    if stage.density.near_edge:
      rows = _joined([part.rows for part in portions])
      near_edge = _joined([part.near_edge for part in portions])
      row_corrections.push(coder, rows, near_edge)
    for part in portions:
      symbol_planes.push(
        coder, part.symbols, part.rows, table, stage.density.planes
      )
  check = range_coder.check([s.symbols for part in sent.values() for s in part])
  first = model.stages[0]
  name = first.spec.name
  shape = sent[name][0].rows.shape[:2]
  least = claims.least_of(first, models[name], shape, level)
  return Payload(*size, level, check, coder.finish().ljust(least, b"\0"))


def read(
  model: Model,
  compiled: Compiled,
  params: Params,
  models: CoderModels,
  payload: Payload,
) -> tuple[Context, dict[str, list[np.ndarray]]]:
  """Returns what is known in the end, and the symbols of all portions.

  They are [n s] of groups, and [1 *positions s] of stages without an order.

  Raises:
    JaxlicError: If the payload is damaged, or was written with other weights
      or where arithmetic differs too much.
  """
  level = inputs.checked_quality(model.spec, payload.quality)
  inputs.check_area(model.spec, payload.height, payload.width)
  coder = range_coder.Decoder(payload.data)
  corrections: dict[str, row_corrections.Corrections] = {}
  received: dict[str, list[np.ndarray]] = {}
  seen = 0

  def receive(portion: Portion, known: Known, rows: Array) -> np.ndarray:
    nonlocal seen
    name, density = portion.stage.spec.name, portion.stage.density
    listed = portion.by_position(rows)
    if density.near_edge:
      if name not in corrections:
        whole = _whole_shape(portion, listed)
        corrections[name], seen = row_corrections.pop(coder, whole), 0
      listed = row_corrections.correct(listed, corrections[name], seen)
      seen += listed.size
    symbols = symbol_planes.pop(coder, listed, models[name], density.planes)
    placed = portion.on_grid(symbols, rows.shape)
    ordered = portion.stage.order is not None
    received.setdefault(name, []).append(symbols if ordered else placed)
    return placed

  size = payload.height, payload.width
  least = claims.least_bytes(model, compiled, params, models, size, level)
  claims.check(model.spec, size, len(payload.data), least)
  context = visit(model, compiled, params, size, level, receive)
  _check_symbols([s for part in received.values() for s in part], payload.check)
  return context, received


def push(
  model: Model,
  tables: dict[str, AnyTables],
  symbols: batches.Symbols,
  quality: batches.Levels,
  size: batches.Size,
) -> list[Payload]:
  """Returns the payload of each image of a batch.

  Args:
    model: The model.
    tables: Frozen of the parameters that made the symbols.
    symbols: Of `quantize`.
    quality: Likewise [b].
    size: Of the images, (H, W).

  Raises:
    JaxlicError: If the symbols are not those of images of that size, or come
      from `pop`, without rows.
  """
  batches.check_symbols(model, symbols, size)
  if any(coded.rows is None for coded in symbols.values()):
    raise JaxlicError(
      "symbols are pushed with their rows, those of pop have none; give what "
      "quantize returns"
    )
  symbols = jax.device_get(symbols)
  count = len(symbols[model.stages[0].spec.name].symbols)
  levels = batches.levels(model.spec, quality, count).tolist()
  grid, models = inputs.grid(model.spec, *size), coder_models(tables)

  def payload(image: int) -> Payload:
    sent = {
      stage.spec.name: _portions(stage, symbols[stage.spec.name], image, grid)
      for stage in model.stages
    }
    return write(model, models, sent, size, levels[image])

  return [payload(image) for image in range(count)]


def pop(
  model: Model,
  compiled: Compiled,
  params: Params,
  tables: dict[str, AnyTables],
  payloads: Sequence[Payload],
) -> dict[str, Coded]:
  """Returns the symbols of a batch, for `reconstruct`; they have no rows.

  Raises:
    JaxlicError: As `read`; or if there is no payload, or they differ in size.
  """
  sizes = {(payload.height, payload.width) for payload in payloads}
  if len(sizes) != 1:
    raise JaxlicError(
      f"a batch has images of one size, got {len(sizes)} sizes of "
      f"{len(payloads)} payloads; pop those of each size apart"
    )
  grid, models = inputs.grid(model.spec, *sizes.pop()), coder_models(tables)
  images = [
    read(model, compiled, params, models, payload)[1] for payload in payloads
  ]
  return {
    stage.spec.name: Coded(
      np.concatenate([_whole(stage, i[stage.spec.name], grid) for i in images])
    )
    for stage in model.stages
  }


def _portions(
  stage: Stage, coded: Coded, image: int, grid: Grid
) -> list[Coded]:
  """What is coded at once, of one image of a batch."""
  axes = stage.spec.axes
  flat = jax.tree.map(
    lambda a: a[image].reshape(-1, *a.shape[1 + axes :]), coded
  )
  if not stage.order:
    return [flat]
  groups, counts = ordered.portions(stage.order, grid)
  inside = [places[:n] for places, n in zip(groups, counts, strict=True)]
  return [jax.tree.map(operator.itemgetter(places), flat) for places in inside]


def _whole(stage: Stage, portions: list[np.ndarray], grid: Grid) -> np.ndarray:
  """Inverse of `_portions`: symbols [1 *positions s] of an image."""
  if not stage.order:
    return portions[0]
  places, _ = ordered.portions(stage.order, grid)
  symbols = np.concatenate(portions)
  whole = np.empty_like(symbols)
  whole[places[places < len(symbols)]] = symbols
  return whole.reshape(1, *grid, -1)


def _joined(portions: list[Any]) -> np.ndarray:
  """One array of all portions, an entry for every symbol [n ...]."""
  whole = np.concatenate(portions)
  return whole.reshape(-1, *whole.shape[2:])


def _whole_shape(portion: Portion, rows: np.ndarray) -> tuple[int, ...]:
  """The shape [n ...] of a row for every symbol of the portion's stage."""
  positions = len(rows) // portion.coded * portion.total
  return (positions * rows.shape[1], *rows.shape[2:])


def _check_symbols(received: list[np.ndarray], expected: int) -> None:
  check = range_coder.check(received)
  # Files of version 1 keep the fold alone.
  if expected not in (check, range_coder.fold(check)):
    raise JaxlicError(
      f"the symbols do not match their check ({check:#010x}, expected "
      f"{expected:#06x}): the file was written with other weights, or where "
      "arithmetic differs too much; decode it with those, or there"
    )


def coder_models(tables: dict[str, AnyTables]) -> CoderModels:
  """The tables in the coder's form; stages may share one."""
  compiled = {}
  for table in tables.values():
    if id(table) not in compiled:
      compiled[id(table)] = range_coder.compile_tables(table)
  return {name: compiled[id(table)] for name, table in tables.items()}
