"""A range coder of int32 symbols under integer tables, first in, first out.

constriction does the arithmetic, on our integers: its categorical model with
`perfect=False` gives entry i the frequency `trunc(p[i] * (2**24 - n) / sum(p))
+ 1` (as prefix sums), so that `p = frequencies - 1` reproduces them exactly.
The format is thus defined by the tables and the following:

- The state is `low = 0`, `range = 2**64 - 1`. An entry of frequency f that
  follows entries of total frequency F takes `scale = range >> 24`, adds
  `scale * F` to low and sets `range = scale * f`; while `range < 2**32`, both
  move up by 32 bits.
- The payload is the shortest byte string, zeros at its end dropped, which as
  base-256 digits lies in `[low, low + range)`; a decoder reads zeros past its
  end.
- One push codes its symbols by row, rows ascending, in their order within a
  row; a symbol outside its row codes as the row's last entry. Then the values
  of these symbols follow in the same order, by `jaxlic.coding.escape`. A row
  may be told by k indices, all of the same range: the last counts by one.
  Symbols of mixtures are coded as `jaxlic.coding.mixtures` says.

References:
  Bamler, "Understanding entropy coding with asymmetric numeral systems", 2022.
  Martin, "Range encoding: an algorithm for removing redundancy from a digitised
  message", 1979.
"""

import zlib
from collections.abc import Sequence
from typing import NamedTuple

import constriction
import numpy as np
from jaxtyping import Int

from jaxlic.coding import arguments, escape, mixture_masses, mixtures
from jaxlic.coding.tables import PRECISION, validate
from jaxlic.errors import JaxlicError
from jaxlic.types import AnyTables, MixtureTables, Tables

_CODER = constriction.stream.queue
_CATEGORICAL = constriction.stream.model.Categorical


class Models(NamedTuple):
  """Tables in the coder's form; make it once per `Tables`."""

  tables: Tables
  cores: list[int]  # entries of each row but the escape
  offsets: list[int]  # smallest symbol of each row
  cache: list  # the coder's model of each row, None until a symbol needs it


AnyModels = Models | mixture_masses.Models


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


class Encoder:
  """Collects symbols into a payload."""

  def __init__(self):
    self._coder = _CODER.RangeEncoder()

  def push(
    self,
    symbols: arguments.Symbols,
    rows: arguments.Rows,
    models: AnyModels,
  ) -> None:
    """Codes int32 symbols [n], each under its row, or its mixture.

    Args:
      symbols: Int32 [n].
      rows: Integers [n], or [n k] of k indices, or of mixtures.
      models: The tables in the coder's form.

    Raises:
      JaxlicError: If symbols are not an int32 [n], rows are not as many
        integers, or a row is not in the tables.
    """
    arguments.check_symbols(symbols)
    arguments.check_rows(rows)
    if len(rows) != len(symbols):
      raise JaxlicError(
        f"every symbol has a row, got {len(symbols)} symbols and {len(rows)} "
        "rows; give one for each"
      )
    if isinstance(models, mixture_masses.Models):
      mixtures.push(self._coder.encode, symbols, rows, models)
      return
    order, groups = _group(_numbers(rows, models), len(models.cores))
    # Modulo 2**32 one comparison finds both ends: |offset| <= 2**30.
    entries = symbols.take(order).view(np.uint32)
    escapes = []
    for row, start, stop in groups:
      core, part = models.cores[row], entries[start:stop]
      part -= np.uint32(models.offsets[row] % 2**32)
      if part.max() >= core:
        escapes.append((row, start + np.flatnonzero(part >= core)))
        np.minimum(part, np.uint32(core), out=part)
      self._coder.encode(part.view(np.int32), _model(models, row))
    if escapes:
      where, low, high = _edges(escapes, models)
      values = symbols[order[where]].astype(np.int64)
      escape.push(self._coder.encode, values, low, high)

  def finish(self) -> bytes:
    """Returns the payload of all symbols so far."""
    words = self._coder.get_compressed()
    count, (low, width) = self._coder.pos()
    high, rest = np.append(words[count:], np.zeros(2, np.uint32))[:2]
    tail = int(high) << 32 | int(rest)
    # `tail` lies in the final interval, `inside` above its start. Look for the
    # number of fewest digits around it; a carry out of the tail is not tried.
    inside = (tail - low) % 2**64
    for kept in range(9):
      unit = 2 ** (64 - 8 * kept)
      down = tail % unit
      up = -tail % unit
      if down <= inside:
        tail -= down
        break
      if inside + up < width and tail + up < 2**64:
        tail += up
        break
    digits = words[:count].astype(">u4").tobytes() + tail.to_bytes(8, "big")
    return digits.rstrip(b"\0")


