"""The header of JPEG XL files, which libjxl's Python package does not show.

References:
  ISO/IEC 18181-1:2024, "JPEG XL image coding system - Core coding system",
  annexes A and D, and 18181-2:2024, "File format".
"""

from collections.abc import Callable
from typing import NamedTuple

from jaxlic.data.images import boxes
from jaxlic.errors import JaxlicError

CODESTREAM, CONTAINER = b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"
# Widths by heights, numerators and denominators of them.
_RATIOS = (), (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1)
# Distributions of integers: least value and extra bits, by two bits.
_SIDES = (1, 9), (1, 13), (1, 18), (1, 30)
_PREVIEW_BLOCKS = (16, 0), (32, 0), (1, 5), (33, 9)
_PREVIEW_SIDES = (1, 6), (65, 8), (321, 10), (1345, 12)
_INTEGER_BITS = (8, 0), (10, 0), (12, 0), (1, 6)
_FLOAT_BITS = (32, 0), (16, 0), (24, 0), (1, 6)


class Header(NamedTuple):
  """What is known before decoding."""

  height: int  # as stored, before orientation
  width: int
  animated: bool
  bits: int  # per sample


def header(name: str, data: bytes) -> Header:
  """Returns the header of a file, a codestream or a container of one.

  Raises:
    JaxlicError: If there is no whole header.
  """
  stream = data if data.startswith(CODESTREAM) else _first_codestream(data)
  take = _taker(stream[2:66])
  try:
    height, width = _size(take)
    return _metadata(take, height, width)
  except IndexError as error:
    raise JaxlicError(
      f"{name}: damaged (no whole header of JPEG XL); get the file again"
    ) from error


def _metadata(take: Callable[[int], int], height: int, width: int) -> Header:
  if take(1):  # all defaults
    return Header(height, width, False, 8)
  animated = False
  if take(1):  # extra fields
    take(3)  # orientation
    if take(1):  # intrinsic size
      _size(take)
    if take(1):
      _preview(take)
    animated = bool(take(1))
  if animated:  # bits follow what is of no use here
    return Header(height, width, True, 8)
  bits = _integer(take, _FLOAT_BITS if take(1) else _INTEGER_BITS)
  return Header(height, width, False, bits)


def _first_codestream(data: bytes) -> bytes:
  for kind, content in boxes.boxes(data):
    if kind == b"jxlc":
      return content
    if kind == b"jxlp":
      return content[4:]  # its place among parts
  return b""


def _taker(stream: bytes) -> Callable[[int], int]:
  """A function that takes the next bits, the first ones lowest."""
  bits = iter([byte >> place & 1 for byte in stream for place in range(8)])

  def take(count: int) -> int:
    taken = [next(bits, None) for _ in range(count)]
    if None in taken:
      raise IndexError("past the end")
    return sum(bit << place for place, bit in enumerate(taken))

  return take


def _integer(take: Callable[[int], int], ranges: tuple) -> int:
  least, bits = ranges[take(2)]
  return least + take(bits)


def _size(take: Callable[[int], int]) -> tuple[int, int]:
  small = take(1)

  def side() -> int:
    return 8 * (1 + take(5)) if small else _integer(take, _SIDES)

  return _sides(take, side)


def _preview(take: Callable[[int], int]) -> tuple[int, int]:
  blocks = take(1)

  def side() -> int:
    if blocks:
      return 8 * _integer(take, _PREVIEW_BLOCKS)
    return _integer(take, _PREVIEW_SIDES)

  return _sides(take, side)


def _sides(
  take: Callable[[int], int], side: Callable[[], int]
) -> tuple[int, int]:
  """Height and width, which may be a ratio of it."""
  height, ratio = side(), _RATIOS[take(3)]
  if not ratio:
    return height, side()
  return height, height * ratio[0] // ratio[1]
