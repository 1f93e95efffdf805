import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

import jaxlic
from jaxlic import files
from jaxlic.coding import container
from jaxlic.errors import JaxlicError

RGB = np.random.default_rng(1).integers(0, 256, (48, 40, 3), np.uint8)
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
ORIENTATION, MAKE = 0x112, 0x10F


@pytest.fixture
def png(tmp_path):
  """A file with all that a photograph has, turned to the right."""
  path = tmp_path / "in.png"
  exif = Image.Exif()
  exif[ORIENTATION], exif[MAKE] = 6, "Leica"
  info = PngImagePlugin.PngInfo()
  info.add_itxt("XML:com.adobe.xmp", XMP.decode())
  Image.fromarray(RGB).save(path, exif=exif, icc_profile=ICC, pnginfo=info)
  return path


@pytest.fixture
def jlic(png, model):
  path = png.with_suffix(".jlic")
  files.compress_file(png, path, quality=5, model=model)
  return path


def exif_of(data):
  exif = Image.Exif()
  exif.load(data)
  return exif


@pytest.mark.parametrize("kind", [str, Path])
def test_a_file_is_what_compress_makes_of_the_picture(png, model, kind):
  target = png.with_suffix(".jlic")
  written = jaxlic.compress_file(
    kind(png), kind(target), quality=5, model=model, strip=True
  )
  data = target.read_bytes()
  # Orientation 6 is displayed turned to the right.
  shown = Image.fromarray(np.rot90(RGB, -1))
  shown.info["icc_profile"] = ICC
  assert data == jaxlic.compress(shown, quality=5, model=model)
  assert written == (len(data), 8 * len(data) / (40 * 48), 40, 48)


def test_a_file_keeps_profile_exif_and_xmp(jlic):
  kept = container.unpack(jlic.read_bytes())
  assert (kept.version, kept.icc_profile, kept.xmp) == (2, ICC, XMP)
  exif = exif_of(kept.exif)
  assert exif[MAKE] == "Leica" and exif.get(ORIENTATION, 1) == 1


def test_a_stripped_file_keeps_the_profile_alone(png, model):
  target = png.with_suffix(".jlic")
  files.compress_file(png, target, model=model, strip=True)
  kept = container.unpack(target.read_bytes())
  assert (kept.version, kept.icc_profile, kept.exif, kept.xmp) == (
    1,
    ICC,
    None,
    None,
  )


@pytest.mark.parametrize("kind", [str, Path])
def test_what_was_kept_comes_back_in_an_image_file(jlic, model, kind):
  target = jlic.with_suffix(".out.png")
  assert files.decompress_file(kind(jlic), kind(target), model=model) is None
  shown = files.decompress(jlic.read_bytes(), model=model)
  with Image.open(target) as image:
    np.testing.assert_array_equal(image, shown)
    assert image.info["icc_profile"] == ICC
    assert image.info["xmp"] == XMP
    exif = image.getexif()
  assert exif[MAKE] == "Leica" and exif.get(ORIENTATION, 1) == 1


def test_a_quality_map_is_for_codecs_that_take_one(png, model):
  target = png.with_suffix(".jlic")
  with pytest.raises(JaxlicError, match="takes no quality map"):
    files.compress_file(
      png, target, model=model, quality_map=np.zeros((40, 48))
    )


def test_transparency_needs_a_background(png, model):
  target = png.with_suffix(".jlic")
  Image.new("RGBA", (40, 48), (255, 0, 0, 0)).save(png)
  with pytest.raises(JaxlicError, match="background"):
    files.compress_file(png, target, model=model)
  files.compress_file(png, target, model=model, background="white")
  white = files.compress(np.full((48, 40, 3), 255, np.uint8), model=model)
  assert target.read_bytes() == white


CALLS = [(files.compress_file, "out.jlic"), (files.decompress_file, "out.png")]


@pytest.mark.parametrize(("call", "name"), CALLS)
def test_a_target_that_cannot_be_written_is_told_before_work(
  tmp_path, model, call, name
):
  # The source is missing, too, and would be told if it were read first.
  with pytest.raises(JaxlicError, match="no folder"):
    call(tmp_path / "none.png", tmp_path / "none" / name, model=model)


@pytest.mark.parametrize(("call", "name"), CALLS)
def test_another_suffix_is_told_before_work(tmp_path, model, call, name):
  with pytest.raises(JaxlicError, match=" ends in .* got '.txt'"):
    call(tmp_path / "none.png", tmp_path / f"{name}.txt", model=model)


def test_what_is_not_its_own_is_replaced_by_force_alone(png, jlic, model):
  other = png.with_name("other.jlic")
  other.write_bytes(b"notes")
  image = png.with_name("other.png")
  image.write_bytes(b"notes")
  calls = [
    (files.compress_file, png, other),
    (files.decompress_file, jlic, image),
  ]
  for call, source, target in calls:
    with pytest.raises(JaxlicError, match="so it stays as it is"):
      call(source, target, model=model)
    assert target.read_bytes() == b"notes"
    call(source, target, model=model, force=True)
    written = target.read_bytes()
    call(source, target, model=model)  # what is its own
    assert target.read_bytes() == written != b"notes"


@pytest.mark.parametrize(("call", "name"), CALLS)
def test_a_missing_source_is_told(tmp_path, model, call, name):
  with pytest.raises(JaxlicError, match="none.png: no such file"):
    call(tmp_path / "none.png", tmp_path / name, model=model)
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("call", "name"), CALLS)
@pytest.mark.parametrize("given", [RGB, Image.fromarray(RGB), b"\x89PNG", None])
def test_what_is_no_path_is_told_what_takes_it(
  tmp_path, model, call, name, given
):
  match = f"got {type(given).__name__}; .* are for jaxlic.compress and"
  for words in ((given, tmp_path / name), (tmp_path / "a.png", given)):
    with pytest.raises(JaxlicError, match=match):
      call(*words, model=model)


def test_what_a_photograph_has_lost_is_a_warning(tmp_path, model):
  path = tmp_path / "phone.jpg"
  frames = [Image.fromarray(RGB), Image.fromarray(255 - RGB)]
  frames[0].save(path, "MPO", save_all=True, append_images=frames[1:])
  with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    files.compress_file(path, tmp_path / "a.jlic", model=model)
    with Image.open(path) as image:
      jaxlic.compress(image, model=model)
  texts = [str(warning.message) for warning in caught]
  note = "a second picture was left out"
  assert texts == [f"{path}: {note}", f"image: {note}"]


def test_no_force_writes_over_the_input_or_a_photograph(tmp_path, model):
  path = tmp_path / "photo.jlic"  # a photograph by the name of another format
  Image.fromarray(RGB).save(path, "PNG")
  before = path.read_bytes()
  with pytest.raises(JaxlicError, match="would replace the input"):
    files.compress_file(path, path, model=model, force=True)
  photo, middle = tmp_path / "photo.png", tmp_path / "a.jlic"
  photo.write_bytes(before)
  files.compress_file(photo, middle, model=model)
  with pytest.raises(JaxlicError, match="is not a picture by jaxlic, so it"):
    files.decompress_file(middle, photo, model=model)
  assert path.read_bytes() == photo.read_bytes() == before
