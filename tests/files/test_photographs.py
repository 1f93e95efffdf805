import dataclasses
import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

import jaxlic
from jaxlic import files, zoo
from jaxlic.coding import container
from jaxlic.errors import JaxlicError

RGB = np.random.default_rng(1).integers(0, 256, (48, 48, 3), np.uint8)
GREY = RGB[..., 0]
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
ORIENTATION, MAKE = 0x112, 0x10F


@pytest.fixture(scope="module")
def jlic(model):
  """The bytes of a file."""
  return files.compress(RGB, quality=5.0, model=model)


def with_metadata(image, *, orientation):
  """The image as a camera's file gives it."""
  exif = Image.Exif()
  exif[ORIENTATION], exif[MAKE] = orientation, "Leica"
  image.info |= {"exif": exif.tobytes(), "icc_profile": ICC, "xmp": XMP}
  return image


def test_an_image_comes_back_as_the_codec_shows_it(model, jlic):
  shown = files.decompress(jlic, model=model)
  image = RGB / np.float32(255)
  outcome = model.codec.evaluate(model.params, image, 5.0)
  assert shown.dtype == np.uint8
  np.testing.assert_array_equal(shown, np.rint(outcome.image * 255))


def test_a_folder_names_its_codec(tiny_codec, model, jlic):
  assert files.compress(RGB, quality=5.0, model=tiny_codec) == jlic
  shown = files.decompress(jlic, model=tiny_codec)
  np.testing.assert_array_equal(shown, files.decompress(jlic, model=model))


def test_grey_gives_three_equal_channels(model):
  data = files.compress(GREY, quality=5.0, model=model)
  assert container.unpack(data).grey
  shown = files.decompress(data, model=model)
  assert shown.shape == (48, 48, 3)
  np.testing.assert_array_equal(shown, shown[..., :1].repeat(3, -1))


@pytest.mark.parametrize(
  "image",
  [Image.fromarray(RGB), np.asfortranarray(RGB), RGB[::-1][::-1]],
  ids=["pil", "column-major", "reversed-twice"],
)
def test_what_numpy_makes_the_same_array_gives_the_same_file(
  model, jlic, image
):
  assert files.compress(image, quality=5.0, model=model) == jlic


@pytest.mark.parametrize("name", ["compress", "compress_to"])
def test_a_pil_image_is_upright_and_keeps_what_it_has(model, name):
  image = with_metadata(Image.fromarray(RGB[:, :40]), orientation=6)
  if name == "compress":
    data = files.compress(image, quality=5.0, model=model)
  else:
    data = jaxlic.compress_to(image, target_bpp=99, model=model).data
  kept = container.unpack(data)
  # Orientation 6 is displayed turned to the right.
  assert (kept.payload.height, kept.payload.width) == (40, 48)
  assert (kept.version, kept.icc_profile, kept.xmp) == (2, ICC, XMP)
  exif = Image.Exif()
  exif.load(kept.exif)
  assert exif[MAKE] == "Leica" and exif.get(ORIENTATION, 1) == 1
  turned = np.ascontiguousarray(np.rot90(RGB[:, :40], -1))
  alone = files.compress(turned, quality=kept.payload.quality, model=model)
  assert kept.payload.data == container.unpack(alone).payload.data


def test_a_pil_image_with_alpha_needs_a_background(model, jlic):
  image = Image.fromarray(np.dstack([RGB, np.zeros_like(GREY)]))
  with pytest.raises(JaxlicError, match="background"):
    files.compress(image, model=model)
  with pytest.raises(JaxlicError, match="background"):
    jaxlic.compress_to(image, target_bpp=1, model=model)
  shown = files.compress(image, model=model, background="#102030")
  flat = np.full_like(RGB, [0x10, 0x20, 0x30])
  assert shown == files.compress(flat, model=model)


def test_a_damaged_pil_image_needs_leave_and_is_told(model):
  file = io.BytesIO()
  Image.fromarray(RGB).save(file, "JPEG")
  image = Image.open(io.BytesIO(file.getvalue()[:-500]))
  with pytest.raises(JaxlicError, match="image: damaged"):
    files.compress(image, quality=5.0, model=model)
  with pytest.warns(UserWarning, match="image: damaged .*a part is lost"):
    files.compress(image, quality=5.0, model=model, salvage=True)


def test_files_without_exif_and_xmp_are_of_version_1(jlic):
  assert container.unpack(jlic).version == 1


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("grey", [False, True])
def test_a_file_that_is_not_upright_is_shown_upright(model, orientation, grey):
  # As other programs write them: the pixels as they were, the EXIF too.
  pixels = (GREY if grey else RGB)[:, :40]
  data = files.compress(pixels, quality=5.0, model=model)
  exif = Image.Exif()
  exif[ORIENTATION] = orientation
  changed = dataclasses.replace(
    container.unpack(data), version=2, exif=exif.tobytes(8)[6:]
  )
  turned = {1: 0, 3: 2, 6: -1}[orientation]
  photo = files.decompress_photo(container.pack(changed), model=model)
  np.testing.assert_array_equal(
    photo.pixels, np.rot90(files.decompress(data, model=model), turned)
  )
  assert photo.grey == grey
  exif.load(photo.exif or exif.tobytes())
  assert not photo.exif or exif.get(ORIENTATION, 1) == 1


