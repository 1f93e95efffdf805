"""The code of symbols outside their table: any int32 value, in few bits.

A value is coded as its side of the table and its distance `d >= 1` beyond the
edge: first `b = floor(log2(d))`, with probability near `1/((b+1)(b+2))`, and
the side; then the `b` low bits of `d`, as they are. A distance of 1 takes 2
bits, of 100 about 13, of a million about 29.

References:
  Elias, "Universal codeword sets and representations of the integers", IEEE
  Trans. Inf. Theory 21(2), 1975. Differs in that a range coder codes `b`.
"""

from collections.abc import Callable

import constriction
import numpy as np
from jaxtyping import Int

from jaxlic.coding.tables import PRECISION
from jaxlic.errors import JaxlicError

_MODEL = constriction.stream.model
_BITS = 32  # offsets within +-2**30 keep every distance below 2**32


def head_frequencies() -> Int[np.ndarray, "64"]:
  """Returns the frequencies of `2 * b + side`; side 1 is above the table."""
  b = np.arange(_BITS)
  share = 2 ** (PRECISION - 1) // ((b + 1) * (b + 2))
  share[0] += 2 ** (PRECISION - 1) - share.sum()
  return np.repeat(share, 2)


_HEAD = _MODEL.Categorical(head_frequencies() - 1.0, perfect=False, lazy=False)
_UNIFORM = _MODEL.Uniform()


def push(
  encode: Callable[..., None],
  values: Int[np.ndarray, "n"],
  low: Int[np.ndarray, "n"],
  high: Int[np.ndarray, "n"],
) -> None:
  """Codes values outside their tables, which hold `low..high - 1`."""
  above = values >= high
  distance = np.where(above, values - high + 1, low - values)
  b = np.frexp(distance.astype(np.float64))[1].astype(np.int64) - 1
  encode((2 * b + above).astype(np.int32), _HEAD)
  rest = distance - (np.int64(1) << b)
  # Two pieces of at most 16 bits: the coder's uniform model ends at 24.
  for shift in (0, 16):
    part = b > shift
    if part.any():
      bits = np.minimum(b[part] - shift, 16)
      piece = (rest[part] >> shift) & 0xFFFF
      encode(piece.astype(np.int32), _UNIFORM, _powers(bits))


def pop(
  decode: Callable[..., np.ndarray],
  low: Int[np.ndarray, "n"],
  high: Int[np.ndarray, "n"],
) -> Int[np.ndarray, "n"]:
  """Inverse of `push`; returns int32 values.

  Raises:
    JaxlicError: If a value is no int32: the payload is damaged.
  """
  head = decode(_HEAD, len(low)).astype(np.int64)
  b, above = head >> 1, (head & 1).astype(bool)
  distance = np.int64(1) << b
  for shift in (0, 16):
    part = b > shift
    if part.any():
      bits = np.minimum(b[part] - shift, 16)
      piece = decode(_UNIFORM, _powers(bits)).astype(np.int64)
      distance[part] += piece << shift
  values = np.where(above, high - 1 + distance, low - distance)
  if values.min() < -(2**31) or values.max() >= 2**31:
    raise JaxlicError(
      "the payload is damaged: an escaped symbol is outside int32; fetch the "
      "file again"
    )
  return values.astype(np.int32)


def _powers(bits: np.ndarray) -> np.ndarray:
  return (np.int64(1) << bits).astype(np.int32)
