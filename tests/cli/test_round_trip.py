from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from jaxlic import files
from tests.cli.conftest import noise

pytestmark = pytest.mark.newest

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def round_trip(run, model, source, *, suffix=".png"):
  middle = Path(source).with_suffix(".jlic")
  target = Path(source).with_name(f"out{suffix}")
  run("compress", source, middle, "--model", model, "--quality", 5.5)
  run("decompress", middle, target, "--model", model)
  with Image.open(target) as image:
    image.load()
  return image


def test_rgb_comes_back_as_the_library_decodes_it(run, model, png, jlic):
  data = files.compress(noise(48, 48, 3), quality=5.5, model=model)
  shown = round_trip(run, model, png)
  assert shown.mode == "RGB"
  np.testing.assert_array_equal(shown, files.decompress(data, model=model))


def test_grey_comes_back_grey(run, model, tmp_path):
  Image.fromarray(noise(48, 48)).save(tmp_path / "in.png")
  assert round_trip(run, model, tmp_path / "in.png").mode == "L"


def test_one_pixel_comes_back(run, model, tmp_path):
  Image.fromarray(noise(1, 1, 3)).save(tmp_path / "in.png")
  assert round_trip(run, model, tmp_path / "in.png").size == (1, 1)


def test_the_icc_profile_is_kept(run, model, tmp_path):
  Image.fromarray(noise(48, 48, 3)).save(
    tmp_path / "in.png", icc_profile=PROFILE
  )
  shown = round_trip(run, model, tmp_path / "in.png")
  assert shown.info["icc_profile"] == PROFILE


def test_exif_orientation_is_applied(run, model, tmp_path):
  exif = Image.Exif()
  exif[0x0112] = 6  # EXIF 2.3: row 0 is the right side, so the image is turned
  Image.fromarray(noise(40, 48, 3)).save(tmp_path / "in.jpg", exif=exif)
  shown = round_trip(run, model, tmp_path / "in.jpg")
  assert shown.size == (40, 48) and shown.getexif().get(0x0112, 1) == 1


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_jpeg_and_webp_are_read_and_written(run, model, tmp_path, suffix):
  Image.fromarray(noise(48, 48, 3)).save(tmp_path / f"in{suffix}")
  shown = round_trip(run, model, tmp_path / f"in{suffix}", suffix=suffix)
  assert shown.size == (48, 48)


def test_exif_and_xmp_come_back_unless_they_are_stripped(run, model, tmp_path):
  exif = Image.Exif()
  exif[0x010F] = "Maker"
  exif[0x0112] = 6
  packet = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>sky</x:xmpmeta>"
  source, middle = tmp_path / "in.jpg", tmp_path / "a.jlic"
  Image.fromarray(noise(40, 48, 3)).save(source, exif=exif, xmp=packet)
  words = "compress", source, middle, "--model", model

  def shown(*flags):
    run("decompress", middle, tmp_path / "a.png", "--model", model, *flags)
    with Image.open(tmp_path / "a.png") as image:
      tags = dict(image.getexif())
      return tags.get(0x010F), tags.get(0x0112, 1), image.info.get("xmp")

  run(*words)
  assert shown() == ("Maker", 1, packet)
  assert shown("--strip") == (None, 1, None)
  run(*words, "--strip")
  assert shown() == (None, 1, None)
