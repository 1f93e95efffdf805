"""An rANS coder of int32 symbols under integer tables, first in, first out.

It has the interface of `jaxlic.coding.range_coder`, and codes the same entries
in the same order. constriction does the arithmetic, on the same frequencies,
whose sum is 2**24. A coder of this kind gives back first what it took last: the
encoder keeps its pushes and codes them backwards at the end. The format is thus
defined by the tables, the order of entries in `range_coder`, and the following:

- The state is `x = 0`, below 2**64, beside a stack of 32-bit words. Entries are
  coded from the last to the first. One of frequency f that follows entries of
  total frequency F in its row puts the low word of x on the stack and drops it
  from x if `x >= f * 2**40`; then `x = (x // f) * 2**24 + x % f + F`.
- In the end the words of x are put on the stack, low first, without zeros above
  its highest digit. The payload is the stack as one number, what was put last
  being highest, in base-256 digits, highest first, without leading zeros.
- A decoder takes x from the number's highest words, two or as many as there
  are. It finds the entry with `F <= x % 2**24 < F + f`, sets
  `x = f * (x // 2**24) + x % 2**24 - F`, and if `x < 2**32` and words are left,
  `x = x * 2**32 + word`. A payload ends in `x = 0` without words.

References:
  Duda, "Asymmetric numeral systems: entropy coding combining speed of Huffman
  coding with compression rate of arithmetic coding", 2013.
  Bamler, "Understanding entropy coding with asymmetric numeral systems", 2022.
"""

import constriction
import numpy as np
from jaxtyping import Int

from jaxlic.coding import arguments, by_row

_CODER = constriction.stream.stack


class Encoder:
  """Collects symbols into a payload."""

  def __init__(self):
    self._calls: list[tuple] = []  # symbols, model and its parameters

  def push(
    self,
    symbols: arguments.Symbols,
    rows: arguments.Rows,
    models: by_row.AnyModels,
  ) -> None:
    """Codes int32 symbols [n], each under its row, or its mixture.

    Args:
      symbols: Int32 [n].
      rows: Integers [n], or [n k] of k indices, or of mixtures.
      models: The tables in the coder's form.

    Raises:
      JaxlicError: As `range_coder.Encoder.push`.
    """
    by_row.push(self._encode, symbols, rows, models)

  def finish(self) -> bytes:
    """Returns the payload of all symbols so far."""
    coder = _CODER.AnsCoder()
    for call in reversed(self._calls):
      coder.encode_reverse(*call)
    words = coder.get_compressed()[::-1]
    return words.astype(">u4").tobytes().lstrip(b"\0")

  def _encode(self, *call) -> None:
    self._calls.append(call)


class Decoder:
  """Reads symbols back in the order in which they were pushed."""

  def __init__(self, data: bytes):
    data = data.lstrip(b"\0")
    padded = bytes(-len(data) % 4) + data
    words = np.frombuffer(padded, ">u4").astype(np.uint32)
    self._coder = _CODER.AnsCoder(words[::-1].copy())

  def pop(
    self,
    rows: arguments.Rows,
    models: by_row.AnyModels,
  ) -> Int[np.ndarray, "n"]:
    """Returns the int32 symbols of one push, given its rows.

    Any bytes are the code of some symbols: compare `range_coder.check` of them.

    Raises:
      JaxlicError: As `range_coder.Decoder.pop`.
    """
    return by_row.pop(self._coder.decode, rows, models)
