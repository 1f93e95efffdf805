import struct

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from jaxlic.data import images
from jaxlic.data.images import directories, exif
from jaxlic.data.images.directories import Field
from jaxlic.data.images.metadata import MAX_BYTES
from jaxlic.errors import JaxlicError
from tests.data.images.exif_bytes import (
  EXIF,
  GPS,
  MAKE,
  MAKER_NOTE,
  NOTE,
  make_exif,
)
from tests.data.images.image_files import GREY, RGB, encode, make_chunk

ARTIST = 315
STORED = make_exif()
KEPT = exif.upright(STORED)
XMP = "<x:xmpmeta xmlns:x='adobe:ns:meta/'>ü</x:xmpmeta>".encode()
PHOTO = images.Photo(RGB, exif=KEPT, xmp=XMP)


def _png_text(**texts):
  info = PngImagePlugin.PngInfo()
  for key, text in texts.items():
    info.add_text(key.replace("_", " "), text)
  return encode(Image.fromarray(RGB), pnginfo=info)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_exif_of_an_upright_picture_is_kept(kind):
  file = encode(Image.fromarray(RGB), kind, exif=b"Exif\0\0" + STORED)
  photo = images.read(file)
  assert photo.exif == KEPT
  # Orientation 6 turns it.
  assert photo.pixels.shape == (4, 6, 3)
  assert photo.notes == ()


@pytest.mark.parametrize("kind", ["TIFF", "AVIF"])
def test_exif_that_pillow_writes_anew_keeps_what_it_says(kind):
  file = encode(Image.fromarray(RGB), kind, exif=b"Exif\0\0" + STORED)
  loaded = Image.Exif()
  loaded.load(images.read(file).exif)
  assert loaded[MAKE] == "Jax" and loaded.get(274, 1) == 1
  assert loaded.get_ifd(EXIF)[MAKER_NOTE] == NOTE
  assert loaded.get_ifd(GPS)[1] == "N"


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_exif_and_xmp_return_as_they_were_written(tmp_path, suffix):
  path = tmp_path / f"photo{suffix}"
  images.write(path, PHOTO)
  photo = images.read(path)
  assert photo.exif == KEPT and photo.xmp == XMP and photo.notes == ()
  assert photo.pixels.shape == RGB.shape


def test_an_avif_returns_exif_without_an_orientation(tmp_path):
  images.write(tmp_path / "photo.avif", PHOTO)
  photo = images.read(tmp_path / "photo.avif")
  assert photo.exif == exif.without_orientation(KEPT) and photo.xmp == XMP
  images.write(tmp_path / "again.avif", photo)
  assert images.read(tmp_path / "again.avif").exif == photo.exif


def test_a_tiff_returns_what_exif_says(tmp_path):
  images.write(tmp_path / "photo.tif", PHOTO)
  photo = images.read(tmp_path / "photo.tif")
  loaded = Image.Exif()
  loaded.load(photo.exif)
  assert loaded[MAKE] == "Jax"
  assert loaded.get_ifd(EXIF)[MAKER_NOTE] == NOTE
  assert loaded.get_ifd(GPS)[1] == "N"
  assert photo.xmp == XMP
  images.write(tmp_path / "again.tif", photo)
  assert images.read(tmp_path / "again.tif").exif == photo.exif


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".avif"])
def test_grey_photos_keep_their_metadata(tmp_path, suffix):
  path = tmp_path / f"photo{suffix}"
  pixels = np.dstack([GREY] * 3)
  images.write(path, images.Photo(pixels, grey=True, exif=KEPT, xmp=XMP))
  photo = images.read(path)
  assert photo.grey and photo.exif and photo.xmp == XMP


def test_a_tiff_s_layout_is_no_metadata():
  assert (
    images.read(encode(Image.fromarray(RGB), "TIFF", dpi=(9, 9))).exif is None
  )


def test_interoperability_returns_through_a_tiff(tmp_path):
  inner = {
    0xA005: {1: Field(2, b"R98\0")},
    0x829A: Field(5, struct.pack(">II", 1, 250)),
  }
  fields = {ARTIST: Field(2, "Zoë\0".encode()), EXIF: inner}
  photo = images.Photo(RGB, exif=directories.structure(fields))
  images.write(tmp_path / "photo.tif", photo)
  assert images.read(tmp_path / "photo.tif").exif == photo.exif
  with Image.open(tmp_path / "photo.tif") as image:
    assert image.getexif().get_ifd(EXIF)[0x829A] == 1 / 250
    assert image.getexif().get_ifd(0xA005)[1] == "R98"


def test_a_tiff_whose_values_lie_over_each_other_is_bounded():
  fields = {tag: Field(7, bytes(2**20)) for tag in range(40091, 40096)}
  file = bytearray(directories.structure(fields))
  # All five claim four times as much.
  for tag in fields:
    place = file.index(struct.pack(">HH", tag, 7)) + 4
    struct.pack_into(">II", file, place, 2**22, 100)
  with pytest.raises(ValueError, match="values of more than"):
    directories.parse(bytes(file))


def test_exif_of_a_bigtiff_is_told():
  file = encode(Image.fromarray(RGB), "TIFF", big_tiff=True, artist="Zoe")
  (note,) = images.read(file).notes
  assert "a BigTIFF's is not read" in note
  file = encode(Image.fromarray(RGB), "TIFF", big_tiff=True)
  assert images.read(file).notes == ()


def test_text_chunks_of_other_programs_hold_exif_and_xmp():
  digits = "\nexif\n{}\n{}\n"
  exif_text = digits.format(len(STORED) + 6, (b"Exif\0\0" + STORED).hex())
  xmp_text = digits.format(len(XMP), XMP.hex())
  photo = images.read(
    _png_text(
      Raw_profile_type_exif=exif_text,
      Raw_profile_type_xmp=xmp_text,
    )
  )
  assert photo.exif == KEPT and photo.xmp == XMP


