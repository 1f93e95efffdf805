"""`make`: a model's evaluation, encoder and decoder.

The payload holds, per stage, the list of rows near an edge and then the
symbols; those of a stage with an order group after group, positions row by row
in each, and those of several planes plane after plane in each group. Zeros
follow up to the least size that `claims` tells.
"""

import functools
from collections.abc import Callable

import jax
import numpy as np
from jaxtyping import Array, Float

from jaxlic.codec import claims, inputs, traceable
from jaxlic.codec.compiled import Compiled, Portion, compile_model, visit
from jaxlic.codec.inputs import Image, Map, checked_quality
from jaxlic.coding import range_coder, row_corrections, symbol_planes
from jaxlic.errors import JaxlicError
from jaxlic.types import (
  AnyTables,
  Codec,
  Known,
  Model,
  Outcome,
  Params,
  Payload,
)


def make(model: Model) -> Codec:
  """Returns the codec of a model: pure functions, compiled on first use."""
  compiled = compile_model(model)
  return Codec(
    init=model.init,
    apply=functools.partial(traceable.apply, model),
    evaluate=_moving(functools.partial(_evaluate, model, compiled)),
    freeze=_moving(functools.partial(_freeze, model)),
    encode=_moving(functools.partial(_encode, model, compiled)),
    decode=_moving(functools.partial(_decode, model, compiled)),
  )


def _moving(function: Callable) -> Callable:
  """The function, which moves arrays whatever JAX_TRANSFER_GUARD says.

  Files are coded on the host, and networks run on a device.
  """

  @functools.wraps(function)
  def moving(*arguments, **keywords):
    with jax.transfer_guard("allow"):
      return function(*arguments, **keywords)

  return moving


def _evaluate(
  model: Model,
  compiled: Compiled,
  params: Params,
  image: Image,
  quality: float = 0.0,
  quality_map: Map | None = None,
) -> Outcome:
  """Returns the image that a decoder will show, and the estimate of its bits.

  Raises:
    JaxlicError: As `encode`.
  """
  level = checked_quality(model.spec, quality)
  latents = _latents(model, compiled, params, image, level, quality_map)
  costs: dict[str, list] = {stage.spec.name: [] for stage in model.stages}

  def quantize(portion: Portion, known: Known, rows: Array) -> Array:
    symbols = portion.quantize(latents, known)
    cost = portion.steps.bits(params, symbols, known, portion.coded)
    costs[portion.stage.spec.name].append(cost)
    return symbols

  height, width = image.shape[:2]
  context = visit(model, compiled, params, (height, width), level, quantize)
  shown = compiled.synthesize(params, context)
  bits = {name: float(np.sum(cost)) for name, cost in costs.items()}
  return Outcome(shown[0, :height, :width], bits)


def _freeze(model: Model, params: Params) -> dict[str, AnyTables]:
  """Returns each stage's integer tables; keep them with the parameters."""
  return {s.spec.name: s.density.freeze(params) for s in model.stages}


def _encode(
  model: Model,
  compiled: Compiled,
  params: Params,
  tables: dict[str, AnyTables],
  image: Image,
  quality: float = 0.0,
  quality_map: Map | None = None,
) -> Payload:
  """Returns the coded image.

  Without a `quality_map`, models that take one see 1/2 everywhere.

  Raises:
    JaxlicError: If `quality` is not one of this model; if the image is empty,
      too large, or has values outside [0, 1]; if the model takes no quality
      map, or this one is not of the image's size, within [0, 1].
  """
  level = checked_quality(model.spec, quality)
  latents = _latents(model, compiled, params, image, level, quality_map)
  sent: dict[str, list[_Sent]] = {s.spec.name: [] for s in model.stages}

  def collect(portion: Portion, known: Known, rows: Array) -> Array:
    symbols = portion.quantize(latents, known)
    near_edge = portion.steps.near_edge
    arrays = [symbols, rows] + ([near_edge(known)] if near_edge else [])
    sent[portion.stage.spec.name].append(
      [portion.by_position(array) for array in arrays]
    )
    return symbols

  height, width = image.shape[:2]
  visit(model, compiled, params, (height, width), level, collect)
  coder, models = range_coder.Encoder(), _coder_models(tables)
  for stage in model.stages:
    portions = sent[stage.spec.name]
    if stage.density.near_edge:
      rows, near_edge = (_joined(portions, k) for k in (1, 2))
      row_corrections.push(coder, rows, near_edge)
    for symbols, rows, *_ in portions:
      table = models[stage.spec.name]
      symbol_planes.push(coder, symbols, rows, table, stage.density.planes)
  check = range_coder.check([s for part in sent.values() for s, *_ in part])
  size = height, width
  least = claims.least_bytes(model, compiled, params, models, size, level)
  data = coder.finish().ljust(least, b"\0")
  return Payload(height, width, level, check, data)


_Sent = list[np.ndarray]  # of a portion: symbols, rows, those near an edge


def _joined(portions: list[_Sent], k: int) -> np.ndarray:
  """One of the arrays of all portions, a row for every symbol [n ...]."""
  whole = np.concatenate([portion[k] for portion in portions])
  return whole.reshape(-1, *whole.shape[2:])


def _decode(
  model: Model,
  compiled: Compiled,
  params: Params,
  tables: dict[str, AnyTables],
  payload: Payload,
) -> Float[Array, "H W 3"]:
  """Returns the image, values in [0, 1].

  Raises:
    JaxlicError: If the payload is damaged, or was written with other weights
      or where arithmetic differs too much.
  """
  level = checked_quality(model.spec, payload.quality)
  inputs.check_area(model.spec, payload.height, payload.width)
  coder, models = range_coder.Decoder(payload.data), _coder_models(tables)
  corrections: dict[str, row_corrections.Corrections] = {}
  received: list[np.ndarray] = []
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
    received.append(symbols)
    return portion.on_grid(symbols, rows.shape)

  size = payload.height, payload.width
  least = claims.least_bytes(model, compiled, params, models, size, level)
  claims.check(model.spec, size, len(payload.data), least)
  context = visit(model, compiled, params, size, level, receive)
  _check_symbols(received, payload.check)
  return compiled.synthesize(params, context)[0, : size[0], : size[1]]


def _whole_shape(portion: Portion, rows: np.ndarray) -> tuple[int, ...]:
  """The shape [n ...] of a row for every symbol of the portion's stage."""
  positions = len(rows) // portion.coded * portion.total
  return (positions * rows.shape[1], *rows.shape[2:])


def _latents(
  model: Model,
  compiled: Compiled,
  params: Params,
  image: Image,
  level: float,
  quality_map: Map | None,
) -> dict[str, Array]:
  blocks, wanted = inputs.padded(model.spec, image, level, quality_map)
  return compiled.analyze(params, blocks, wanted)


def _check_symbols(received: list[np.ndarray], expected: int) -> None:
  check = range_coder.check(received)
  # Files of version 1 keep the fold alone.
  if expected not in (check, range_coder.fold(check)):
    raise JaxlicError(
      f"the symbols do not match their check ({check:#010x}, expected "
      f"{expected:#06x}): the file was written with other weights, or where "
      "arithmetic differs too much; decode it with those, or there"
    )


def _coder_models(
  tables: dict[str, AnyTables],
) -> dict[str, range_coder.AnyModels]:
  """The tables in the coder's form; stages may share one."""
  compiled = {}
  for table in tables.values():
    if id(table) not in compiled:
      compiled[id(table)] = range_coder.compile_tables(table)
  return {name: compiled[id(table)] for name, table in tables.items()}
