import numpy as np
import pytest
from PIL import Image

from jaxlic.data import images
from jaxlic.errors import JaxlicError
from tests.data.images.image_files import (
  GRAY,
  GREY,
  RGB,
  encode,
  make_chunk,
  make_png,
  make_tiff,
)


def _deep_png(samples):
  """16-bit RGB from an array [H W 3]."""
  raw = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
  height, width, _ = samples.shape
  return make_png(width, height, bits=16, colour=2, raw=raw)


def _deep_avif():
  """An AVIF whose av1C claims 10 bits; it need not decode."""
  file = bytearray(encode(Image.fromarray(RGB), "AVIF"))
  file[file.index(b"av1C") + 6] |= 0x40
  depths = file.index(b"pixi") + 9
  file[depths : depths + 3] = bytes([10, 10, 10])
  return bytes(file)


def test_deep_grey_is_rounded_to_the_nearest():
  # 128 is the first sample past 0.5: 128 / 65535 * 255 = 0.498, 129: 0.502.
  samples = np.array([[0, 128, 129, 32767, 32768, 65535]], np.uint16)
  photo = images.read(encode(Image.fromarray(samples)), reduce_depth=True)
  assert photo.pixels[0, :, 0].tolist() == [0, 0, 1, 127, 128, 255]
  assert photo.grey


def test_deep_grey_is_turned_upright():
  exif = Image.Exif()
  exif[274] = 6
  file = encode(Image.fromarray(np.zeros((6, 4), np.uint16)), exif=exif)
  assert images.read(file, reduce_depth=True).pixels.shape == (4, 6, 3)


def test_deep_grey_keeps_its_profile():
  samples = Image.fromarray(np.zeros((4, 4), np.uint16))
  file = encode(samples, icc_profile=GRAY)
  assert images.read(file, reduce_depth=True).icc_profile == GRAY


def test_deep_grey_where_white_is_zero_is_inverted():
  file = make_tiff(b"\0\0\xff\xff", 2, photometric=0, bits=(16,))
  photo = images.read(file, reduce_depth=True)
  assert photo.pixels[0, :, 0].tolist() == [255, 0]


def test_twelve_bits_reach_white():
  file = make_tiff(b"\xff\xff\xff", 2, photometric=1, bits=(12,))
  assert (images.read(file, reduce_depth=True).pixels == 255).all()


def test_deep_colour_is_reduced():
  photo = images.read(_deep_png(RGB.astype(np.uint16) * 257), reduce_depth=True)
  np.testing.assert_array_equal(photo.pixels, RGB)


def test_floating_point_is_taken_from_zero_to_one():
  file = encode(Image.fromarray(np.float32([[0, 0.5, 1]])), "TIFF")
  photo = images.read(file, reduce_depth=True)
  assert photo.pixels[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize(
  "samples", [np.float32([[0, 1.5]]), np.float32([[np.nan]]), np.int32([[-1]])]
)
def test_samples_without_a_scale_are_refused(samples):
  file = encode(Image.fromarray(samples), "TIFF")
  with pytest.raises(JaxlicError, match="samples must be in"):
    images.read(file, reduce_depth=True)


@pytest.mark.parametrize(
  ("file", "bits"),
  [
    (encode(Image.fromarray(GREY.astype(np.uint16))), 16),
    (_deep_png(RGB.astype(np.uint16)), 16),
    (make_tiff(bytes(6), 1, photometric=2, bits=(16, 16, 16)), 16),
    (encode(Image.fromarray(GREY.astype(np.int32)), "TIFF"), 32),
    (encode(Image.fromarray(GREY.astype(np.float32)), "TIFF"), 32),
    (b"P6 1 1 65535\n" + bytes(6), 16),
    (b"P5 1 1 4095\n" + bytes(2), 16),
    (_deep_avif(), 10),
  ],
)
def test_deep_samples_are_never_reduced_in_silence(file, bits):
  with pytest.raises(JaxlicError, match=f"here {bits}; .*--reduce-depth"):
    images.read(file)


def test_a_transparent_colour_of_16_bits_is_refused():
  key = make_chunk(b"tRNS", bytes(2))
  file = make_png(1, 1, bits=16, colour=0, raw=bytes(3), extra=key)
  with pytest.raises(JaxlicError, match="transparent colour"):
    images.read(file, reduce_depth=True)


@pytest.mark.parametrize(
  ("data", "size", "options", "wanted"),
  [
    # 16 bits of white and black, twice, where white is zero: the last is cut.
    (b"\0\0\xff\xff" * 8, (2, 8), {"photometric": 0, "bits": (16,)}, [255, 0]),
    (
      b"\xff\xff\xff" * 8,
      (2, 8),
      {"photometric": 1, "bits": (12,)},
      [255, 255],
    ),
    (
      np.ones(16, "<f4").tobytes(),
      (2, 8),
      {"photometric": 1, "bits": (32,), "extra": {339: (3,)}},
      [255, 255],
    ),
  ],
)
def test_the_rest_of_a_deep_tiff_has_its_greys(data, size, options, wanted):
  file = make_tiff(data, *size, **options)
  photo = images.read(file[:-6], reduce_depth=True, salvage=True)
  assert photo.pixels[0, :, 0].tolist() == wanted
  assert photo.pixels.shape == (8, 2, 3) and len(photo.notes) == 1


def test_unsigned_samples_of_32_bits_are_named_as_they_are():
  file = make_tiff(b"\xff" * 4, 1, photometric=1, bits=(32,))
  with pytest.raises(JaxlicError, match="got 4.29497e\\+09.."):
    images.read(file, reduce_depth=True)
