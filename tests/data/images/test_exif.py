import struct

import numpy as np
import pytest
from PIL import Image

from jaxlic.data.images import exif
from tests.data.images.exif_bytes import (
  EXIF,
  GPS,
  MAKE,
  MAKER_NOTE,
  NOTE,
  NOTE_AT,
  ORIENTATION,
  THUMBNAIL,
  make_exif,
)

IFD1 = 1


def _load(data):
  """Pillow's reading of EXIF."""
  loaded = Image.Exif()
  loaded.load(data)
  return loaded


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8, 999])
def test_the_orientation_becomes_1(order, orientation):
  made = exif.upright(make_exif(order=order, orientation=orientation))
  assert _load(made)[ORIENTATION] == 1


def test_an_orientation_of_another_type_becomes_1():
  file = bytearray(make_exif())
  place = file.index(struct.pack("<HH", ORIENTATION, 3)) + 2
  struct.pack_into("<HII", file, place, 4, 1, 6)
  assert _load(exif.upright(bytes(file)))[ORIENTATION] == 1


@pytest.mark.parametrize("order", ["<", ">"])
def test_what_describes_the_picture_stays(order):
  loaded = _load(exif.upright(make_exif(order=order)))
  assert loaded[MAKE] == "Jax"
  assert loaded.get_ifd(EXIF)[MAKER_NOTE] == NOTE
  assert loaded.get_ifd(GPS)[1] == "N"


def test_a_makers_note_stays_where_it_was():
  made = exif.upright(make_exif())
  assert made[NOTE_AT : NOTE_AT + len(NOTE)] == NOTE
  (place,) = struct.unpack_from("<I", made, NOTE_AT + 5)
  assert made[place : place + 4] == b"WORD"


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_thumbnail_at_the_end_is_cut_off(order):
  file = make_exif(order=order)
  made = exif.upright(file)
  assert len(made) <= len(file) - len(THUMBNAIL)
  assert not _load(made).get_ifd(IFD1)


def test_a_thumbnail_before_other_bytes_is_zeroed():
  file = make_exif(tail=b"other bytes")
  made = exif.upright(file)
  assert THUMBNAIL not in made
  assert made.endswith(b"other bytes") and len(made) == len(file)
  assert not _load(made).get_ifd(IFD1)


def test_a_thumbnail_that_claims_the_picture_s_own_bytes_erases_nothing():
  file = bytearray(make_exif())
  place = file.index(struct.pack("<HHI", 0x201, 4, 1)) + 8
  struct.pack_into("<I", file, place, NOTE_AT)
  loaded = _load(exif.upright(bytes(file)))
  assert loaded.get_ifd(EXIF)[MAKER_NOTE] == NOTE


@pytest.mark.parametrize("link", [2**32 - 1, 5])
def test_a_second_directory_nowhere_is_unlinked(link):
  file = bytearray(make_exif())
  place = file.index(struct.pack("<I", 300))
  struct.pack_into("<I", file, place, link)
  assert not _load(exif.upright(bytes(file))).get_ifd(IFD1)


def test_nothing_is_left_of_an_orientation_alone():
  alone = Image.Exif()
  alone[ORIENTATION] = 6
  assert exif.upright(alone.tobytes().removeprefix(b"Exif\0\0")) is None


@pytest.mark.parametrize(
  "data", [b"", b"II*\0", b"II*\0garbage", b"XX*\0" + bytes(100)]
)
def test_damaged_directories_are_an_error(data):
  with pytest.raises(ValueError, match="no TIFF structure|lies outside"):
    exif.upright(data)


@pytest.mark.parametrize("tag", [EXIF, GPS])
def test_an_inner_directory_outside_is_an_error(tag):
  file = bytearray(make_exif())
  place = file.index(struct.pack("<HHI", tag, 4, 1)) + 8
  struct.pack_into("<I", file, place, 10**6)
  with pytest.raises(ValueError, match="lies outside"):
    exif.upright(bytes(file))


@pytest.mark.parametrize("order", ["<", ">"])
def test_an_orientation_is_taken_out_and_nothing_moves(order):
  file = exif.upright(make_exif(order=order))
  made = exif.without_orientation(file)
  loaded = _load(made)
  assert ORIENTATION not in loaded and loaded[MAKE] == "Jax"
  assert loaded.get_ifd(EXIF)[MAKER_NOTE] == NOTE
  assert loaded.get_ifd(GPS)[1] == "N"
  assert len(made) == len(file) and made[NOTE_AT:] == file[NOTE_AT:]
  assert exif.without_orientation(made) == made


def test_bytes_at_random_are_edited_or_an_error():
  rng = np.random.default_rng(0)
  for _ in range(2000):
    file = bytearray(make_exif())
    for place in rng.integers(4, 340, 3):
      file[place] = rng.integers(256)
    try:
      made = exif.upright(bytes(file))
    except ValueError:
      continue
    assert made is None or len(made) <= len(file)
    assert exif.orientation(made or b"") in (None, 1)
    if made is not None:
      assert _load(made).get(ORIENTATION, 1) == 1
