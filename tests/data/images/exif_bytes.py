"""EXIF by hand: makers' notes with offsets of their own, and thumbnails."""

import struct

MAKE, ORIENTATION, EXIF, GPS, MAKER_NOTE = 271, 274, 0x8769, 0x8825, 0x927C
THUMBNAIL = b"\xff\xd8 a thumbnail \xff\xd9"
# A note of a maker: the offset of its last word, from the start of EXIF.
NOTE_AT = 200
NOTE = b"MAKER" + struct.pack("<I", NOTE_AT + 9) + b"WORD"


def make_exif(
  *, orientation=6, order="<", thumbnail=THUMBNAIL, thumbnail_at=400, tail=b""
):
  """EXIF with a maker's note, GPS, and a second directory of a thumbnail."""
  blank = bytearray(thumbnail_at)
  blank[:8] = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(
    order + "I", 8
  )
  link = 300 if thumbnail else 0
  main = [
    (MAKE, 2, 4, b"Jax\0"),
    (ORIENTATION, 3, 1, struct.pack(order + "HH", orientation, 0)),
    (EXIF, 4, 1, struct.pack(order + "I", 100)),
    (GPS, 4, 1, struct.pack(order + "I", 150)),
  ]
  _put(blank, 8, main, order, link)
  note = struct.pack(order + "I", NOTE_AT)
  _put(blank, 100, [(MAKER_NOTE, 7, len(NOTE), note)], order, 0)
  blank[NOTE_AT : NOTE_AT + len(NOTE)] = NOTE
  _put(blank, 150, [(1, 2, 2, b"N\0\0\0")], order, 0)
  if thumbnail:
    place = struct.pack(order + "I", thumbnail_at)
    size = struct.pack(order + "I", len(thumbnail))
    _put(blank, 300, [(0x201, 4, 1, place), (0x202, 4, 1, size)], order, 0)
  return bytes(blank) + (thumbnail or b"") + tail


def _put(blank, start, entries, order, link):
  coded = struct.pack(order + "H", len(entries))
  for tag, kind, count, value in entries:
    coded += struct.pack(order + "HHI", tag, kind, count) + value
  coded += struct.pack(order + "I", link)
  blank[start : start + len(coded)] = coded
