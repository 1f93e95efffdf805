"""Directories of TIFF files and of EXIF, taken apart and put together.

References:
  Adobe, "TIFF Revision 6.0", 1992, section 2.
"""

import struct
from typing import NamedTuple

import numpy as np

EXIF, GPS, INTEROP, XMP, ICC = 0x8769, 0x8825, 0xA005, 700, 34675
BYTE, ASCII, SHORT, LONG, UNDEFINED = 1, 2, 3, 4, 7

MAX_BYTES = 2**24
# Document name, description, make, model, software, date, artist, host, rating,
# copyright, Windows' title to subject: the tags of a TIFF that are no layout.
DESCRIPTIVE = {269, 270, 271, 272, 305, 306, 315, 316, 18246, 18249, 33432}
DESCRIPTIVE |= {EXIF, GPS, *range(40091, 40096)}
# Bytes of a number, and numbers of a value, by type.
_UNITS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 1, 7: 1, 8: 2, 9: 4, 10: 4, 11: 4}
_UNITS |= {12: 8, 13: 4}
_NUMBERS = {5: 2, 10: 2}
_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}


class Field(NamedTuple):
  """One or more values of a type."""

  kind: int
  values: bytes  # in big-endian order


Fields = dict[int, "Field | Fields"]  # by tag; a directory inside is Fields


def parse(data: bytes, *, described: bool = False) -> Fields:
  """Returns the first directory of a TIFF structure, and those inside of it.

  Fields of unknown types, and those whose values lie outside, are left out.

  Args:
    data: The structure, or a file of TIFF.
    described: Take only fields that describe a picture, and no layout.

  Raises:
    ValueError: If there is no TIFF structure, a directory lies outside, or one
      has values of more than `MAX_BYTES`.
  """
  if data[:4] not in _ORDERS:
    raise ValueError("no TIFF structure")
  order = _ORDERS[data[:4]]
  try:
    (start,) = struct.unpack_from(f"{order}I", data, 4)
    main = _directory(data, order, start, DESCRIPTIVE if described else None)
    for tag in {EXIF, GPS} & main.keys():
      main[tag] = _directory(data, order, _place(main[tag]))
    inner = main.get(EXIF, {})
    if INTEROP in inner:
      inner[INTEROP] = _directory(data, order, _place(inner[INTEROP]))
  except struct.error as error:
    raise ValueError("a directory lies outside") from error
  return main


def serialize(fields: Fields, order: str = ">", *, start: int = 8) -> bytes:
  """Returns the bytes of a directory, and of those inside of it, at a place.

  Args:
    fields: What it holds.
    order: "<" or ">".
    start: Where the bytes will lie in the structure, even.
  """
  entries, body = b"", b""
  place = start + 2 + 12 * len(fields) + 4
  for tag, field in sorted(fields.items()):
    if isinstance(field, dict):
      kind, count = LONG, 1
      coded = struct.pack(f"{order}I", place + len(body))
      body += serialize(field, order, start=place + len(body))
    else:
      kind = field.kind
      count = len(field.values) // (_UNITS[kind] * _NUMBERS.get(kind, 1))
      coded = _swapped(field.values, _UNITS[kind], order)
      if len(coded) > 4:
        body += coded
        coded = struct.pack(f"{order}I", place + len(body) - len(coded))
    body += bytes(len(body) % 2)
    entry = struct.pack(f"{order}HHI", tag, kind, count)
    entries += entry + coded.ljust(4, b"\0")
  return struct.pack(f"{order}H", len(fields)) + entries + bytes(4) + body


def structure(fields: Fields) -> bytes:
  """Returns a TIFF structure of a directory."""
  return b"MM\0*" + struct.pack(">I", 8) + serialize(fields)


def add(file: bytes, fields: Fields) -> bytes:
  """Returns a TIFF file with further fields; its strips stay where they are."""
  order = _ORDERS[file[:4]]
  file += bytes(len(file) % 2)
  head = file[:4] + struct.pack(f"{order}I", len(file))
  added = serialize(parse(file) | fields, order, start=len(file))
  return head + file[8:] + added


def _directory(
  data: bytes, order: str, start: int, only: set[int] | None = None
) -> Fields:
  (count,) = struct.unpack_from(f"{order}H", data, start)
  fields, total = {}, 0
  for place in range(start + 2, start + 2 + 12 * count, 12):
    tag, kind, values = struct.unpack_from(f"{order}HHI", data, place)
    if kind not in _UNITS or (only and tag not in only):
      continue
    size = values * _UNITS[kind] * _NUMBERS.get(kind, 1)
    (there,) = struct.unpack_from(f"{order}I", data, place + 8)
    there = place + 8 if size <= 4 else there
    if there + size <= len(data):
      total += size
      # Values may lie over each other.
      if total > MAX_BYTES:
        raise ValueError(f"values of more than {MAX_BYTES} bytes")
      stored = data[there : there + size]
      fields[tag] = Field(kind, _swapped(stored, _UNITS[kind], order))
  return fields


def _place(field: Field) -> int:
  return struct.unpack(">I", field.values)[0]


def _swapped(values: bytes, unit: int, order: str) -> bytes:
  """Values to or from big-endian order."""
  return np.frombuffer(values, f"{order}u{unit}").astype(f">u{unit}").tobytes()
