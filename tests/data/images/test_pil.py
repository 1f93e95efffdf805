import io
import struct

import numpy as np
import pytest
from PIL import Image

from jaxlic.data import images
from jaxlic.data.images import exif
from jaxlic.errors import JaxlicError
from tests.data.images.exif_bytes import make_exif
from tests.data.images.image_files import (
  GREY,
  RGB,
  SRGB,
  encode,
  make_chunk,
  make_png,
  make_tiff,
)

XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
STORED = {"exif": b"Exif\0\0" + make_exif(), "icc_profile": SRGB}
CICP = make_chunk(b"cICP", bytes([9, 16, 0, 1]))
DEEP_PNG = make_png(1, 1, bits=16, colour=2, raw=bytes(7))


def _keyed(bits, key):
  """A pixel of a transparent grey."""
  chunk = make_chunk(b"tRNS", struct.pack(">H", key))
  raw = bytes([0, key << 8 - bits])
  return make_png(1, 1, bits=bits, colour=0, raw=raw, extra=chunk)


KEYS = [(2, 1), (2, 2), (2, 3), (4, 1), (4, 14), (4, 15)]


def _open(data, *, load=False):
  image = Image.open(io.BytesIO(data))
  if load:
    image.load()
  return image


def _assert_same(photo, wanted):
  np.testing.assert_array_equal(photo.pixels, wanted.pixels)
  assert photo[1:] == wanted[1:]


@pytest.mark.parametrize("load", [False, True])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF", "TIFF"])
def test_an_image_of_a_file_is_read_as_its_file(kind, load):
  file = encode(Image.fromarray(RGB), kind, **STORED)
  _assert_same(images.from_pil(_open(file, load=load)), images.read(file))


@pytest.mark.parametrize("load", [False, True])
@pytest.mark.parametrize("kind", ["TGA", "PCX", "JPEG2000"])
def test_formats_of_pillow_alone_are_taken_as_it_decodes_them(kind, load):
  photo = images.from_pil(_open(encode(Image.fromarray(RGB), kind), load=load))
  np.testing.assert_array_equal(photo.pixels, RGB)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "AVIF", "TIFF", "GIF"])
def test_an_image_that_waits_for_its_pixels_still_waits(kind):
  image = _open(encode(Image.fromarray(RGB), kind))
  waiting = list(image.tile)
  photo = images.from_pil(image)
  assert waiting and image.tile == waiting
  np.testing.assert_array_equal(photo.pixels, image.convert("RGB"))


def test_an_image_made_in_memory_gives_its_pixels():
  _assert_same(images.from_pil(Image.fromarray(RGB)), images.Photo(RGB))
  photo = images.from_pil(Image.fromarray(GREY))
  _assert_same(photo, images.Photo(np.dstack([GREY] * 3), grey=True))


def test_a_copy_keeps_what_its_info_tells():
  file = encode(Image.fromarray(RGB), **STORED)
  photo = images.from_pil(_open(file).copy())
  _assert_same(photo, images.read(file))
  assert photo.pixels.shape == (4, 6, 3) and photo.icc_profile == SRGB
  assert photo.exif == exif.upright(make_exif())


def test_exif_set_in_python_is_applied_and_kept():
  image = Image.fromarray(RGB)
  image.getexif()[274] = 6
  image.getexif()[271] = "Jax"
  photo = images.from_pil(image)
  assert photo.pixels.shape == (4, 6, 3)
  loaded = Image.Exif()
  loaded.load(photo.exif)
  assert dict(loaded) == {271: "Jax", 274: 1}


def test_xmp_in_info_is_kept():
  image = Image.fromarray(RGB)
  image.info["xmp"] = XMP
  assert images.from_pil(image).xmp == XMP


def test_an_image_is_not_changed():
  image = Image.fromarray(RGB)
  image.info |= {"transparency": (1, 2, 3), **STORED}
  before = dict(image.info)
  images.from_pil(image)
  assert image.info == before
  np.testing.assert_array_equal(image, RGB)


def test_changed_pixels_are_those_that_count():
  image = _open(encode(Image.fromarray(RGB)))
  image.putpixel((0, 0), (1, 2, 3))
  assert images.from_pil(image).pixels[0, 0].tolist() == [1, 2, 3]


def test_a_draft_is_the_draft():
  image = _open(encode(Image.new("RGB", (64, 64), "teal"), "JPEG"))
  image.draft("L", (16, 16))
  photo = images.from_pil(image)
  assert photo.grey and photo.pixels.shape == (16, 16, 3)


