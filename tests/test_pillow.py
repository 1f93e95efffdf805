"""What Pillow's own plugins do, and their tests try."""

import io
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

import jaxlic.pillow
from jaxlic import files, zoo
from jaxlic.coding import container
from jaxlic.data import images
from jaxlic.errors import JaxlicError

GOLDEN = Path(__file__).parent / "golden"
COLOUR, GREY = (GOLDEN / f"v2-lapped-1-{n}.jlic" for n in ("colour", "grey"))
OLD = GOLDEN / "v1-lapped-1-one-pixel.jlic"
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
ORIENTATION, MAKE = 0x112, 0x10F
PIXELS = np.random.default_rng(1).integers(0, 256, (48, 40, 3), np.uint8)


@pytest.fixture
def image():
  return Image.fromarray(PIXELS)


def shown(path):
  """The pixels of a file."""
  with Image.open(path) as image:
    return np.asarray(image)


def saved(image, model, **options):
  """The file that an image is saved as, opened again and decoded."""
  file = io.BytesIO()
  image.save(file, "JLIC", model=model, **options)
  back = Image.open(io.BytesIO(file.getvalue()))
  back.load(model=model)
  return back


# Opening.


@pytest.mark.parametrize(
  ("path", "mode", "size"),
  [(COLOUR, "RGB", (48, 40)), (GREY, "L", (48, 40)), (OLD, "RGB", (1, 1))],
  ids=["colour", "grey", "version 1"],
)
def test_sanity(path, mode, size):
  with Image.open(path) as image:
    assert (image.mode, image.size, image.format) == (mode, size, "JLIC")
    assert image.get_format_mimetype() == "image/x-jlic"
    image.load()
    image.load()  # which does nothing
    # Beside each golden file lies what it shows; synthesis is floating point.
    with Image.open(path.with_suffix(".png")) as wanted:
      difference = np.asarray(image, int) - np.asarray(wanted, int)
    assert np.abs(difference).max() <= 1


def test_the_format_is_registered():
  assert Image.MIME["JLIC"] == "image/x-jlic"
  assert Image.registered_extensions()[".jlic"] == "JLIC"
  assert "JLIC" in Image.OPEN and "JLIC" in Image.SAVE


def test_opening_reads_the_header_alone():
  # No JAX, until there are pixels to decode.
  program = (
    "import sys, jaxlic.pillow; from PIL import Image; "
    "image = Image.open(sys.argv[1]); assert image.size == (48, 40); "
    "assert 'jax' not in sys.modules; image.load(); "
    "assert 'jax' in sys.modules"
  )
  words = [sys.executable, "-c", program, COLOUR]
  subprocess.run(words, check=True, cwd=Path(__file__).parents[1])


def test_the_header_gives_profile_exif_and_xmp():
  with Image.open(COLOUR) as image:
    info = image.info
    assert image.getexif()[MAKE] == "jaxlic"
  with Image.open(COLOUR.with_suffix(".png")) as wanted:
    for name in ("exif", "xmp", "icc_profile"):
      assert info[name] == wanted.info[name]


def test_a_file_object_is_left_open_and_a_path_is_closed():
  with open(COLOUR, "rb") as file:
    with Image.open(file) as image:
      image.load()
    assert not file.closed
  with Image.open(COLOUR) as image:
    file = image.fp
    image.load()
    assert file.closed
  with Image.open(COLOUR) as image:
    file = image.fp
  assert file.closed
  with pytest.raises(ValueError, match="Operation on closed image"):
    image.load()


def test_pixels_stay_when_the_file_is_closed():
  with Image.open(COLOUR) as image:
    image.load()
  np.testing.assert_array_equal(image, shown(COLOUR))


def test_what_is_made_of_it_is_an_image():
  whole = Image.open(COLOUR)
  assert whole.draft("L", (8, 8)) is None and whole.size == (48, 40)
  np.testing.assert_array_equal(whole.copy(), whole)
  cropped = whole.crop((8, 8, 16, 24))
  np.testing.assert_array_equal(cropped, np.asarray(whole)[8:24, 8:16])
  assert whole.convert("L").mode == "L"
  small = Image.open(COLOUR)
  small.thumbnail((12, 12))
  assert small.size == (12, 10)