class Decoder:
  """Reads symbols back in the order in which they were pushed."""

  def __init__(self, data: bytes):
    padded = data + bytes(-len(data) % 4)
    words = np.frombuffer(padded, ">u4").astype(np.uint32)
    self._coder = _CODER.RangeDecoder(words)

  def pop(
    self,
    rows: arguments.Rows,
    models: AnyModels,
  ) -> Int[np.ndarray, "n"]:
    """Returns the int32 symbols of one push, given its rows.

    Damage that still decodes gives wrong symbols, without an error: compare
    `check` of the symbols.

    Raises:
      JaxlicError: If rows are not integers [n] or [n k], a row is not in the
        tables, or the payload is damaged.
    """
    arguments.check_rows(rows)
    if isinstance(models, mixture_masses.Models):
      return mixtures.pop(self._decode, rows, models)
    order, groups = _group(_numbers(rows, models), len(models.cores))
    values = np.empty(len(rows), np.int32)
    escapes = []
    for row, start, stop in groups:
      part = self._decode(_model(models, row), stop - start)
      if part.max() == models.cores[row]:
        escapes.append((row, start + np.flatnonzero(part == part.max())))
      np.add(part, np.int32(models.offsets[row]), out=values[start:stop])
    if escapes:
      where, low, high = _edges(escapes, models)
      values[where] = escape.pop(self._decode, low, high)
    symbols = np.empty_like(values)
    symbols[order] = values
    return symbols

  def _decode(self, *args) -> np.ndarray:
    try:
      return self._coder.decode(*args)
    except (KeyboardInterrupt, SystemExit, MemoryError):
      raise
    # A panic of the Rust code is no Exception.
    except BaseException as error:
      raise JaxlicError(
        "the payload is damaged: its number is outside the coder's range; "
        "fetch the file again"
      ) from error


def least_bits(rows: Int[np.ndarray, "n *parameters"], models: Models) -> float:
  """Returns the fewest bits that a symbol of each row can take in all.

  Raises:
    JaxlicError: If a row is not in the tables.
  """
  most = models.tables.frequencies[_numbers(rows, models)].max(1)
  return float(np.sum(PRECISION - np.log2(most)))


def check(arrays: Sequence[Int[np.ndarray, "..."]]) -> int:
  """Returns a 32-bit check of int32 symbols in order: their CRC-32."""
  crc = 0
  for array in arrays:
    crc = zlib.crc32(np.ascontiguousarray(array, "<i4").data, crc)
  return crc


def fold(check: int) -> int:
  """Returns the 16 bits that version 1 of the format keeps of a check.

  What is folded already stays as it is.
  """
  return check >> 16 ^ check & 0xFFFF


def _model(models: Models, row: int):
  """The coder's model of a row."""
  if models.cache[row] is None:
    f = models.tables.frequencies[row, : models.cores[row] + 1]
    models.cache[row] = _CATEGORICAL(f - 1.0, perfect=False, lazy=False)
  return models.cache[row]


def _numbers(rows: np.ndarray, models: Models) -> np.ndarray:
  """Rows by one number each, of rows that have k indices [n k]."""
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
