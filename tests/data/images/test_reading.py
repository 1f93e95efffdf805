import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from jaxlic.data import images
from jaxlic.errors import JaxlicError
from tests.data.images.image_files import (
  GRAY,
  GREY,
  RGB,
  SRGB,
  SWAPPED,
  encode,
  make_chunk,
)

LOSSLESS = ("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {}), ("BMP", {})


def _cmyk_profile():
  """An ICC profile by hand: black ink lowers L*, other inks do nothing."""
  identity = struct.pack(
    ">9i", *(65536 * i for i in (1, 0, 0, 0, 1, 0, 0, 0, 1))
  )
  ramp = bytes(range(256))
  lut = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + identity
  lut += 4 * ramp + 8 * bytes([255, 128, 128, 0, 128, 128]) + 3 * ramp
  d50 = bytes.fromhex("0000f6d6000100000000d32d")
  size = 128 + 4 + 12 + len(lut)
  header = struct.pack(">I", size) + b"lcms" + bytes.fromhex("02400000")
  header += b"prtrCMYKLab " + bytes(12) + b"acsp" + bytes(28) + d50
  header = header.ljust(128, b"\0")
  return header + struct.pack(">I4sII", 1, b"A2B0", 144, len(lut)) + lut


@pytest.mark.parametrize(("kind", "options"), LOSSLESS)
def test_lossless_files_give_their_pixels(kind, options):
  photo = images.read(encode(Image.fromarray(RGB), kind, **options))
  np.testing.assert_array_equal(photo.pixels, RGB)
  assert not photo.grey


@pytest.mark.parametrize("kind", ["JPEG", "AVIF"])
def test_lossy_files_give_nearly_their_pixels(kind):
  flat = Image.new("RGB", (32, 32), (200, 100, 50))
  photo = images.read(encode(flat, kind, quality=95))
  # One step of 8-bit YCbCr moves a channel by up to 2.
  np.testing.assert_allclose(photo.pixels[5, 5], (200, 100, 50), atol=3)


def test_a_path_and_its_bytes_give_the_same(tmp_path):
  path = tmp_path / "a b ü.png"
  path.write_bytes(encode(Image.fromarray(RGB)))
  for source in (path, str(path)):
    np.testing.assert_array_equal(images.read(source).pixels, RGB)


def test_pixels_may_be_written_to():
  images.read(encode(Image.fromarray(RGB))).pixels[0, 0, 0] = 1


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_grey_files_give_three_equal_channels(kind):
  photo = images.read(encode(Image.fromarray(GREY), kind))
  np.testing.assert_array_equal(photo.pixels, np.dstack([GREY] * 3))
  assert photo.grey


def test_files_of_one_bit_are_black_and_white():
  photo = images.read(encode(Image.fromarray(GREY > 127)))
  np.testing.assert_array_equal(photo.pixels[..., 0], 255 * (GREY > 127))
  assert photo.grey


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_palettes_are_expanded(kind):
  palette = Image.fromarray(RGB).quantize(256)
  photo = images.read(encode(palette, kind))
  np.testing.assert_array_equal(photo.pixels, palette.convert("RGB"))
  assert not photo.grey


# The corner that holds the first stored pixel, after TIFF 6.0, tag 274.
@pytest.mark.parametrize(
  ("orientation", "corner"),
  [
    (1, (0, 0)),
    (2, (0, -1)),
    (3, (-1, -1)),
    (4, (-1, 0)),
    (5, (0, 0)),
    (6, (0, -1)),
    (7, (-1, -1)),
    (8, (-1, 0)),
  ],
)
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_exif_orientation_is_applied(kind, orientation, corner):
  exif = Image.Exif()
  exif[274] = orientation
  photo = images.read(encode(Image.fromarray(RGB), kind, exif=exif))
  assert photo.pixels.shape == ((6, 4, 3) if orientation < 5 else (4, 6, 3))
  np.testing.assert_array_equal(photo.pixels[corner], RGB[0, 0])


def test_damaged_exif_leaves_the_image_readable():
  file = encode(Image.fromarray(RGB), "PNG", exif=b"Exif\0\0II*\0garbage")
  np.testing.assert_array_equal(images.read(file).pixels, RGB)


def test_cmyk_is_converted():
  photo = images.read(
    encode(Image.new("CMYK", (4, 4), (0, 255, 255, 0)), "TIFF")
  )
  assert (photo.pixels == [255, 0, 0]).all()


def test_cmyk_is_converted_through_its_profile():
  image = Image.new("CMYK", (4, 4), (9, 99, 0, 127))
  photo = images.read(encode(image, "TIFF", icc_profile=_cmyk_profile()))
  # L* = 50.2 is Y = 0.1857, and 119 in sRGB (IEC 61966-2-1); one for rounding.
  np.testing.assert_allclose(photo.pixels, np.full((4, 4, 3), 119), atol=1)
  assert photo.icc_profile is None


def test_cmyk_with_a_damaged_profile_is_refused():
  file = encode(
    Image.new("CMYK", (4, 4)), "TIFF", icc_profile=_cmyk_profile()[:140]
  )
  with pytest.raises(JaxlicError, match="CMYK profile: damaged"):
    images.read(file)


@pytest.mark.parametrize(
  ("mode", "profile", "kept"),
  [
    ("RGB", SRGB, True),
    ("P", SRGB, True),
    ("L", GRAY, True),
    ("L", SRGB, False),
    ("RGB", GRAY, False),
    ("RGB", b"short", False),
  ],
)
def test_only_a_profile_of_the_pixels_is_kept(mode, profile, kept):
  file = encode(Image.fromarray(RGB).convert(mode), icc_profile=profile)
  assert images.read(file).icc_profile == (profile if kept else None)


@pytest.mark.parametrize(
  ("mode", "profile"), [("L", SWAPPED), ("RGB", GRAY), ("RGB", b"short")]
)
def test_a_profile_left_out_is_told(mode, profile):
  file = encode(Image.fromarray(RGB).convert(mode), icc_profile=profile)
  (note,) = images.read(file).notes
  assert "ICC profile" in note and "left out" in note


@pytest.mark.parametrize(("mode", "profile"), [("L", SRGB), ("RGB", SRGB)])
def test_a_profile_that_says_nothing_new_is_not_told(mode, profile):
  file = encode(Image.fromarray(RGB).convert(mode), icc_profile=profile)
  assert images.read(file).notes == ()


def _png_with_iccp(content):
  file = encode(Image.fromarray(RGB))
  return file[:33] + make_chunk(b"iCCP", b"x\0\0" + content) + file[33:]


@pytest.mark.parametrize("lost", [4, 20, 100, 300])
def test_a_cut_profile_is_left_out_and_told(lost):
  photo = images.read(_png_with_iccp(zlib.compress(SWAPPED)[:-lost]))
  kept = photo.icc_profile == SWAPPED
  assert kept or photo.icc_profile is None
  assert photo.notes == (
    () if kept else ("a damaged ICC profile was left out",)
  )


def test_garbage_in_the_place_of_a_profile_is_told():
  photo = images.read(_png_with_iccp(b"garbage"))
  assert photo.notes == ("a damaged ICC profile was left out",)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "TIFF"])
def test_a_profile_of_zeros_is_left_out_and_told(kind):
  broken = SWAPPED[:200].ljust(len(SWAPPED), b"\0")
  file = encode(Image.fromarray(RGB), kind, icc_profile=broken)
  photo = images.read(file)
  assert photo.icc_profile is None
  assert photo.notes == ("a damaged ICC profile was left out",)