@pytest.mark.parametrize("load", [False, True])
def test_a_cut_jpeg_is_refused(load):
  noise = np.random.default_rng(1).integers(0, 256, (40, 50, 3), np.uint8)
  file = encode(Image.fromarray(noise), "JPEG")
  image = _open(file[: len(file) // 2])
  if load:
    with pytest.raises(OSError):
      image.load()
  with pytest.raises(JaxlicError, match="image: damaged"):
    images.from_pil(image)
  same = images.read(file[: len(file) // 2], salvage=True)
  rest = images.from_pil(image, salvage=True)
  np.testing.assert_array_equal(rest.pixels, same.pixels)
  assert rest.notes == same.notes and "a part is lost" in rest.notes[-1]


@pytest.mark.parametrize("mode", ["RGBA", "LA", "RGBa", "La", "PA"])
def test_transparency_needs_a_background(mode):
  image = Image.fromarray(np.dstack([RGB, np.zeros_like(GREY)]))
  image = image.convert({"La": "LA", "PA": "RGBA"}.get(mode, mode))
  image = image.convert(mode) if mode != "PA" else _palette_with_alpha()
  with pytest.raises(JaxlicError, match="image: transparent pixels"):
    images.from_pil(image)
  photo = images.from_pil(image, background="#777")
  assert (photo.pixels == 0x77).all()


def _palette_with_alpha():
  alpha = Image.new("L", (4, 6), 0)
  image = Image.new("PA", (4, 6))
  image.putalpha(alpha)
  return image


@pytest.mark.parametrize("load", [False, True])
def test_a_transparent_colour_needs_a_background(load):
  file = encode(Image.new("RGB", (2, 2), "red"), transparency=(255, 0, 0))
  with pytest.raises(JaxlicError, match="transparent pixels"):
    images.from_pil(_open(file, load=load))


@pytest.mark.parametrize(("bits", "key"), KEYS)
def test_a_transparent_grey_is_never_taken_for_opaque(tmp_path, bits, key):
  file, path = _keyed(bits, key), tmp_path / "grey.png"
  path.write_bytes(file)
  with Image.open(path) as image:
    image.load()
    with pytest.raises(JaxlicError, match="transparent pixels"):
      images.from_pil(image)
  with pytest.raises(JaxlicError, match="transparent pixels"):
    images.from_pil(_open(file))
  for image in (_open(file, load=True), _open(file).copy()):
    with pytest.raises(JaxlicError, match="of 4 bits; use jaxlic.compress_f"):
      images.from_pil(image)


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_deep_modes_are_reduced_only_on_demand(mode):
  dtype, top = {
    "I;16": (np.uint16, 65535),
    "I": (np.int32, 65535),
    "F": (np.float32, 1),
  }[mode]
  image = Image.fromarray((np.array([[0, 0.5, 1]]) * top).astype(dtype))
  with pytest.raises(JaxlicError, match="image: samples have at most 8 bits"):
    images.from_pil(image)
  photo = images.from_pil(image, reduce_depth=True)
  assert photo.pixels[0, :, 0].tolist() in ([0, 127, 255], [0, 128, 255])


def test_deep_colour_is_refused_before_decoding():
  with pytest.raises(JaxlicError, match="here 16; pass reduce_depth"):
    images.from_pil(_open(DEEP_PNG))


def test_deep_colour_is_refused_after_decoding_where_its_file_is(tmp_path):
  path = tmp_path / "deep.png"
  path.write_bytes(DEEP_PNG)
  with Image.open(path) as image:
    image.load()
  with pytest.raises(JaxlicError, match="here 16; pass reduce_depth"):
    images.from_pil(image)
  assert images.from_pil(image, reduce_depth=True).pixels.shape == (1, 1, 3)
  path.unlink()
  # Nothing is left that could tell.
  assert images.from_pil(image).pixels.shape == (1, 1, 3)


@pytest.mark.parametrize("load", [False, True])
def test_gamma_becomes_a_profile(load):
  gamma = make_chunk(b"gAMA", struct.pack(">I", 62500))
  file = make_png(1, 1, bits=8, colour=2, raw=bytes(4), extra=gamma)
  image = _open(file, load=load)
  wanted = images.read(file).icc_profile
  assert wanted and images.from_pil(image).icc_profile == wanted
  assert images.from_pil(image.copy()).icc_profile == wanted


def test_pq_is_refused_after_decoding_where_its_file_is(tmp_path):
  path = tmp_path / "pq.png"
  path.write_bytes(make_png(1, 1, bits=8, colour=2, raw=bytes(4), extra=CICP))
  with Image.open(path) as image:
    image.load()
    with pytest.raises(JaxlicError, match="image: PQ .*tone-map"):
      images.from_pil(image)


@pytest.mark.parametrize(
  "mode", ["P", "CMYK", "YCbCr", "HSV", "LAB", "1", "RGBX"]
)
def test_every_mode_gives_the_colours_that_it_shows(mode):
  source = Image.fromarray(RGB)
  if mode == "LAB":
    image = Image.new("LAB", (4, 6), (128, 148, 98))
  else:
    image = source.convert(mode)
  photo = images.from_pil(image)
  np.testing.assert_array_equal(photo.pixels, image.convert("RGB"))
  assert photo.grey == (mode == "1")


@pytest.mark.parametrize("load", [False, True])
def test_signed_samples_are_refused(load):
  file = make_tiff(b"\x80", 1, photometric=1, bits=(8,), extra={339: (2,)})
  with pytest.raises(JaxlicError, match="image: samples must be unsigned"):
    images.from_pil(_open(file, load=load))


@pytest.mark.parametrize("load", [False, True])
def test_a_palette_of_8_bit_values_is_expanded(load):
  file = make_tiff(
    GREY.tobytes(),
    4,
    6,
    photometric=3,
    bits=(8,),
    extra={320: 3 * tuple(range(256))},
  )
  photo = images.from_pil(_open(file, load=load))
  np.testing.assert_array_equal(photo.pixels[..., 0], GREY)


def test_several_frames_are_refused_and_one_is_not():
  frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
  file = encode(frames[0], "TIFF", save_all=True, append_images=frames[1:])
  image = _open(file)
  image.seek(1)
  with pytest.raises(JaxlicError, match="2 frames or pages; pass image.copy"):
    images.from_pil(image)
  assert (images.from_pil(image.copy()).pixels == [0, 0, 255]).all()


def test_the_second_picture_of_a_phone_is_not_taken_for_the_first():
  frames = [Image.new("RGB", (16, 16), colour) for colour in ("white", "black")]
  file = encode(frames[0], "MPO", save_all=True, append_images=frames[1:])
  image = _open(file)
  assert (images.from_pil(image).pixels == 255).all()
  image.seek(1)
  assert (images.from_pil(image).pixels == 0).all()


def test_too_many_pixels_are_refused():
  with pytest.raises(JaxlicError, match="image: images have at most 67108864"):
    images.from_pil(Image.new("1", (10_000, 10_000)))


def test_no_pixels_are_refused():
  with pytest.raises(JaxlicError, match="image: no pixels, 0x4"):
    images.from_pil(Image.new("RGB", (0, 4)))


def test_heic_and_jpeg_xl_are_read_as_their_files():
  heif = pytest.importorskip("pillow_heif")
  pytest.importorskip("pillow_jxl")
  file = encode(Image.fromarray(RGB), "JXL", lossless=True, **STORED)
  for load in (False, True):
    _assert_same(images.from_pil(_open(file, load=load)), images.read(file))
  made = io.BytesIO()
  heif.from_pillow(Image.fromarray(RGB)).save(made, quality=-1, **STORED)
  for load in (False, True):
    image = heif.HeifImageFile(io.BytesIO(made.getvalue()))
    if load:
      image.load()
    _assert_same(images.from_pil(image), images.read(made.getvalue()))


def test_a_decoded_heic_keeps_what_its_info_tells():
  heif = pytest.importorskip("pillow_heif")
  deep = np.full((48, 48, 3), 300, np.uint16)
  made = io.BytesIO()
  heif.from_bytes("RGB;16", (48, 48), deep.tobytes()).save(made)
  copy = heif.HeifImageFile(io.BytesIO(made.getvalue())).copy()
  with pytest.raises(JaxlicError, match="here 10; pass reduce_depth"):
    images.from_pil(copy)
  copy.info["bit_depth"] = 8
  copy.info["nclx_profile"] |= {"transfer_characteristics": 18}
  with pytest.raises(JaxlicError, match="image: HLG .*tone-map"):
    images.from_pil(copy)


def _decoded_file(path, file):
  path.write_bytes(file)
  with Image.open(path) as image:
    image.load()
  return image


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "group4"])
def test_damage_that_pillow_passes_is_seen_where_the_file_is(tmp_path, kind):
  noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
  if kind == "group4":
    image = Image.fromarray(noise).convert("1")
    file = encode(image, "TIFF", compression=kind)
    noise = np.random.default_rng(1).bytes(50)
    file = file[:250] + noise + file[300:]
  elif kind == "PNG":
    file = encode(Image.fromarray(noise))
    file = file[:-16] + bytes(4) + file[-12:]  # the check of the last IDAT
  else:
    file = encode(Image.fromarray(noise), kind)
    half = len(file) // 2
    end = 0 if kind == "WEBP" else 20
    file = file[:half] + bytes(len(file) - half - end) + file[len(file) - end :]
  image = _decoded_file(tmp_path / "photo", file)
  with pytest.raises(JaxlicError, match="image: damaged"):
    images.from_pil(image)
  rest = images.from_pil(image, salvage=True)
  np.testing.assert_array_equal(rest.pixels, image.convert("RGB"))
  assert "a part is lost" in rest.notes[-1]


def test_a_second_picture_is_told_where_the_file_is(tmp_path):
  frames = [Image.new("RGB", (16, 16), colour) for colour in ("white", "black")]
  file = encode(frames[0], "MPO", save_all=True, append_images=frames[1:])
  image = _decoded_file(tmp_path / "photo.jpg", file)
  assert images.from_pil(image).notes == ("a second picture was left out",)
  (tmp_path / "photo.jpg").unlink()
  assert images.from_pil(image).notes == ()


def test_what_a_tiff_has_not_is_told_once(tmp_path):
  file = make_tiff(bytes(4), 1, photometric=2, bits=(8,) * 4, extra={338: (0,)})
  image = _decoded_file(tmp_path / "photo.tif", file)
  assert len(images.from_pil(image).notes) == 1
