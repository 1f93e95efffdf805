"""Table rows that another device might round the other way, told in the file.

A row is a rounded float, and the same network on another processor differs in
the last bits: sooner or later a value next to a rounding boundary falls on its
other side, and the decoder, reading one symbol under the wrong row, loses all
that follow. So the encoder marks the rows that lie so close to a boundary that
they could, and sends for each its place and its value modulo 3, which tells
it from both neighbours.

Per list: the count, then the gaps between places, then the residues; numbers
are split into a low part coded uniformly and a high part coded geometrically.
"""

import functools

import numpy as np
from jaxtyping import Bool, Int

from jaxlic.coding import range_coder, tables
from jaxlic.types import JaxlicError

_COUNT_UNIT, _GAP_UNIT = 4, 4096
_GEOMETRIC, _RESIDUE, _COUNT_LOW, _GAP_LOW = range(4)  # rows of the tables


def push(
  encoder: range_coder.Encoder,
  rows: Int[np.ndarray, "n"],
  close: Bool[np.ndarray, "n"],
) -> None:
  """Sends the rows that are `close` to a boundary."""
  places = np.flatnonzero(close)
  _push_split(encoder, np.array([len(places)]), _COUNT_UNIT, _COUNT_LOW)
  gaps = np.diff(places, prepend=-1) - 1
  _push_split(encoder, gaps, _GAP_UNIT, _GAP_LOW)
  _push(encoder, rows[places] % 3, _RESIDUE)


def pop(
  decoder: range_coder.Decoder, rows: Int[np.ndarray, "n"]
) -> Int[np.ndarray, "n"]:
  """Returns this device's rows, corrected by those that were sent.

  Raises:
    JaxlicError: If the list does not fit the rows.
  """
  count = int(_pop_split(decoder, 1, _COUNT_UNIT, _COUNT_LOW)[0])
  if not 0 <= count <= len(rows):
    raise JaxlicError(
      f"the payload is damaged: it corrects {count} of {len(rows)} rows; "
      "fetch the file again"
    )
  places = np.cumsum(_pop_split(decoder, count, _GAP_UNIT, _GAP_LOW) + 1) - 1
  if count and (places.min() < 0 or places.max() >= len(rows)):
    raise JaxlicError(
      f"the payload is damaged: it corrects row {places.max()} of {len(rows)}; "
      "fetch the file again"
    )
  sent = _pop(decoder, count, _RESIDUE)
  rows = rows.copy()
  # -1, 0 or 1, whichever makes the residue that was sent.
  rows[places] += (sent - rows[places] + 1) % 3 - 1
  return rows


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
def _models() -> range_coder.Models:
  """The four distributions, exact powers of two or nearly uniform."""
  halves = 0.5 ** np.arange(1, 17)
  sizes = (3, _COUNT_UNIT, _GAP_UNIT)
  uniform = [(np.full(n, 1 / n), 0.0, 0) for n in sizes]
  return range_coder.compile_tables(
    tables.make_tables([(halves, 0.5**16, 0), *uniform])
  )
