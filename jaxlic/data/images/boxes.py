"""Boxes of AVIF, HEIC and JPEG XL files.

References:
  ISO/IEC 14496-12, "ISO base media file format", and 23008-12, "Image file
  format", 9.3.1. Places of items: ISO/IEC 14496-12, 8.11.3 and 8.11.6.
"""

import contextlib
import io
import struct
from collections.abc import Iterator

_FULL = 4  # bytes of version and flags that begin some boxes


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
  """Yields types and contents of the boxes in a file, or inside of another."""
  for kind, start, stop in places(data):
    yield kind, data[start:stop]


def places(data: bytes) -> Iterator[tuple[bytes, int, int]]:
  """Yields types of boxes, and where their contents start and stop.

  The last one stops beyond the end if the data are cut.
  """
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
    yield kind, start + head, stop
    start = stop


def meta(data: bytes) -> dict[bytes, bytes]:
  """Returns what a file's meta box holds, empty without one."""
  content = dict(boxes(data)).get(b"meta", b"")
  return dict(boxes(content[_FULL:]))


def properties(data: bytes) -> list[tuple[bytes, bytes]]:
  """Returns the properties of all items, types and contents."""
  found = dict(boxes(meta(data).get(b"iprp", b"")))
  return list(boxes(found.get(b"ipco", b"")))


def primary_properties(data: bytes) -> list[tuple[bytes, bytes]]:
  """Returns the properties of the primary item, types and contents.

  Empty if the boxes that say which they are do not fit together.
  """
  inside, known = meta(data), properties(data)
  try:
    wanted = _item(inside[b"pitm"])
    indices = [
      index
      for kind, content in boxes(inside.get(b"iprp", b""))
      if kind == b"ipma"
      for index in _associations(content).get(wanted, ())
    ]
    return [known[index - 1] for index in indices if index]
  except (KeyError, IndexError, struct.error):
    return []


def coded_spans(data: bytes) -> Iterator[tuple[int, int]]:
  """Yields where the AV1 and HEVC items of a file start and stop in it."""
  inside = meta(data)
  items = _items(inside.get(b"iinf", b""))
  coded = {item for item, kind in items if kind in (b"av01", b"hvc1")}
  with contextlib.suppress(EOFError):
    for item, start, stop in _locations(inside.get(b"iloc", b"")):
      if item in coded:
        yield start, min(stop, len(data))


def item_kinds(data: bytes) -> set[bytes]:
  """Returns the types of the items in a file."""
  return {kind for _, kind in _items(meta(data).get(b"iinf", b""))}


def without_exif(data: bytes) -> bytes:
  """Returns a file in which readers do not find EXIF, of the same size."""
  for kind, start, stop in places(data):
    if kind == b"meta":
      box = data[start:stop].replace(b"Exif", b"none")
      data = data[:start] + box + data[start + len(box) :]
  return data


def _items(iinf: bytes) -> Iterator[tuple[int, bytes]]:
  """Yields numbers and types of items."""
  start = _FULL + (4 if iinf[:1] > b"\0" else 2)  # past the count
  for _, infe in boxes(iinf[start:]):
    wide = 4 if infe[:1] == b"\3" else 2
    if infe[:1] in (b"\2", b"\3"):
      kind = infe[_FULL + wide + 2 :][:4]
      yield int.from_bytes(infe[_FULL : _FULL + wide]), kind


def _locations(iloc: bytes) -> Iterator[tuple[int, int, int]]:
  """Items, and where parts of them start and stop in the file.

  Raises:
    EOFError: At the end, if fewer are there than the box says.
  """
  file = io.BytesIO(iloc)

  def number(size: int) -> int:
    taken = file.read(size)
    if len(taken) < size:
      raise EOFError
    return int.from_bytes(taken)

  version, _, sizes = number(1), number(3), number(2)
  offset, length, base, index = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
  wide = 4 if version == 2 else 2
  if not length:  # whole files, and parts that would take no bytes to count
    return
  for _ in range(number(wide)):
    item, method = number(wide), number(2) if version else 0
    _, first = number(2), number(base)
    for _ in range(number(2)):
      _, start = number(index if version else 0), first + number(offset)
      stop = start + number(length)
      if not method:
        yield item, start, stop


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
    items.setdefault(item, []).extend(index & mask for index in stored)
  return items
