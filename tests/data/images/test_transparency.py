import struct

import numpy as np
import pytest
from PIL import Image

from jaxlic.data import images
from jaxlic.errors import JaxlicError
from tests.data.images.image_files import (
  GRAY,
  GREY,
  RGB,
  SWAPPED,
  encode,
  make_chunk,
  make_png,
)

# Bits per sample, and a transparent grey in them.
KEYS = (1, 1), (2, 2), (2, 3), (4, 7), (4, 15), (8, 200)


def _set_alpha(values):
  return np.dstack([RGB, np.broadcast_to(values, GREY.shape)]).astype(np.uint8)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_opaque_alpha_is_dropped(mode):
  image = Image.fromarray(RGB).convert(mode[:-1]).convert(mode)
  photo = images.read(encode(image))
  np.testing.assert_array_equal(photo.pixels, image.convert("RGB"))
  assert photo.grey == (mode == "LA")


def test_alpha_is_refused_without_a_background():
  file = encode(Image.fromarray(_set_alpha(254)))
  with pytest.raises(
    JaxlicError, match=r"transparent.*background \(--background\)"
  ):
    images.read(file)


@pytest.mark.parametrize("background", ["whit", (255, 255, 255), 255, b"white"])
def test_a_background_is_a_colour_name_or_hexadecimal(background):
  file = encode(Image.fromarray(_set_alpha(254)))
  with pytest.raises(JaxlicError, match="background must be a colour name"):
    images.read(file, background=background)


def test_alpha_is_composited_over_the_background():
  alpha = np.zeros_like(GREY)
  alpha[0] = 255
  file = encode(Image.fromarray(_set_alpha(alpha)))
  photo = images.read(file, background="#0a141e")
  np.testing.assert_array_equal(photo.pixels[0], RGB[0])
  np.testing.assert_array_equal(
    photo.pixels[1:], np.broadcast_to([10, 20, 30], (5, 4, 3))
  )


@pytest.mark.parametrize(
  ("background", "grey"), [("red", False), ("#777", True)]
)
def test_grey_with_alpha_is_grey_over_a_grey_background(background, grey):
  file = encode(Image.new("LA", (4, 4), (100, 128)))
  assert images.read(file, background=background).grey == grey


def test_a_transparent_palette_entry_is_refused():
  palette = Image.fromarray(RGB).quantize(4)
  file = encode(palette, "PNG", transparency=palette.getpixel((0, 0)))
  with pytest.raises(JaxlicError, match="transparent"):
    images.read(file)


def test_a_transparent_colour_is_refused():
  file = encode(Image.new("RGB", (4, 4), "red"), transparency=(255, 0, 0))
  with pytest.raises(JaxlicError, match="transparent"):
    images.read(file)


def _grey_png(bits, *, key, grey):
  """A PNG of one pixel, whose sample fills the first bits of its byte."""
  extra = make_chunk(b"tRNS", struct.pack(">H", key))
  raw = bytes([0, grey << (8 - bits)])
  return make_png(1, 1, bits=bits, colour=0, raw=raw, extra=extra)


@pytest.mark.parametrize(("bits", "key"), KEYS)
def test_a_transparent_grey_of_any_depth_is_refused(bits, key):
  with pytest.raises(JaxlicError, match="transparent pixels"):
    images.read(_grey_png(bits, key=key, grey=key))


@pytest.mark.parametrize(("bits", "key"), KEYS)
def test_a_transparent_grey_of_any_depth_is_composited(bits, key):
  file = _grey_png(bits, key=key, grey=key)
  photo = images.read(file, background="#0a141e")
  assert photo.pixels.tolist() == [[[10, 20, 30]]]


@pytest.mark.parametrize(("bits", "key"), KEYS)
def test_another_grey_of_any_depth_is_opaque(bits, key):
  photo = images.read(_grey_png(bits, key=key, grey=key - 1))
  # PNG 3, 13.12: samples are scaled by the ratio of the largest ones.
  scaled = round((key - 1) * 255 / (2**bits - 1))
  assert photo.pixels.tolist() == [[[scaled] * 3]]


def test_bits_of_a_transparent_grey_beyond_the_depth_count_for_nothing():
  with pytest.raises(JaxlicError, match="transparent pixels"):
    images.read(_grey_png(8, key=0x1C8, grey=0xC8))


def test_an_unused_transparent_colour_is_dropped():
  file = encode(Image.new("RGB", (4, 4), "red"), transparency=(0, 0, 0))
  assert (images.read(file).pixels == [255, 0, 0]).all()


def test_a_background_that_is_no_colour_is_refused():
  file = encode(Image.fromarray(_set_alpha(0)))
  with pytest.raises(JaxlicError, match="got 'nocolour'; try white"):
    images.read(file, background="nocolour")


def _linear_grey(**chunks):
  """Samples 0, 50 and 200 of linear light."""
  extra = make_chunk(b"gAMA", struct.pack(">I", 100_000))
  for name, content in chunks.items():
    extra += make_chunk(name.encode(), content)
  raw = bytes([0, 0, 50, 200])
  return make_png(3, 1, bits=8, colour=0, raw=raw, extra=extra)


def test_grey_of_a_profile_shows_its_greys_over_a_colour():
  photo = images.read(_linear_grey(tRNS=b"\0\xc8"), background="red")
  # IEC 61966-2-1: 1.055 (50/255)**(1/2.4) - 0.055 is 122.6 of 255.
  wanted = [[0, 0, 0], [123, 123, 123], [255, 0, 0]]
  np.testing.assert_allclose(photo.pixels[0], wanted, atol=1)
  assert photo.icc_profile is None and not photo.grey


def test_a_grey_background_is_converted_to_the_picture_s_space():
  photo = images.read(_linear_grey(tRNS=b"\0\xc8"), background="#7b7b7b")
  # The inverse of the above: 123 is 50.4 of 255 of the light.
  np.testing.assert_allclose(photo.pixels[0, :, 0], [0, 50, 50], atol=1)
  assert photo.grey and photo.icc_profile


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_a_stored_profile_counts_under_a_background(mode):
  profile = GRAY if mode == "LA" else SWAPPED
  file = encode(Image.new(mode, (2, 2)), icc_profile=profile)
  photo = images.read(file, background="red")
  # To the other profile red is what it calls green.
  wanted = [255, 0, 0] if mode == "LA" else [0, 255, 0]
  np.testing.assert_allclose(photo.pixels[0, 0], wanted, atol=1)
  assert photo.icc_profile == (None if mode == "LA" else SWAPPED)


@pytest.mark.parametrize("background", ["white", "black"])
@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_white_and_black_backgrounds_are_those_of_the_profile(mode, background):
  profile = GRAY if mode == "LA" else SWAPPED
  file = encode(Image.new(mode, (2, 2)), icc_profile=profile)
  photo = images.read(file, background=background)
  assert (photo.pixels == (255 if background == "white" else 0)).all()
  assert photo.icc_profile == profile