def test_damaged_exif_says_nothing_of_the_orientation(model, jlic):
  changed = dataclasses.replace(
    container.unpack(jlic), version=2, exif=b"MM\0*\0\0"
  )
  photo = files.decompress_photo(container.pack(changed), model=model)
  assert photo.exif == changed.exif
  shown = files.decompress(jlic, model=model)
  np.testing.assert_array_equal(photo.pixels, shown)


@pytest.mark.parametrize("number", [int, np.float32, np.int64, np.array])
def test_a_quality_may_be_any_number(model, jlic, number):
  assert files.compress(RGB, quality=number(5), model=model) == jlic


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_data_may_be_any_bytes(model, jlic, kind):
  shown = files.decompress(kind(jlic), model=model)
  np.testing.assert_array_equal(shown, files.decompress(jlic, model=model))


# What is refused.


@pytest.mark.parametrize(
  "image", [RGB / 255, RGB[..., :1], "a.png", b"\x89PNG"]
)
def test_what_is_no_image_of_bytes_is_refused(model, image):
  for compress in (files.compress, jaxlic.compress_to):
    target = {"target_bpp": 1} if compress is jaxlic.compress_to else {}
    with pytest.raises(JaxlicError, match=r"an image is uint8 \[H W 3\] or"):
      compress(image, model=model, **target)


@pytest.mark.parametrize("quality", [-0.5, 6.5, np.nan, np.inf])
def test_a_quality_out_of_range_is_refused(model, quality):
  with pytest.raises(JaxlicError, match="quality is a number from 0 to 6"):
    files.compress(RGB, quality=quality, model=model)


@pytest.mark.parametrize("quality", ["high", [], np.arange(2)])
def test_a_quality_that_is_no_number_is_refused(model, quality):
  with pytest.raises(JaxlicError, match="quality is a number, got .*; give"):
    files.compress(RGB, quality=quality, model=model)


def test_an_unknown_model_is_refused(jlic):
  for call in (
    lambda: files.compress(RGB, model="nothing"),
    lambda: files.decompress(jlic, model="nothing"),
  ):
    with pytest.raises(JaxlicError, match="a folder or one of .* 'nothing'"):
      call()


@pytest.mark.parametrize("data", ["a.jlic", None, np.zeros(4, np.uint8)])
def test_data_that_are_no_bytes_are_refused(data):
  kind = type(data).__name__
  match = f"got {kind}; read the file with .*, or use jaxlic.decompress_file"
  with pytest.raises(JaxlicError, match=match):
    files.decompress(data)


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n"])
def test_data_of_another_format_are_refused(data):
  with pytest.raises(JaxlicError, match="not a .jlic file"):
    files.decompress(data)


def test_a_file_of_a_codec_that_is_not_embedded_is_refused(jlic):
  with pytest.raises(JaxlicError, match="'tiny', which is not embedded"):
    files.decompress(jlic)


@pytest.mark.parametrize(
  ("field", "value"), [("model", "other"), ("fingerprint", 0x12345678)]
)
def test_a_file_of_another_codec_is_refused(model, jlic, field, value):
  changed = dataclasses.replace(container.unpack(jlic), **{field: value})
  wrote = f"{changed.model} {changed.fingerprint:#010x}, but the model is tiny"
  with pytest.raises(JaxlicError, match=f"codec {wrote}"):
    files.decompress(container.pack(changed), model=model)


# Which codec a name or a folder gives.


def test_an_embedded_codec_is_loaded_once():
  assert zoo.load() is zoo.load(zoo.DEFAULT)


def test_a_codec_written_anew_to_its_folder_is_the_one_used(
  tiny_codec, tmp_path
):
  for source in (tiny_codec, zoo.embedded_folder(zoo.DEFAULT)):
    for name in zoo.FILES:
      shutil.copy(Path(source, name), tmp_path)
    assert zoo.load(tmp_path).name == Path(source).name


def test_codecs_of_one_architecture_share_what_is_compiled(tiny_codec, model):
  assert zoo.load(tiny_codec).codec is model.codec


def test_a_codec_with_a_name_that_no_file_holds_is_refused(tmp_path):
  with pytest.raises(JaxlicError, match=r"1..64 characters.*'Not A Name'"):
    zoo.export(
      tmp_path / "codec",
      name="Not A Name",
      architecture="lapped",
      options={},
      params={},
    )
  assert not (tmp_path / "codec").exists()