@pytest.mark.parametrize("load_first", [False, True])
def test_an_image_can_be_pickled(load_first):
  image = Image.open(COLOUR)
  if load_first:
    image.load()
  back = pickle.loads(pickle.dumps(image))
  assert (back.format, back.mode, back.info) == ("JLIC", "RGB", image.info)
  np.testing.assert_array_equal(back, image)


def test_threads_decode_what_one_thread_does():
  paths = [COLOUR, GREY] * 4
  with ThreadPoolExecutor(4) as threads:
    decoded = list(threads.map(shown, paths))
  for path, pixels in zip(paths, decoded, strict=True):
    np.testing.assert_array_equal(pixels, shown(path))


def test_a_file_of_a_codec_that_is_not_embedded_needs_it(image, model):
  file = io.BytesIO()
  image.save(file, "JLIC", model=model)
  opened = Image.open(file)
  with pytest.raises(OSError, match="'tiny', which is not embedded"):
    opened.load()
  opened.load(model=model)
  pixels = files.decompress(file.getvalue(), model=model)
  np.testing.assert_array_equal(opened, pixels)


# Damage.


@pytest.mark.parametrize(
  "data",
  [b"", b"JLI", b"JLIC", b"JLIC\x01\x00", b"JLIC\x09" + bytes(99)],
  ids=["empty", "magic cut", "magic", "header cut", "version 9"],
)
def test_what_has_no_header_is_not_identified(data):
  with pytest.raises(UnidentifiedImageError):
    Image.open(io.BytesIO(data))
  with pytest.raises(SyntaxError):
    jaxlic.pillow.JlicImageFile(io.BytesIO(data))


@pytest.mark.parametrize("kept", [-1, -20])
def test_a_cut_file_is_told_when_it_is_loaded(kept):
  image = Image.open(io.BytesIO(COLOUR.read_bytes()[:kept]))
  with pytest.raises(OSError, match="the file is cut short"):
    image.load()


def test_damage_is_told_by_load_and_by_verify():
  data = bytearray(COLOUR.read_bytes())
  data[-10] ^= 1
  for call in ("load", "verify", "copy"):
    image = Image.open(io.BytesIO(data))
    with pytest.raises(OSError, match="its CRC-32 is"):
      getattr(image, call)()


def test_a_sound_file_is_verified_once():
  image = Image.open(COLOUR)
  file = image.fp
  image.verify()
  assert file.closed
  with pytest.raises(RuntimeError, match="directly after open"):
    image.verify()


# Saving.


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_saved_image_is_what_compress_makes_of_it(image, model, mode):
  image = image.convert(mode)
  file = io.BytesIO()
  image.save(file, format="jlic", quality=5, model=model)
  pixels = np.asarray(image)
  assert file.getvalue() == files.compress(pixels, quality=5, model=model)
  back = saved(image, model, quality=5)
  assert (back.mode, back.size) == (mode, image.size)


def test_the_suffix_names_the_format(image, model, tmp_path):
  path = tmp_path / "a.JLIC"
  image.save(path, model=model, quality=np.float32(2))
  assert container.unpack(path.read_bytes()).payload.quality == 2
  image.save(path, model=model)
  assert container.unpack(path.read_bytes()).payload.quality == 3


def test_the_default_codec_is_the_embedded_one(tmp_path):
  path = tmp_path / "a.jlic"
  Image.open(COLOUR).save(path)
  assert container.unpack(path.read_bytes()).model == zoo.DEFAULT
  # An image may be saved over the file that it was opened from.
  again = Image.open(path)
  again.save(path)
  assert shown(path).shape == (40, 48, 3)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "1", "CMYK", "I;16", "F"])
def test_other_modes_are_refused(model, mode):
  with pytest.raises(OSError, match=f"cannot write mode {mode} as JLIC"):
    Image.new(mode, (8, 8)).save(io.BytesIO(), "JLIC", model=model)


def test_a_transparent_colour_is_refused(image, model):
  image.info["transparency"] = (0, 0, 0)
  with pytest.raises(OSError, match="a transparent colour as JLIC"):
    image.save(io.BytesIO(), "JLIC", model=model)


