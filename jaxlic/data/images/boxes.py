"""Boxes of AVIF, HEIC and JPEG XL files.

References:
  ISO/IEC 14496-12, "ISO base media file format", and 23008-12, "Image file
  format", 9.3.1.
"""

import struct
from collections.abc import Iterator

_FULL = 4  # bytes of version and flags that begin some boxes


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
  """Yields types and contents of the boxes in a file, or inside of another."""
  start = 0
  while start + 8 <= len(data):
    size, kind = struct.unpack_from(">I4s", data, start)
    head = 8
    if size == 1 and start + 16 <= len(data):
      (size,) = struct.unpack_from(">Q", data, start + 8)
      head = 16
    stop = len(data) if size == 0 else start + size
    if stop < start + head:
      return
    yield kind, data[start + head : stop]
    start = stop


def meta(data: bytes) -> dict[bytes, bytes]:
  """Returns what a file's meta box holds, empty without one."""
  content = dict(boxes(data)).get(b"meta", b"")
  return dict(boxes(content[_FULL:]))


def primary_properties(data: bytes) -> list[tuple[bytes, bytes]]:
  """Returns the properties of the primary item, types and contents.

  Empty if the boxes that say which they are do not fit together.
  """
  inside = meta(data)
  properties = dict(boxes(inside.get(b"iprp", b"")))
  known = list(boxes(properties.get(b"ipco", b"")))
  try:
    wanted = _item(inside[b"pitm"])
    indices = _associations(properties[b"ipma"])[wanted]
    return [known[index - 1] for index in indices if index]
  except (KeyError, IndexError, struct.error):
    return []


def _item(pitm: bytes) -> int:
  return struct.unpack_from(">I" if pitm[0] else ">H", pitm, _FULL)[0]


def _associations(ipma: bytes) -> dict[int, list[int]]:
  """Items, and the one-based places of their properties."""
  wide_items, wide_indices = ipma[0] > 0, ipma[3] & 1
  (count,) = struct.unpack_from(">I", ipma, _FULL)
  start, items = _FULL + 4, {}
  for _ in range(count):
    layout = ">IB" if wide_items else ">HB"
    item, size = struct.unpack_from(layout, ipma, start)
    start += struct.calcsize(layout)
    layout = f">{size}{'H' if wide_indices else 'B'}"
    stored = struct.unpack_from(layout, ipma, start)
    start += struct.calcsize(layout)
    # The highest bit says whether a reader must know the property.
    mask = 0x7FFF if wide_indices else 0x7F
    items[item] = [index & mask for index in stored]
  return items
