import numpy as np
import pytest
from PIL import Image

from jaxlic.data import images
from jaxlic.errors import JaxlicError
from tests.data.images.image_files import GRAY, GREY, RGB, SRGB


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif", ".TIFF", ".bmp"])
def test_lossless_formats_return_what_was_written(tmp_path, suffix):
  path = tmp_path / f"photo{suffix}"
  images.write(path, images.Photo(RGB))
  np.testing.assert_array_equal(images.read(path).pixels, RGB)


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".avif"])
def test_lossy_formats_keep_their_chroma(tmp_path, suffix):
  # Columns of pure red and blue would mix into violet under 4:2:0.
  pixels = np.zeros((32, 32, 3), np.uint8)
  pixels[:, ::2, 0] = pixels[:, 1::2, 2] = 255
  path = tmp_path / f"photo{suffix}"
  images.write(path, images.Photo(pixels))
  error = images.read(path).pixels.astype(int) - pixels
  assert np.abs(error).mean() < 10


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".avif", ".bmp"])
def test_grey_photos_are_written_with_one_channel(tmp_path, suffix):
  path = tmp_path / f"photo{suffix}"
  images.write(path, images.Photo(np.dstack([GREY] * 3), grey=True))
  assert images.read(path).grey
  with Image.open(path) as image:
    assert image.mode == "L"


def test_grey_pixels_return_what_was_written(tmp_path):
  ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
  path = tmp_path / "ramp.png"
  images.write(path, images.Photo(np.dstack([ramp] * 3), grey=True))
  np.testing.assert_array_equal(images.read(path).pixels[..., 2], ramp)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".avif"])
def test_the_profile_is_written(tmp_path, suffix):
  path = tmp_path / f"photo{suffix}"
  images.write(path, images.Photo(RGB, icc_profile=SRGB))
  assert images.read(path).icc_profile == SRGB


def test_the_grey_profile_is_written(tmp_path):
  photo = images.Photo(np.dstack([GREY] * 3), grey=True, icc_profile=GRAY)
  images.write(tmp_path / "grey.png", photo)
  assert images.read(tmp_path / "grey.png").icc_profile == GRAY


@pytest.mark.parametrize(
  ("name", "grey", "profile"),
  [("a.bmp", False, SRGB), ("a.bmp", True, GRAY), ("a.webp", True, GRAY)],
)
def test_a_profile_is_never_lost_in_silence(tmp_path, name, grey, profile):
  photo = images.Photo(np.dstack([GREY] * 3), grey, profile)
  with pytest.raises(JaxlicError, match="cannot hold this photo's ICC profile"):
    images.write(tmp_path / name, photo)


@pytest.mark.parametrize("name", ["photo", "photo.xyz", "photo.jlic"])
def test_an_unknown_suffix_is_refused(tmp_path, name):
  with pytest.raises(JaxlicError, match="cannot write the suffix.*use .png"):
    images.write(tmp_path / name, images.Photo(RGB))


def test_pixels_that_are_not_8_bits_are_refused(tmp_path):
  photo = images.Photo(RGB.astype(np.float32))
  with pytest.raises(JaxlicError, match=r"uint8 \[H W 3\], got float32"):
    images.write(tmp_path / "photo.png", photo)


def test_a_photo_past_the_limits_of_its_format_is_refused(tmp_path):
  wide = images.Photo(np.zeros((1, 16384, 3), np.uint8))
  with pytest.raises(JaxlicError, match="WEBP cannot hold.*write .png"):
    images.write(tmp_path / "wide.webp", wide)


def test_a_photo_target_is_judged_before_there_is_a_photo(tmp_path):
  path = tmp_path / "photo.PNG"
  assert images.check_photo_target(path) == path.resolve()
  with pytest.raises(
    JaxlicError, match="picture by jaxlic ends in .png, .*got '.xyz'"
  ):
    images.check_photo_target(tmp_path / "photo.xyz")
  with pytest.raises(JaxlicError, match="is a folder; add a file name"):
    images.check_photo_target(tmp_path)
