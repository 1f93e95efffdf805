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

import constriction
import numpy as np
from jaxtyping import Int

from jaxlic.coding import arguments, by_row
from jaxlic.coding.by_row import AnyModels, Models, compile_tables
from jaxlic.coding.tables import PRECISION
from jaxlic.errors import JaxlicError

__all__ = [
  "AnyModels",
  "Decoder",
  "Encoder",
  "Models",
  "check",
  "compile_tables",
  "fold",
  "least_bits",
]

_CODER = constriction.stream.queue


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
    by_row.push(self._coder.encode, symbols, rows, models)

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
    return by_row.pop(self._decode, rows, models)

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
  most = models.tables.frequencies[by_row.row_numbers(rows, models)].max(1)
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