def test_damaged_exif_is_left_out_and_told():
  file = encode(Image.fromarray(RGB), exif=b"Exif\0\0II*\0garbage")
  photo = images.read(file)
  assert photo.exif is None
  assert photo.notes == (
    "damaged EXIF was left out (a directory lies outside)",
  )


@pytest.mark.parametrize("name", ["exif", "xmp"])
def test_metadata_above_the_limit_is_left_out_and_told(name):
  large = KEPT.ljust(MAX_BYTES + 1, b"\0")
  file = encode(Image.new("RGB", (2, 2)), "WEBP", **{name: large})
  photo = images.read(file)
  assert getattr(photo, name) is None
  (note,) = photo.notes
  assert note.startswith(f"{name.upper()} of 16777217 bytes, more than")


ORIENTED = [
  b'<a tiff:Orientation="6"/>',
  b"<a tiff:Orientation='6'/>",
  b'<a tiff:Orientation = "6"/>',
  b"<tiff:Orientation>\n6\n</tiff:Orientation>",
  b'<a xmlns:t="http://ns.adobe.com/tiff/1.0/" t:Orientation="6"/>',
]


@pytest.mark.parametrize("packet", ORIENTED)
@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG", "text", "TIFF"])
def test_an_orientation_in_xmp_alone_is_applied_and_becomes_1(kind, packet):
  if kind == "text":
    digits = f"\nxmp\n{len(packet)}\n{packet.hex()}\n"
    file = _png_text(Raw_profile_type_xmp=digits)
  elif kind == "PNG":
    info = PngImagePlugin.PngInfo()
    info.add(b"iTXt", b"XML:com.adobe.xmp" + bytes(5) + packet)
    file = encode(Image.fromarray(RGB), pnginfo=info)
  else:
    options = {"tiffinfo": {700: packet}} if kind == "TIFF" else {"xmp": packet}
    file = encode(Image.fromarray(RGB), kind, **options)
  photo = images.read(file)
  assert photo.pixels.shape == (4, 6, 3)
  assert photo.xmp == packet.replace(b"6", b"1")


def test_exif_s_orientation_counts_before_that_of_xmp():
  options = {"exif": make_exif(orientation=3), "xmp": ORIENTED[0]}
  photo = images.read(
    encode(Image.fromarray(RGB), "WEBP", lossless=True, **options)
  )
  np.testing.assert_array_equal(photo.pixels, RGB[::-1, ::-1])


@pytest.mark.parametrize("packet", ORIENTED)
def test_an_avif_is_turned_by_its_properties_alone(packet):
  # MIAF, ISO/IEC 23000-22, 7.3.6.7: irot and imir alone.
  photo = images.read(encode(Image.fromarray(RGB), "AVIF", xmp=packet))
  assert photo.pixels.shape == RGB.shape
  assert photo.xmp == packet.replace(b"6", b"1")


@pytest.mark.parametrize(
  ("kind", "count"), [(3, 2), (3, 196_609), (4, 1), (99, 1), (1, 1)]
)
def test_an_orientation_of_any_type_is_applied_and_becomes_1(kind, count):
  stored = bytearray(make_exif())
  place = stored.index(struct.pack("<HHI", 274, 3, 1))
  struct.pack_into("<HHIHH", stored, place, 274, kind, count, 6, 0)
  photo = images.read(encode(Image.fromarray(RGB), exif=bytes(stored)))
  assert photo.pixels.shape == (4, 6, 3)
  assert photo.exif == KEPT


def test_exif_behind_the_pixels_of_a_png_is_kept_and_applied():
  file = encode(Image.fromarray(RGB))
  photo = images.read(file[:-12] + make_chunk(b"eXIf", STORED) + file[-12:])
  assert photo.pixels.shape == (4, 6, 3) and photo.exif == KEPT


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_no_memory_to_turn_a_picture_is_no_picture(monkeypatch, kind):
  def refuse(*args):
    raise MemoryError

  file = encode(Image.fromarray(RGB), kind, exif=b"Exif\0\0" + STORED)
  monkeypatch.setattr("PIL.Image.Image.transpose", refuse)
  with pytest.raises(MemoryError):
    images.read(file)


@pytest.mark.parametrize("name", ["exif", "xmp"])
def test_a_bmp_that_would_lose_metadata_is_refused(tmp_path, name):
  photo = PHOTO._replace(exif=None, xmp=None)._replace(**{name: KEPT})
  with pytest.raises(
    JaxlicError, match="BMP cannot hold .* write .png, or strip"
  ):
    images.write(tmp_path / "photo.bmp", photo)


@pytest.mark.parametrize(("name", "most"), [("exif", 65_527), ("xmp", 65_504)])
def test_a_jpeg_takes_as_much_metadata_as_a_segment_holds(tmp_path, name, most):
  photo = images.Photo(RGB, **{name: KEPT.ljust(most, b" ")})
  images.write(tmp_path / "photo.jpg", photo)
  assert getattr(images.read(tmp_path / "photo.jpg"), name)
  more = images.Photo(RGB, **{name: KEPT.ljust(most + 1, b" ")})
  with pytest.raises(JaxlicError, match=f"at most {most} bytes, .*write .png"):
    images.write(tmp_path / "more.jpg", more)


@pytest.mark.parametrize("suffix", [".avif", ".tif"])
def test_damaged_exif_is_not_written(tmp_path, suffix):
  with pytest.raises(JaxlicError, match="cannot hold this photo"):
    images.write(tmp_path / f"a{suffix}", images.Photo(RGB, exif=b"garbage"))
