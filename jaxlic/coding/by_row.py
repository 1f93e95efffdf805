"""The symbols of a push, grouped by their table rows, under any coder.

A coder is two functions: `encode(symbols, model, *parameters)`, and `decode`
of a model and a count, or of a family of models and its parameters, as
constriction's coders have them. What a push codes, and in which order, is said
in `jaxlic.coding.range_coder`, and is the same for all.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol, runtime_checkable

import constriction
import numpy as np
from jaxtyping import Int

from jaxlic.coding import arguments, escape, mixture_masses, mixtures
from jaxlic.coding.tables import validate
from jaxlic.errors import JaxlicError
from jaxlic.types import AnyTables, MixtureTables, Tables

_CATEGORICAL = constriction.stream.model.Categorical


class Models(NamedTuple):
  """Tables in the coder's form; make it once per `Tables`."""

  tables: Tables
  cores: list[int]  # entries of each row but the escape
  offsets: list[int]  # smallest symbol of each row
  cache: list  # the coder's model of each row, None until a symbol needs it


AnyModels = Models | mixture_masses.Models


@runtime_checkable
class Encoder(Protocol):
  """That of any coder."""

  def push(
    self, symbols: arguments.Symbols, rows: arguments.Rows, models: AnyModels
  ) -> None:
    """Codes int32 symbols [n], each under its row, or its mixture."""

  def finish(self) -> bytes:
    """Returns the payload of all symbols so far."""


@runtime_checkable
class Decoder(Protocol):
  """That of any coder."""

  def pop(
    self, rows: arguments.Rows, models: AnyModels
  ) -> Int[np.ndarray, "n"]:
    """Returns the int32 symbols of one push, given its rows."""


def compile_tables(tables: AnyTables) -> AnyModels:
  """Returns the tables in the coder's form; rows are built on first use.

  Raises:
    JaxlicError: If the tables are not valid.
  """
  if isinstance(tables, MixtureTables):
    return mixture_masses.compile_tables(tables)
  validate(tables)
  cores, offsets = (tables.sizes - 1).tolist(), tables.offsets.tolist()
  return Models(tables, cores, offsets, [None] * len(cores))


def push(
  encode: Callable[..., None],
  symbols: arguments.Symbols,
  rows: arguments.Rows,
  models: AnyModels,
) -> None:
  """Codes int32 symbols [n], each under its row, or its mixture.

  Raises:
    JaxlicError: If symbols are not an int32 [n], rows are not as many integers,
      or a row is not in the tables.
  """
  arguments.check_symbols(symbols)
  arguments.check_rows(rows)
  if len(rows) != len(symbols):
    raise JaxlicError(
      f"every symbol has a row, got {len(symbols)} symbols and {len(rows)} "
      "rows; give one for each"
    )
  if isinstance(models, mixture_masses.Models):
    mixtures.push(encode, symbols, rows, models)
    return
  order, groups = _group(row_numbers(rows, models), len(models.cores))
  # Modulo 2**32 one comparison finds both ends: |offset| <= 2**30.
  entries = symbols.take(order).view(np.uint32)
  escapes = []
  for row, start, stop in groups:
    core, part = models.cores[row], entries[start:stop]
    part -= np.uint32(models.offsets[row] % 2**32)
    if part.max() >= core:
      escapes.append((row, start + np.flatnonzero(part >= core)))
      np.minimum(part, np.uint32(core), out=part)
    encode(part.view(np.int32), _model(models, row))
  if escapes:
    where, low, high = _edges(escapes, models)
    values = symbols[order[where]].astype(np.int64)
    escape.push(encode, values, low, high)


def pop(
  decode: Callable[..., np.ndarray], rows: arguments.Rows, models: AnyModels
) -> Int[np.ndarray, "n"]:
  """Returns the int32 symbols of one push, given its rows.

  Raises:
    JaxlicError: If rows are not integers [n] or [n k], a row is not in the
      tables, or the payload is damaged.
  """
  arguments.check_rows(rows)
  if isinstance(models, mixture_masses.Models):
    return mixtures.pop(decode, rows, models)
  order, groups = _group(row_numbers(rows, models), len(models.cores))
  values = np.empty(len(rows), np.int32)
  escapes = []
  for row, start, stop in groups:
    part = decode(_model(models, row), stop - start)
    if part.max() == models.cores[row]:
      escapes.append((row, start + np.flatnonzero(part == part.max())))
    np.add(part, np.int32(models.offsets[row]), out=values[start:stop])
  if escapes:
    where, low, high = _edges(escapes, models)
    values[where] = escape.pop(decode, low, high)
  symbols = np.empty_like(values)
  symbols[order] = values
  return symbols


def _model(models: Models, row: int):
  """The coder's model of a row."""
  if models.cache[row] is None:
    f = models.tables.frequencies[row, : models.cores[row] + 1]
    models.cache[row] = _CATEGORICAL(f - 1.0, perfect=False, lazy=False)
  return models.cache[row]


def row_numbers(rows: np.ndarray, models: Models) -> np.ndarray:
  """Returns rows by one number each, of rows that have k indices [n k].

  Raises:
    JaxlicError: If a row is not in the tables.
  """
  indices = rows.shape[1] if rows.ndim > 1 else 1
  side = round(len(models.cores) ** (1 / indices))
  if side**indices != len(models.cores):
    raise JaxlicError(
      f"rows of {indices} indices need tables of as many equal dimensions, got "
      f"{len(models.cores)} rows; use the tables of this density"
    )
  if rows.size and (rows.min() < 0 or rows.max() >= side):
    raise JaxlicError(
      f"rows are within 0..{side - 1}, the rows of the tables, got "
      f"{rows.min()}..{rows.max()}: the payload is damaged, fetch it again, or "
      "these tables are not of this density"
    )
  return rows if rows.ndim == 1 else rows @ side ** np.arange(indices)[::-1]


def _group(
  rows: np.ndarray, count: int
) -> tuple[np.ndarray, list[tuple[int, int, int]]]:
  """The stable order by row, and `(row, start, stop)` of each row in it."""
  if not rows.size:
    return np.zeros(0, np.intp), []
  # NumPy sorts keys of up to 16 bits by radix, many times faster.
  if count <= 2**16:
    rows = rows.astype(np.uint8 if count <= 2**8 else np.uint16)
  order = np.argsort(rows, kind="stable")
  # Searching for the few bounds spares a sorted copy of the rows; rows that
  # are fewer than those of the tables are sorted faster.
  numbers = np.arange(count, dtype=rows.dtype)
  if len(rows) < count:
    numbers = np.unique(rows)
  starts = np.searchsorted(rows, numbers, sorter=order).tolist()
  bounds = zip(numbers.tolist(), starts, [*starts[1:], len(rows)], strict=True)
  return order, [group for group in bounds if group[1] < group[2]]


def _edges(
  escapes: list[tuple[int, np.ndarray]], models: Models
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Places of the escapes, and `low..high - 1` of the row of each, int64."""
  rows = np.array([row for row, _ in escapes])
  counts = [len(where) for _, where in escapes]
  low = models.tables.offsets[rows].astype(np.int64)
  high = low + models.tables.sizes[rows] - 1
  where = np.concatenate([where for _, where in escapes])
  return where, np.repeat(low, counts), np.repeat(high, counts)
