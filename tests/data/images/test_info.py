import io
import struct

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from jaxlic.data import images
from jaxlic.errors import JaxlicError
from tests.data.images.image_files import RGB, encode, make_tiff

SHORT, FLOAT = 3, 11
# Types of TIFF 6.0, section 2, that are no bytes: text, short, rational, float.
TYPES = [2, 3, 5, 11]


def _tiff(tag, kind, values=(5,)):
  """A TIFF of one pixel, one tag of which has another type."""
  file = bytearray(
    make_tiff(bytes(3), 1, photometric=2, bits=(8,) * 3, extra={tag: values})
  )
  for place in range(10, 10 + 12 * file[8], 12):
    if struct.unpack_from("<H", file, place) == (tag,):
      struct.pack_into("<H", file, place + 2, kind)
  return bytes(file)


def _decoded(file):
  image = Image.open(io.BytesIO(file))
  image.load()
  return image


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize(
  ("tag", "name"), [(34675, "icc_profile"), (700, "xmp")]
)
def test_a_tag_of_another_type_is_left_out_and_told(tag, name, kind):
  photo = images.read(_tiff(tag, kind))
  (note,) = photo.notes
  assert note.startswith(f"damaged {name} was left out (it must be bytes, and")
  assert getattr(photo, name) is None


def test_xmp_of_two_numbers_is_left_out_and_told():
  (note,) = images.read(_tiff(700, SHORT, (5, 6))).notes
  assert "and is tuple" in note


@pytest.mark.parametrize(
  "tag", [258, 262, 273, 277, 284, 317, 320, 338, 339, 530, 33723, 0x8769]
)
@pytest.mark.parametrize("kind", [*TYPES, 13, 16])
def test_no_type_of_a_tag_is_a_traceback(tag, kind):
  for options in ({}, {"salvage": True}):
    try:
      images.read(_tiff(tag, kind, (2, 2)), reduce_depth=True, **options)
    except JaxlicError as error:
      assert "\n" not in str(error)


@pytest.mark.parametrize(
  ("key", "value"),
  [
    ("exif", Image.Exif()),
    ("xmp", "text"),
    ("xmp", 5),
    ("icc_profile", "text"),
    ("gamma", "text"),
    ("gamma", -1),
    ("gamma", float("nan")),
    ("gamma", 1e9),
    ("chromaticity", (1, 2)),
    ("chromaticity", (-1,) * 8),
    ("transparency", 5),
    ("transparency", b"\0"),
    ("bit_depth", "8"),
    ("photoshop", 5),
    ("nclx_profile", 5),
    ("Raw profile type exif", 5),
  ],
)
def test_info_of_another_type_is_refused_by_name(key, value):
  image = Image.fromarray(RGB)
  image.info[key] = value
  with pytest.raises(JaxlicError, match=rf"image: its info\['{key}'\] must be"):
    images.from_pil(image)


@pytest.mark.parametrize(
  ("tag", "value"), [(271, 1.5), (274, "6"), (306, object()), (0x8769, 5)]
)
def test_exif_that_python_cannot_store_is_left_out_and_told(tag, value):
  image = Image.fromarray(RGB)
  image.getexif()[tag] = value
  photo = images.from_pil(image)
  np.testing.assert_array_equal(photo.pixels, RGB)
  assert photo.notes[0].startswith("damaged EXIF was left out")


@pytest.mark.parametrize("tag", [271, 315])
@pytest.mark.parametrize("kind", [5, 11])
def test_numbers_in_the_place_of_text_are_left_out_and_told(tag, kind):
  (note,) = images.from_pil(_decoded(_tiff(tag, kind))).notes
  assert note.startswith("damaged EXIF was left out")


@pytest.mark.parametrize("name", ["exif", "xmp"])
@pytest.mark.parametrize("load", [False, True])
def test_text_that_is_no_digits_is_left_out_and_told(name, load):
  text = PngImagePlugin.PngInfo()
  text.add_text(f"Raw profile type {name}", f"\n{name}\n4\nzz\n")
  file = encode(Image.fromarray(RGB), pnginfo=text)
  image = _decoded(file) if load else Image.open(io.BytesIO(file))
  (note,) = images.from_pil(image).notes
  assert note.startswith(f"damaged {name.upper()} was left out")


@pytest.mark.parametrize("kind", "PNG JPEG TIFF GIF BMP PPM".split())
def test_an_image_of_a_closed_file_is_to_be_opened_anew(tmp_path, kind):
  path = tmp_path / "photo"
  path.write_bytes(encode(Image.fromarray(RGB), kind))
  with Image.open(path) as image:
    pass
  with pytest.raises(JaxlicError, match="image: its file is closed; open it"):
    images.from_pil(image)


@pytest.mark.parametrize("kind", ["WEBP", "AVIF"])
def test_an_image_that_holds_its_file_outlives_it(tmp_path, kind):
  path = tmp_path / "photo"
  path.write_bytes(encode(Image.fromarray(RGB), kind, lossless=True))
  with Image.open(path) as image:
    pass
  np.testing.assert_array_equal(
    images.from_pil(image).pixels, image.convert("RGB")
  )
