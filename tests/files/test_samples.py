import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxlic.coding import container
from jaxlic.errors import JaxlicError
from jaxlic.files.samples import samples_of

RGB = np.random.default_rng(1).integers(0, 256, (6, 7, 3), np.uint8)
RGB[0, 0], RGB[0, 1] = 0, 255
GREY = RGB[..., 0]
FLOATS = RGB / np.float32(255)
DEEP = RGB.astype(np.uint16) * 257


@pytest.mark.parametrize(
  "image",
  [RGB, RGB.tolist(), jnp.asarray(RGB), memoryview(RGB), Image.fromarray(RGB)],
  ids=["numpy", "lists", "jax", "memoryview", "pil"],
)
def test_what_numpy_makes_bytes_of_is_taken(image):
  # NumPy has no bytes for lists.
  image = np.uint8(image) if isinstance(image, list) else image
  np.testing.assert_array_equal(samples_of(image), RGB)


# What an error says to do gives the picture that is meant.


def test_the_way_out_of_deep_samples_gives_their_picture():
  with pytest.raises(JaxlicError, match="divide by 257 and round if 65535 is"):
    samples_of(DEEP)
  np.testing.assert_array_equal(np.round(DEEP / 257).astype(np.uint8), RGB)


def test_the_way_out_of_floats_to_1_gives_their_picture():
  with pytest.raises(JaxlicError, match="; multiply by 255 and round"):
    samples_of(FLOATS)
  np.testing.assert_array_equal(np.round(FLOATS * 255).astype(np.uint8), RGB)


def test_the_way_out_of_truth_values_is_black_and_white():
  with pytest.raises(JaxlicError, match=re.escape("astype(np.uint8) * 255")):
    samples_of(GREY > 127)
  shown = (GREY > 127).astype(np.uint8) * 255
  np.testing.assert_array_equal(shown, np.where(GREY > 127, 255, 0))


def test_the_way_out_of_channels_first_gives_their_picture():
  planes = np.ascontiguousarray(RGB.transpose(2, 0, 1))
  with pytest.raises(JaxlicError, match=re.escape("moveaxis(image, 0, -1)")):
    samples_of(planes)
  np.testing.assert_array_equal(np.moveaxis(planes, 0, -1), RGB)


@pytest.mark.parametrize(
  ("image", "match"),
  [
    (FLOATS, "got float32 (6, 7, 3); multiply by 255 and round"),
    (FLOATS.astype("f8"), "got float64 (6, 7, 3); multiply by 255 and round"),
    (FLOATS.astype("f2"), "got float16 (6, 7, 3); multiply by 255 and round"),
    (
      jnp.asarray(FLOATS, "bfloat16"),
      "got bfloat16 (6, 7, 3); multiply by 255",
    ),
    (RGB.astype("f4"), "got float32 (6, 7, 3); round and convert to uint8"),
    (2 * FLOATS - 1, "its values are -1..1: scale them to 0..255, round"),
    (257 * RGB.astype("f4"), "its values are 0..65535: scale them to 0..255"),
    (FLOATS * np.nan, "its values are nan..nan: scale them"),
    (RGB.astype("i8"), "got int64 (6, 7, 3); pass image.astype(np.uint8)"),
    (
      RGB.astype("u2"),
      "got uint16 (6, 7, 3); divide by 257 and round if 65535",
    ),
    (RGB.astype("u2"), "if 255 is, pass image.astype(np.uint8)"),
    (DEEP.astype("i4"), "got int32 (6, 7, 3); divide by 257 and round if"),
    (RGB.astype("i2") - 128, "its values are -128..127: scale them"),
    (DEEP.astype("i4") * 2, "its values are 0..131070: scale them"),
  ],
)
def test_samples_of_another_type_are_told_how_to_become_bytes(image, match):
  _refused(image, match)


@pytest.mark.parametrize(
  ("image", "match"),
  [
    (RGB[..., [0, 1, 2, 2]], "got uint8 (6, 7, 4); pass it without alpha, as"),
    (RGB[..., :1], "got uint8 (6, 7, 1); pass grey as image[..., 0]"),
    (RGB[..., :2], "got uint8 (6, 7, 2); pass one image, without alpha"),
    (RGB[None], "got uint8 (1, 6, 7, 3); pass one image, such as images[0]"),
    (GREY[None], "got uint8 (1, 6, 7); pass one image, as image[0]"),
    (RGB[0, 0], "got uint8 (3,); pass rows of pixels"),
    (np.uint8(3), "got uint8 (); pass rows of pixels"),
    (RGB[:0], "got uint8 (0, 7, 3); an image has at least one pixel"),
    (GREY[:, :0], "got uint8 (6, 0); an image has at least one pixel"),
    (FLOATS[:0], "got float32 (0, 7, 3); an image has at least one pixel"),
  ],
)
def test_samples_of_another_shape_are_told_how_to_become_an_image(image, match):
  _refused(image, match)


class Tensor:
  """What PyTorch's does that needs a gradient, or lies on a device."""

  def __init__(self, error):
    self.error = error

  def detach(self):
    return self

  def __array__(self, *_, **__):
    raise self.error


@pytest.mark.parametrize(
  ("image", "match"),
  [
    ("a.png", "got the path 'a.png'; use jaxlic.compress_file, or open it"),
    (Path("a.png"), "got the path 'a.png'; use jaxlic.compress_file, or open"),
    (b"\x89PNG\r\n", "got bytes of a file; open them with PIL.Image.open(io"),
    (bytearray(b"\xff\xd8"), "got bytes of a file; open them with PIL"),
    (
      container.MAGIC + b"\1",
      "of a .jlic file, which is compressed; jaxlic.de",
    ),
    (None, "got NoneType, no array of real numbers; open a file with PIL"),
    (object(), "got object, no array of real numbers; open a file with PIL"),
    (RGB * 1j, "got ndarray, no array of real numbers"),
    (np.array(["1"]), "got ndarray, no array of real numbers"),
    ([[1, 2], [3]], "got list, no array"),
    (
      Tensor(TypeError("cuda:0")),
      "no array (cuda:0); pass tensor.detach().cpu",
    ),
    (Tensor(RuntimeError("requires grad")), "pass tensor.detach().cpu().numpy"),
  ],
)
def test_what_is_no_array_is_told_what_takes_it(image, match):
  _refused(image, match)


def test_an_open_file_is_no_array():
  with open(__file__, "rb") as file:
    _refused(file, "got BufferedReader, no array of real numbers; open a file")


def test_a_traced_array_is_for_outside_of_jit():
  with pytest.raises(JaxlicError, match="; call this outside of jax.jit"):
    jax.jit(samples_of)(RGB)


def _refused(image, match):
  with pytest.raises(JaxlicError, match=re.escape(match)) as error:
    samples_of(image)
  assert "\n" not in str(error.value)


class _Refusing:
  def __array__(self, *_, **__):
    raise AttributeError("no such thing")


@pytest.mark.parametrize(
  "image",
  [
    np.zeros((4, 4), [("r", "u1"), ("g", "u1")]),
    np.zeros((4, 4), [("r", "u1")]),
    np.zeros((4, 4), "V3"),
    _Refusing(),
  ],
  ids=["records", "record", "void", "refusing"],
)
def test_what_is_no_array_of_numbers_is_refused(image):
  with pytest.raises(JaxlicError, match="no array"):
    samples_of(image)


def test_the_largest_floats_are_told_without_a_warning():
  with pytest.raises(JaxlicError, match=re.escape("0..1e+300: scale them")):
    samples_of(np.array([[0.0, 1e300]]))
