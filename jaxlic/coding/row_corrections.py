"""Table rows that another device might round the other way, told in the file.

A row is a rounded float, and the same network on another processor differs in
the last bits: sooner or later a value next to a rounding boundary falls on its
other side, and the decoder, reading one symbol under the wrong row, loses all
that follow. So the encoder marks the rows that lie so close to a boundary that
they could, and sends for each its place and its value modulo 3, which tells
it from both neighbours.

Per list: the count, then the gaps between places, then the residues; numbers
are split into a low part coded uniformly and a high part coded geometrically.
Lists of several integers per symbol are longer, and so are their gaps.
"""

import functools
import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from jaxlic.coding import by_row, tables
from jaxlic.errors import JaxlicError

_COUNT_UNIT, _GAP_UNIT, _LONG_GAP_UNIT = 4, 2**12, 2**15
# Rows of the tables.
_GEOMETRIC, _RESIDUE, _COUNT_LOW, _GAP_LOW, _LONG_GAP_LOW = range(5)

Rows = Int[np.ndarray, "n *parameters"]


class Corrections(NamedTuple):
  """The rows that the encoder marked."""

  places: Int[np.ndarray, "m"]  # ascending
  residues: Int[np.ndarray, "m"]  # rows modulo 3


def push(
  encoder: by_row.Encoder,
  rows: Rows,
  near_edge: Bool[np.ndarray, "*any"],
) -> None:
  """Sends the rows that are near an edge.

  Raises:
    JaxlicError: If it is not told of every row whether it is.
  """
  if near_edge.shape != rows.shape:
    raise JaxlicError(
      f"of every row it is told whether it is near an edge, got rows "
      f"{list(rows.shape)} and {list(near_edge.shape)}; give one for each"
    )
  places = np.flatnonzero(near_edge)
  _push_split(encoder, np.array([len(places)]), _COUNT_UNIT, _COUNT_LOW)
  gaps = np.diff(places, prepend=-1) - 1
  _push_split(encoder, gaps, *_gap_code(rows.ndim))
  _push(encoder, rows.ravel()[places] % 3, _RESIDUE)


def pop(decoder: by_row.Decoder, shape: tuple[int, ...]) -> Corrections:
  """Returns what was sent of a list of rows of that shape.

  Raises:
    JaxlicError: If the list does not fit that many rows.
  """
  size = math.prod(shape)
  count = int(_pop_split(decoder, 1, _COUNT_UNIT, _COUNT_LOW)[0])
  if not 0 <= count <= size:
    raise JaxlicError(
      f"the payload is damaged: it corrects {count} of {size} rows; fetch the "
      "file again"
    )
  gaps = _pop_split(decoder, count, *_gap_code(len(shape)))
  # An escape can say any integer.
  if count and gaps.min() < 0:
    raise JaxlicError(
      "the payload is damaged: its corrected rows do not ascend; fetch the "
      "file again"
    )
  places = np.cumsum(gaps + 1) - 1
  if count and (places.min() < 0 or places.max() >= size):
    raise JaxlicError(
      f"the payload is damaged: it corrects row {places.max()} of {size}; "
      "fetch the file again"
    )
  return Corrections(places, _pop(decoder, count, _RESIDUE))


def correct(rows: Rows, corrections: Corrections, start: int = 0) -> Rows:
  """Returns this device's rows, corrected.

  Args:
    rows: A part of the list.
    corrections: Those of the whole list.
    start: Where the part begins, counted in integers.
  """
  flat = rows.flatten()
  first, last = np.searchsorted(corrections.places, [start, start + flat.size])
  places = corrections.places[first:last] - start
  # -1, 0 or 1, whichever makes the residue that was sent.
  change = (corrections.residues[first:last] - flat[places] + 1) % 3 - 1
  flat[places] += change.astype(flat.dtype)
  return flat.reshape(rows.shape)


def _gap_code(dimensions):
  """The unit of gaps, and the row of their low part."""
  if dimensions == 1:
    return _GAP_UNIT, _GAP_LOW
  return _LONG_GAP_UNIT, _LONG_GAP_LOW


def _push_split(encoder, values, unit, low_row):
  _push(encoder, values // unit, _GEOMETRIC)
  _push(encoder, values % unit, low_row)


def _pop_split(decoder, count, unit, low_row):
  high = _pop(decoder, count, _GEOMETRIC).astype(np.int64)
  return high * unit + _pop(decoder, count, low_row)


def _push(encoder, values, row):
  rows = np.full(len(values), row, np.int32)
  encoder.push(values.astype(np.int32), rows, _models())


def _pop(decoder, count, row):
  return decoder.pop(np.full(count, row, np.int32), _models())


@functools.cache
def _models() -> by_row.AnyModels:
  """The five distributions, exact powers of two or nearly uniform."""
  halves = 0.5 ** np.arange(1, 17)
  sizes = (3, _COUNT_UNIT, _GAP_UNIT, _LONG_GAP_UNIT)
  uniform = [(np.full(n, 1 / n), 0.0, 0) for n in sizes]
  return by_row.compile_tables(
    tables.make_tables([(halves, 0.5**16, 0), *uniform])
  )
