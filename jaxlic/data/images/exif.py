"""EXIF made that of an upright picture alone, edited in place.

Makers' notes hold offsets from the start of the structure, so nothing may move:
bytes are overwritten, and cut off at the end.

References:
  CIPA DC-008-2024, "Exchangeable image file format for digital still cameras:
  Exif 3.0", 4.5 and 4.6.
"""

import struct
from typing import NamedTuple

_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
# Bytes per value of types 1 to 13.
_SIZES = 0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4
_BYTE, _SHORT, _LONG = 1, 3, 4
_ORIENTATION, _EXIF, _GPS, _INTEROP = 0x112, 0x8769, 0x8825, 0xA005
_STRIPS, _STRIP_BYTES, _JPEG, _JPEG_BYTES = 0x111, 0x117, 0x201, 0x202


class _Entry(NamedTuple):
  kind: int
  place: int  # of its 12 bytes
  start: int  # of its values
  size: int  # of its values, in bytes
  value: int  # the first one, if it is a short or a long


class _Directory(NamedTuple):
  start: int
  entries: dict[int, _Entry]
  link_place: int
  link: int  # to the next directory, 0 for none


def upright(exif: bytes) -> bytes | None:
  """Returns EXIF of orientation 1 without a thumbnail; None if nothing is left.

  Args:
    exif: A TIFF structure, as in PNG's eXIf chunk.

  Raises:
    ValueError: If its directories are damaged.
  """
  order, main = _main(exif)
  try:
    return _edit(exif, order, main)
  except struct.error as error:
    raise ValueError("a directory lies outside") from error


def orientation(exif: bytes) -> int | None:
  """Returns 1..8 as EXIF says, 1 for other values; None if it says nothing.

  The first value counts, of whatever type and in its entry, even if more are
  said to lie elsewhere: `upright` makes it 1. No place is below 9.
  """
  try:
    order, main = _main(exif)
  except ValueError:
    return None
  if _ORIENTATION not in main.entries:
    return None
  entry = main.entries[_ORIENTATION]
  letter = {_BYTE: "B", _LONG: "I"}.get(entry.kind, "H")
  (value,) = struct.unpack_from(order + letter, exif, entry.place + 8)
  return value if 1 <= value <= 8 else 1


def without_orientation(exif: bytes) -> bytes:
  """Returns EXIF in which no entry states an orientation.

  Raises:
    ValueError: If its first directory is damaged.
  """
  order, main = _main(exif)
  if _ORIENTATION not in main.entries:
    return exif
  edited, place = bytearray(exif), main.entries[_ORIENTATION].place
  stop = min(main.link_place + 4, len(exif))
  edited[place:stop] = exif[place + 12 : stop] + bytes(12)
  struct.pack_into(f"{order}H", edited, main.start, len(main.entries) - 1)
  return bytes(edited)


def _main(exif: bytes) -> tuple[str, _Directory]:
  """Byte order and first directory."""
  order = _ORDERS.get(exif[:4])
  if not order:
    raise ValueError("no TIFF structure")
  try:
    (start,) = struct.unpack_from(f"{order}I", exif, 4)
    return order, _directory(exif, order, start)
  except struct.error as error:
    raise ValueError("a directory lies outside") from error


def _edit(exif: bytes, order: str, main: _Directory) -> bytes | None:
  if not main.entries.keys() - {_ORIENTATION}:
    return None
  edited = bytearray(exif)
  if _ORIENTATION in main.entries:
    place = main.entries.pop(_ORIENTATION).place
    struct.pack_into(f"{order}HIHH", edited, place + 2, _SHORT, 1, 1, 0)
  kept = [(0, 8), *_regions(main)]
  for tag in (_EXIF, _GPS):
    if tag in main.entries:
      inner = _directory(exif, order, main.entries[tag].value)
      kept += _regions(inner)
      if _INTEROP in inner.entries:
        interop = inner.entries[_INTEROP].value
        kept += _regions(_directory(exif, order, interop))
  if main.link:
    struct.pack_into(f"{order}I", edited, main.link_place, 0)
    _erase(edited, _thumbnail(exif, order, main.link), kept)
  return bytes(edited)


def _directory(exif: bytes, order: str, start: int) -> _Directory:
  (count,) = struct.unpack_from(f"{order}H", exif, start)
  entries = {}
  for place in range(start + 2, start + 2 + 12 * count, 12):
    tag, kind, values = struct.unpack_from(f"{order}HHI", exif, place)
    size = values * (_SIZES[kind] if kind < len(_SIZES) else 0)
    letter = "H2x" if kind == _SHORT else "I"
    (value,) = struct.unpack_from(f"{order}{letter}", exif, place + 8)
    at = place + 8 if size <= 4 else value
    entries[tag] = _Entry(kind, place, at, size, value)
  link_place = start + 2 + 12 * count
  # Some writers end with the last entry.
  link = exif[link_place : link_place + 4].ljust(4, b"\0")
  return _Directory(
    start, entries, link_place, struct.unpack(f"{order}I", link)[0]
  )


def _regions(directory: _Directory) -> list[tuple[int, int]]:
  """Starts and stops of a directory, and of values outside of it."""
  values = [
    (entry.start, entry.start + entry.size)
    for entry in directory.entries.values()
    if entry.size > 4
  ]
  return [(directory.start, directory.link_place + 4), *values]


def _thumbnail(exif: bytes, order: str, link: int) -> list[tuple[int, int]]:
  """Where a thumbnail and its directory lie; empty if that cannot be known."""
  try:
    directory = _directory(exif, order, link)
  except struct.error:
    return []
  found = _regions(directory)
  for start, size in ((_JPEG, _JPEG_BYTES), (_STRIPS, _STRIP_BYTES)):
    if {start, size} <= directory.entries.keys():
      place = directory.entries[start].value
      found.append((place, place + directory.entries[size].value))
  return found


def _erase(
  edited: bytearray,
  regions: list[tuple[int, int]],
  kept: list[tuple[int, int]],
) -> None:
  """Cuts regions off at the end, and zeroes others, where nothing is kept."""
  free = [
    (start, min(stop, len(edited)))
    for start, stop in regions
    if not any(start < b and a < stop for a, b in kept)
  ]
  for start, stop in free:
    edited[start:stop] = bytes(max(stop - start, 0))
  for start, stop in sorted(free, reverse=True):
    # An odd one may be padded.
    if start < stop and stop >= len(edited) - 1:
      del edited[start:]
