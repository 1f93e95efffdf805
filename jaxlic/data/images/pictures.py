"""What a file holds beside its photograph, told in a line each.

Phones append a gain map (Ultra HDR, ISO 21496-1), a depth map or a video to
their JPEGs, and put further items into HEIC and AVIF files.
"""

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

from jaxlic.data.images import boxes
from jaxlic.data.images.xmp import GAIN_MAPS

_ISO_GAIN_MAP = b"urn:iso:std:iso:ts:21496"
# As items of HEIC and AVIF are marked, and the XMP of Apple's second pictures.
_GAIN_ITEMS = b"tmap", b"hdrgainmap", _ISO_GAIN_MAP
_EXTENDED_XMP = b"http://ns.adobe.com/xmp/extension/\0"
_SOS, _EOI = 0xDA, 0xD9
# A marker in entropy-coded data that is neither stuffing nor a restart.
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")

_GAIN_MAP = "a gain map was left out, the picture is that of a standard display"
_MORE_XMP = "XMP beyond 64 KiB was left out"
_DEPTH = "a depth map was left out"
_SECOND = "a second picture was left out"
_VIDEO = "a video was left out"


class _Segment(NamedTuple):
  content: bytes
  stop: int  # where the next one starts, past coded data if it has any


def notes_jpeg(data: bytes, xmp: bytes) -> tuple[str, ...]:
  """Returns what follows a JPEG's picture, or belongs to it.

  Args:
    data: The file.
    xmp: Its XMP, in which gain maps are announced, empty without one.
  """
  segments = list(_segments(data))
  rest = data[segments[-1].stop :] if segments[-1:] else b""
  gain_map = any(mark in xmp for mark in GAIN_MAPS)
  gain_map |= any(mark in rest for mark in (*GAIN_MAPS, *_GAIN_ITEMS[1:]))
  gain_map |= any(s.content.startswith(_ISO_GAIN_MAP) for s in segments)
  found = []
  if any(s.content.startswith(_EXTENDED_XMP) for s in segments):
    found.append(_MORE_XMP)
  if gain_map:
    found.append(_GAIN_MAP)
  elif b"\xff\xd8\xff" in rest:
    found.append(_SECOND)
  if rest[4:8] == b"ftyp" or b"ftypmp4" in rest or b"ftypqt" in rest:
    found.append(_VIDEO)
  return tuple(found)


def notes_items(data: bytes) -> tuple[str, ...]:
  """Returns what the further items of a HEIC or AVIF file are."""
  items = b"".join(
    content
    for kind, content in boxes.meta(data).items()
    if kind in (b"iinf", b"iprp")
  )
  found = []
  if any(mark in items for mark in _GAIN_ITEMS):
    found.append(_GAIN_MAP)
  # Auxiliary types of HEVC's depth maps, ISO/IEC 23008-12, and of MIAF's.
  if b"aux:depth" in items or b"auxid:2" in items:
    found.append(_DEPTH)
  return tuple(found)


def _segments(data: bytes) -> Iterator[_Segment]:
  """Yields a JPEG's segments, the last one without content: its picture's end.

  A JPEG without an end yields nothing beyond its last scan.
  """
  place = 2
  while place + 4 <= len(data) and data[place] == 0xFF:
    marker = data[place + 1]
    if marker == 0xFF:  # fill
      place += 1
      continue
    if marker == _EOI:
      yield _Segment(b"", place + 2)
      return
    (size,) = struct.unpack_from(">H", data, place + 2)
    stop = place + 2 + max(size, 2)
    content = data[place + 4 : stop]
    if marker == _SOS:
      following = _MARKER.search(data, stop)
      stop = following.start() if following else len(data)
    yield _Segment(content, stop)
    place = stop
