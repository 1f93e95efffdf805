import struct
import threading

import numpy as np
import pytest
from PIL import Image

from jaxlic.data import images
from jaxlic.data.images import boxes
from jaxlic.errors import JaxlicError
from tests.data.images.image_files import encode

NOISE = np.random.default_rng(1).integers(0, 256, (64, 48, 3), np.uint8)
AVIF = encode(Image.fromarray(NOISE), "AVIF", speed=10)


def _box(kind, content):
  return struct.pack(">I4s", 8 + len(content), kind) + content


def _before_meta(file, box):
  """An AVIF with a box after its ftyp; its iloc tells the new places."""
  start = int.from_bytes(file[:4])
  moved = bytearray(file[:start] + box + file[start:])
  iloc = moved.index(b"iloc", start + len(box)) + 4
  assert moved[iloc] == 0 and moved[iloc + 4 : iloc + 6] == b"\x44\0"
  (items,) = struct.unpack_from(">H", moved, iloc + 6)
  for place in range(iloc + 8, iloc + 8 + 14 * items, 14):  # of one part each
    (old,) = struct.unpack_from(">I", moved, place + 6)
    struct.pack_into(">I", moved, place + 6, old + len(box))
  return bytes(moved)


def _spans(iloc):
  """What coded spans of a file are whose items lie where a box says."""
  infe = _box(b"infe", b"\2\0\0\0" + b"\0\1\0\0" + b"av01")
  iinf = _box(b"iinf", bytes(4) + b"\0\1" + infe)
  inside = bytes(4) + iinf + _box(b"iloc", iloc)
  return list(boxes.coded_spans(_box(b"meta", inside) + bytes(999)))


@pytest.mark.parametrize("name", [b"iloc", b"meta", b"av1C", b"infe"])
@pytest.mark.parametrize("size", [0, 16, 2**32 - 16])
def test_names_of_boxes_in_a_free_box_say_nothing(name, size):
  # 2**32 - 1 items of no parts.
  claim = struct.pack(">I", size) + name + b"\2\0\0\0\x44\0" + b"\xff" * 4
  file = _before_meta(AVIF, _box(b"free", claim))
  read = threading.Thread(target=images.read, args=(file,), daemon=True)
  read.start()
  read.join(20)
  assert not read.is_alive()
  photo = images.read(file)
  np.testing.assert_array_equal(photo.pixels, images.read(AVIF).pixels)


def test_zeros_are_told_behind_a_box_that_looks_like_places():
  half = len(AVIF) * 6 // 10
  file = AVIF[:half] + bytes(len(AVIF) - half)
  free = _box(b"free", b"\0\0\0\x10iloc" + bytes(8))
  with pytest.raises(JaxlicError, match="zero bytes of no effect"):
    images.read(_before_meta(file, free))


def test_a_deep_avif_is_refused_behind_a_box_that_looks_like_its_metadata():
  deep = bytearray(AVIF)
  deep[deep.index(b"av1C") + 6] |= 0x40
  depths = deep.index(b"pixi") + 9
  deep[depths : depths + 3] = bytes([10, 10, 10])
  file = _before_meta(bytes(deep), _box(b"free", b"\0\0\0\x10meta"))
  with pytest.raises(JaxlicError, match="here 10; "):
    images.read(file)


def test_parts_of_items_are_found_with_every_layout():
  # Offset 7, length 5 and base 100 of item 1.
  narrow = b"\0\0\0\0\x44\x40\0\1" + b"\0\1\0\0" + struct.pack(">IH", 100, 1)
  assert _spans(narrow + struct.pack(">II", 7, 5)) == [(107, 112)]
  wide = b"\2\0\0\0\x44\x42" + struct.pack(">I", 1)
  wide += struct.pack(">IHHIH", 1, 0, 0, 100, 1) + b"\0\1"
  assert _spans(wide + struct.pack(">II", 7, 5)) == [(107, 112)]
  inside = wide.replace(b"\0\1\0\0\0\0\0\0\0\x64", b"\0\1\0\1\0\0\0\0\0\x64")
  assert _spans(inside + struct.pack(">II", 7, 5)) == []


@pytest.mark.parametrize(
  "iloc", [b"", b"\0", b"\1\0\0\0\x44\0\xff\xff" + bytes(40), b"\0\0\0\0\0\0"]
)
def test_places_that_are_cut_or_empty_say_nothing(iloc):
  assert set(_spans(iloc)) <= {(0, 0)}


def test_associations_in_two_boxes_are_one():
  known = _box(b"aaaa", b"") + _box(b"bbbb", b"")
  one, two = (
    _box(b"ipma", bytes(4) + struct.pack(">IHBB", 1, 1, 1, place))
    for place in (1, 2)
  )
  iprp = _box(b"iprp", _box(b"ipco", known) + one + two)
  file = _box(b"meta", bytes(4) + _box(b"pitm", bytes(4) + b"\0\1") + iprp)
  assert boxes.primary_properties(file) == [(b"aaaa", b""), (b"bbbb", b"")]


def test_a_box_of_64_bits_is_not_taken_for_a_cut_one():
  place = AVIF.index(b"mdat") - 4
  size = len(AVIF) - place
  long = struct.pack(">I4sQ", 1, b"mdat", size + 8)
  start = AVIF.index(b"iloc") + 4
  file = bytearray(AVIF[:place] + long + AVIF[place + 8 :])
  (old,) = struct.unpack_from(">I", file, start + 14)
  struct.pack_into(">I", file, start + 14, old + 8)
  assert images.read(bytes(file), salvage=True).notes == ()
