"""Fields of a file: integers of fixed and of variable length, and bytes.

A varint has 7 bits per byte, low bits first, the top bit set on all bytes but
the last, five bytes at most.
"""

from jaxlic.errors import JaxlicError


class Reader:
  """Takes fields off the front of a file."""

  def __init__(self, data: bytes, position: int):
    self.data, self.position = data, position

  def take(self, count: int) -> bytes:
    """Returns so many bytes.

    Raises:
      JaxlicError: If fewer are left.
    """
    left = len(self.data) - self.position
    if count > left:
      raise JaxlicError(
        f"the file is cut short: byte {self.position} begins a field of "
        f"{count} bytes, but {left} are left; fetch it again"
      )
    self.position += count
    return self.data[self.position - count : self.position]

  def integer(self, count: int) -> int:
    """Returns an integer of so many bytes, little-endian."""
    return int.from_bytes(self.take(count), "little")

  def varint(self) -> int:
    """Returns a varint.

    Raises:
      JaxlicError: If it has more than five bytes.
    """
    start, value = self.position, 0
    for shift in range(0, 35, 7):
      byte = self.integer(1)
      value |= (byte & 127) << shift
      if byte < 128:
        return value
    raise JaxlicError(
      f"a varint has at most 5 bytes, got more at byte {start}; the file is "
      "damaged, fetch it again"
    )


def varint(value: int) -> bytes:
  """Returns the bytes of a varint."""
  digits = bytearray()
  while value >= 128:
    digits.append(value & 127 | 128)
    value >>= 7
  return bytes([*digits, value])
