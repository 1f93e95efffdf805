"""What Pillow does not tell of a PNG: its chunks, its exact transparency."""

import struct
from collections.abc import Iterator
from typing import Any

from PIL import Image

_SIGNATURE = 8  # bytes


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
  """Yields names and contents of the chunks before the pixels.

  Stops where the file is cut; checks are Pillow's affair.
  """
  start = _SIGNATURE
  while start + 8 <= len(data):
    size, name = struct.unpack_from(">I4s", data, start)
    if name == b"IDAT":
      return
    yield name, data[start + 8 : start + 8 + size]
    start += 12 + size


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