@pytest.mark.parametrize("quality", [75, -1, "high", float("nan")])
def test_a_quality_that_is_none_is_a_value_error(image, model, quality):
  with pytest.raises(ValueError, match="quality is a number"):
    image.save(io.BytesIO(), "JLIC", quality=quality, model=model)


def test_a_refused_image_leaves_no_file(image, tmp_path):
  with pytest.raises(ValueError, match="a model is a folder or one of"):
    image.save(tmp_path / "a.jlic", model="nothing")
  assert not list(tmp_path.iterdir())


# Metadata, by the rules of Pillow's PNG and AVIF.


@pytest.mark.parametrize("given", ["bytes", "bare", "Exif"])
def test_exif_is_saved_if_it_is_given(image, model, given):
  exif = Image.Exif()
  exif[MAKE], exif[ORIENTATION] = "Leica", 6
  value = {
    "Exif": exif,
    "bytes": exif.tobytes(),
    "bare": exif.tobytes()[6:],
  }[given]
  back = saved(image, model, exif=value)
  assert dict(back.getexif()) == {MAKE: "Leica", ORIENTATION: 6}
  assert back.info["exif"].startswith(b"Exif\0\0")
  # Stored as it was, displayed turned to the right.
  assert back.size == (40, 48)
  turned = ImageOps.exif_transpose(back)
  assert turned.size == (48, 40) and ORIENTATION not in turned.getexif()
  image.info["exif"] = exif.tobytes()
  for options in ({}, {"exif": b""}, {"exif": None}, {"exif": Image.Exif()}):
    assert "exif" not in saved(image, model, **options).info


def test_a_turned_image_is_decompressed_upright(image, model):
  exif, file = Image.Exif(), io.BytesIO()
  exif[ORIENTATION] = 6
  image.save(file, "JLIC", exif=exif, model=model)
  opened = Image.open(file)
  opened.load(model=model)
  upright = files.decompress(file.getvalue(), model=model)
  np.testing.assert_array_equal(upright, np.rot90(opened, -1))


def test_an_icc_profile_is_saved_if_it_is_given_or_there(image, model):
  assert "icc_profile" not in saved(image, model).info
  assert saved(image, model, icc_profile=ICC).info["icc_profile"] == ICC
  image.info["icc_profile"] = ICC
  assert saved(image, model).info["icc_profile"] == ICC
  for none in (None, b""):
    assert "icc_profile" not in saved(image, model, icc_profile=none).info


def test_a_profile_of_other_colours_is_left_out_with_a_warning(image, model):
  grey = image.convert("L")
  grey.info["icc_profile"] = ICC
  with pytest.warns(UserWarning, match="an ICC profile of other colours"):
    assert "icc_profile" not in saved(grey, model).info


@pytest.mark.parametrize(
  ("options", "match"),
  [
    ({"exif": 5}, "EXIF for JLIC is bytes, got int"),
    ({"xmp": 3.0}, "XMP for JLIC is bytes, got float"),
    ({"icc_profile": "x"}, "an ICC profile for JLIC is bytes, got str"),
  ],
)
def test_metadata_that_is_no_bytes_is_refused(image, model, options, match):
  with pytest.raises(TypeError, match=match):
    saved(image, model, **options)
  assert "exif" not in saved(image, model, exif=b"Exif\0\0").info


@pytest.mark.parametrize("xmp", [XMP, XMP.decode()])
def test_xmp_is_saved_if_it_is_given(image, model, xmp):
  assert saved(image, model, xmp=xmp).info["xmp"] == XMP
  image.info["xmp"] = XMP
  assert "xmp" not in saved(image, model).info


# Where the plugin ends.


def test_images_read_no_jlic_through_it():
  with pytest.raises(JaxlicError, match="not an image of a known format"):
    images.read(COLOUR)


def test_an_opened_image_can_be_compressed_anew(model):
  with Image.open(GREY) as image:
    data = files.compress(image, quality=5.0, model=model)
  pixels = files.compress(shown(GREY), quality=5.0, model=model)
  kept = container.unpack(data)
  assert kept.grey and kept.exif
  assert kept.payload.data == container.unpack(pixels).payload.data
