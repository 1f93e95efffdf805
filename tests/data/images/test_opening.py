import warnings

import numpy as np
import pytest
from PIL import Image

from jaxlic.data import images
from jaxlic.errors import JaxlicError
from tests.data.images.image_files import encode, make_png


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF", "PNG", "AVIF"])
def test_several_frames_are_refused(kind):
  frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
  file = encode(frames[0], kind, save_all=True, append_images=frames[1:])
  with pytest.raises(JaxlicError, match="holds 2 frames"):
    images.read(file)


def test_a_phone_jpeg_with_a_second_picture_gives_the_first():
  frames = [Image.new("RGB", (16, 16), colour) for colour in ("white", "black")]
  file = encode(frames[0], "MPO", save_all=True, append_images=frames[1:])
  assert (images.read(file).pixels == 255).all()


@pytest.mark.parametrize(
  "kind", ["PNG", "JPEG", "WEBP", "AVIF", "TIFF", "BMP", "GIF"]
)
@pytest.mark.parametrize("part", [0.02, 0.3, 0.7])
def test_truncated_images_are_refused(kind, part):
  noise = np.random.default_rng(1).integers(0, 256, (40, 50, 3), np.uint8)
  file = encode(Image.fromarray(noise), kind)
  with pytest.raises(JaxlicError, match="damaged") as error:
    images.read(file[: int(part * len(file))])
  assert "\n" not in str(error.value)


def test_a_text_named_png_is_refused(tmp_path):
  path = tmp_path / "notes.png"
  path.write_text("not an image")
  with pytest.raises(JaxlicError, match="notes.png: not an image"):
    images.read(path)


def test_an_empty_file_is_refused(tmp_path):
  path = tmp_path / "empty.png"
  path.touch()
  with pytest.raises(JaxlicError, match="empty, 0 bytes"):
    images.read(path)


def test_a_missing_file_is_refused(tmp_path):
  with pytest.raises(JaxlicError, match="no such file"):
    images.read(tmp_path / "missing.png")


def test_a_folder_is_refused(tmp_path):
  with pytest.raises(JaxlicError, match="is a folder"):
    images.read(tmp_path)


def test_an_unreadable_file_is_refused(tmp_path, monkeypatch):
  # Permissions do not bind root, under which some run the tests.
  def refuse(self):
    raise PermissionError(13, "Permission denied")

  monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
  with pytest.raises(JaxlicError, match="no permission to read"):
    images.read(tmp_path / "secret.png")


@pytest.mark.parametrize("name", ["a\0b.png", "a" * 300 + ".png"])
def test_an_impossible_path_is_refused(name):
  with pytest.raises(JaxlicError, match="cannot read"):
    images.read(name)


@pytest.mark.parametrize("side", [9000, 10_000, 100_000])
def test_an_image_too_large_is_refused_before_decoding(side):
  file = make_png(side, side, bits=8, colour=2, raw=b"")
  with warnings.catch_warnings(record=True) as caught:
    with pytest.raises(JaxlicError, match="at most 67108864 pixels"):
      images.read(file)
  assert not caught


def test_reading_leaves_the_warning_filters_to_the_process():
  # Filters changed by one thread's read would be those of all threads.
  before = list(warnings.filters)
  warned = []
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(
      "jaxlic.data.images.turning.upright",
      lambda image, orientation: warned.append(list(warnings.filters)) or image,
    )
    images.read(make_png(1, 1, bits=8, colour=2, raw=b"\0\0\0\0"))
  assert warned == [before]


def test_an_image_of_no_pixels_is_refused():
  with pytest.raises(JaxlicError, match="not an image|no pixels"):
    images.read(make_png(0, 4, bits=8, colour=2, raw=b""))
