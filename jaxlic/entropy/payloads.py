"""Symbols to bytes and back, with a check.

| bytes | field |
|---|---|
| 4 | CRC-32: of the symbols, int32, then the shape, int64, then the payload |
| n | the coder's payload: the list of rows near an edge, then the symbols |

The list (`jaxlic.coding.row_corrections`) is there for densities whose rows are
rounded floats: another device may round some the other way, and is told. Bytes
do not tell the shape, the coder or the model: both sides know them. All numbers
are little-endian.
"""

import zlib
from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from jaxlic.coding import ans_coder, range_coder, row_corrections
from jaxlic.errors import JaxlicError
from jaxlic.types import AnyTables

CODERS = {"range": range_coder, "ans": ans_coder}
_CHECK = 4  # bytes

Rows = Int[np.ndarray, "n *parameters"]


def coder_of(name: str) -> ModuleType:
  """Returns the coder of that name.

  Raises:
    JaxlicError: If there is none.
  """
  if name not in CODERS:
    raise JaxlicError(
      f"a coder is {' or '.join(CODERS)}, got {name!r}; choose one"
    )
  return CODERS[name]


def pack(
  coder: ModuleType,
  tables: AnyTables,
  symbols: Int[np.ndarray, "*shape"],
  rows: Rows,
  near_edge: Bool[np.ndarray, "n *parameters"] | None,
) -> bytes:
  """Returns the bytes of int32 symbols, of n elements.

  Raises:
    JaxlicError: If a row is not in the tables, or they are not valid.
  """
  encoder = coder.Encoder()
  if near_edge is not None:
    row_corrections.push(encoder, rows, near_edge)
  encoder.push(symbols.ravel(), rows, range_coder.compile_tables(tables))
  payload = encoder.finish()
  return _check_of(symbols, payload).to_bytes(_CHECK, "little") + payload


def unpack(
  coder: ModuleType,
  tables: AnyTables,
  data: Any,
  rows: Rows,
  shape: tuple[int, ...],
  *,
  corrected: bool,
) -> Int[np.ndarray, "*shape"]:
  """Inverse of `pack`, given this device's rows.

  Raises:
    JaxlicError: If the bytes are damaged or of another shape, or of tables, a
      coder or rows that give other symbols. The check misses one in 2^32.
  """
  is_bytes = isinstance(data, bytes | bytearray)
  if not is_bytes or len(data) < _CHECK:
    found = len(data) if is_bytes else type(data)
    raise JaxlicError(
      f"compressed data have {_CHECK} bytes or more, got {found}; give those "
      "of compress"
    )
  expected = int.from_bytes(data[:_CHECK], "little")
  payload = bytes(data[_CHECK:])
  decoder = coder.Decoder(payload)
  if corrected:
    rows = row_corrections.correct(
      rows, row_corrections.pop(decoder, rows.shape)
    )
  symbols = decoder.pop(rows, range_coder.compile_tables(tables))
  symbols = symbols.reshape(shape)
  if _check_of(symbols, payload) != expected:
    raise JaxlicError(
      "the symbols do not match their check: the data are damaged, or were "
      "compressed with other tables, another coder, shape or prediction; "
      "decompress with those"
    )
  return symbols


def _check_of(symbols: Int[np.ndarray, "*shape"], payload: bytes) -> int:
  shape = np.array(symbols.shape, "<i8").tobytes()
  return zlib.crc32(payload, zlib.crc32(shape, range_coder.check([symbols])))
