"""What Pillow does not tell of a PNG: its chunks, its exact transparency."""

import struct
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_ANCILLARY = 0x20  # the bit of a name's first letter, PNG 3, 5.4


class Chunk(NamedTuple):
  """A piece of a file."""

  start: int  # of its 12 bytes and content
  name: bytes
  content: bytes
  check: bytes  # of name and content, as stored

  @property
  def sound(self) -> bool:
    """Whether the check is right; computed, as most chunks are not asked."""
    return self.check == _u32(zlib.crc32(self.content, zlib.crc32(self.name)))


def walk(data: bytes) -> Iterator[Chunk]:
  """Yields the chunks of a file; one that is cut is not sound."""
  start = len(SIGNATURE)
  while start + 8 <= len(data):
    size, name = struct.unpack_from(">I4s", data, start)
    stop = start + 8 + size
    yield Chunk(start, name, data[start + 8 : stop], data[stop : stop + 4])
    start = stop + 4


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
  """Yields names and contents of the chunks before the pixels.

  Checks are Pillow's affair.
  """
  for chunk in walk(data):
    if chunk.name == b"IDAT":
      return
    yield chunk.name, chunk.content


def without_damage(data: bytes) -> tuple[bytes, tuple[str, ...]]:
  """Returns a file without damaged chunks that pixels do not need, and notes.

  Pillow would refuse it for them.
  """
  notes = ()
  for chunk in reversed(list(walk(data))):
    if not chunk.sound and chunk.name[0] & _ANCILLARY:
      stop = chunk.start + 12 + len(chunk.content)
      data = data[: chunk.start] + data[stop:]
      name = chunk.name.decode(errors="replace")
      notes = (f"a damaged PNG chunk, {name}, was left out", *notes)
  return data, notes


def _u32(value: int) -> bytes:
  return struct.pack(">I", value)


def transparency(image: Image.Image, data: bytes) -> dict[str, Any]:
  """Returns the transparent grey or colour at the scale of 8-bit samples.

  As the entry of an image's `info`, empty without one. Pillow scales samples of
  2 and 4 bits to 8, and leaves tRNS as it is stored. Bits of it beyond the
  depth count for nothing (PNG 3, 11.3.1.1).
  """
  key = image.info.get("transparency")
  top = 2 ** data[24] - 1  # bit depth of IHDR
  if image.mode in ("1", "L") and isinstance(key, int):
    stored = dict(chunks(data)).get(b"tRNS", b"").rjust(2, b"\0")
    (grey,) = struct.unpack_from(">H", stored)
    return {"transparency": (grey & top) * 255 // top}
  if image.mode == "RGB" and isinstance(key, tuple):
    return {"transparency": tuple(sample & top for sample in key)}
  return {}
