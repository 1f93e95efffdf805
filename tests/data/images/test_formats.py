import io
import struct
import sys

import numpy as np
import pytest
from PIL import Image, ImageCms

from jaxlic.data import images
from jaxlic.data.images import boxes, exif, jxl
from jaxlic.errors import JaxlicError
from tests.data.images.exif_bytes import MAKE, make_exif
from tests.data.images.image_files import RGB, SWAPPED, encode

SMOOTH = np.dstack(np.meshgrid(range(0, 240, 5), range(0, 240, 5), [99])[:3])
SMOOTH = SMOOTH.reshape(48, 48, 3).astype(np.uint8)
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/' tiff:Orientation='6'/>"
UPRIGHT_XMP = XMP.replace(b"6", b"1")
# Files of 4x3 pixels by cjxl's library: RGB of 10 and of 32 bits (float), grey
# of 10 bits, and RGB of two frames.
JXL_RGB_10 = bytes.fromhex(
  "ff0a10301450b408080401003c014b188b15526cc36d2ee53671785645de2dc8e1ae24a94bf0"
  "02c100903570972ffabff9b1dd78393144476475a6395f499aa759f719b5a1eeb47db85ce0cd"
  "130fdedbde8fc50b05a52d53025812840b"
)
JXL_GREY_10 = bytes.fromhex(
  "ff0a103014142d02080401007c004b188b15526c87dbd8bb4e97382a474163bfe89f9c57bce5"
  "a176162c092118"
)
JXL_FRAMES = bytes.fromhex(
  "ff0a10304113008809080401000c014b188b15525c73375589d7408cfa0d44da042ae9be4030"
  "005cb3b978fa6d6e6ef7372702f1d2a5e84cb6d4ea01b5c81a6fa079f1b8fadbfe51220ceb51"
  "ac0190069502080405000c014b188b15525c73375589d7408cfa0d44da042ae9be4030005cb3"
  "b978fa6d6e6ef7372702f1d2a5e84cb6d4ea01b5c81a6fa079f1b8fadbfe51220ceb51ac0190"
  "069502"
)
JXL_FLOAT_HEAD = bytes.fromhex("ff0a10307200458b0804010020024b188b15")


@pytest.fixture
def heif():
  return pytest.importorskip("pillow_heif")


@pytest.fixture
def jxl_plugin():
  return pytest.importorskip("pillow_jxl")


def _heic(heif, pixels, **options):
  image = Image.fromarray(pixels)
  file = io.BytesIO()
  made = heif.from_pillow(image)
  made.save(file, **({"quality": -1, "chroma": 444} | options))
  return file.getvalue()


def _with_points(file, primaries, transfer):
  """HEIC with code points put in its nclx box."""
  place = file.index(b"colrnclx") + 8
  points = struct.pack(">HH", primaries, transfer)
  return file[:place] + points + file[place + 4 :]


def test_a_heic_gives_nearly_its_pixels(heif):
  photo = images.read(_heic(heif, SMOOTH))
  # YCbCr of 8 bits moves a channel by up to 2.
  np.testing.assert_allclose(photo.pixels.astype(int), SMOOTH, atol=3)
  assert not photo.grey and photo.icc_profile is None and photo.notes == ()


def test_a_grey_heic_is_grey(heif):
  photo = images.read(_heic(heif, SMOOTH[..., 0]))
  np.testing.assert_array_equal(photo.pixels[..., 1], SMOOTH[..., 0])
  assert photo.grey


def test_a_heic_is_upright_and_keeps_profile_and_metadata(heif):
  file = _heic(
    heif, SMOOTH[:32], exif=make_exif(), xmp=XMP, icc_profile=SWAPPED
  )
  photo = images.read(file)
  assert photo.pixels.shape == (48, 32, 3)
  assert photo.icc_profile == SWAPPED
  loaded = Image.Exif()
  loaded.load(photo.exif)
  assert loaded[MAKE] == "Jax" and loaded[274] == 1
  assert not loaded.get_ifd(1)
  assert b"Orientation='6'" not in photo.xmp


def test_a_heic_shows_the_colours_of_its_code_points(heif):
  muted = (SMOOTH // 4 + 96).astype(np.uint8)  # within sRGB
  photo = images.read(_with_points(_heic(heif, muted), 12, 13))
  shown = ImageCms.profileToProfile(
    Image.fromarray(photo.pixels),
    io.BytesIO(photo.icc_profile),
    ImageCms.createProfile("sRGB"),
    outputMode="RGB",
  )
  # Display P3 to sRGB in linear light, SMPTE EG 432-1: both of D65.
  to_srgb = [
    [1.2249, -0.2247, 0],
    [-0.0420, 1.0419, 0],
    [-0.0197, -0.0786, 1.0979],
  ]
  v = photo.pixels / 255
  light = np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)
  light = light @ np.array(to_srgb).T
  wanted = 255 * (1.055 * light ** (1 / 2.4) - 0.055)
  np.testing.assert_allclose(np.asarray(shown), wanted, atol=1.5)
  assert np.abs(wanted - photo.pixels).max() > 5


def test_a_heic_of_high_dynamic_range_is_refused(heif):
  with pytest.raises(JaxlicError, match="PQ .*tone-map it to SDR first"):
    images.read(_with_points(_heic(heif, SMOOTH), 9, 16))


def test_a_transparent_heic_needs_a_background(heif):
  pixels = np.dstack([SMOOTH, np.zeros_like(SMOOTH[..., 0])])
  file = _heic(heif, pixels)
  with pytest.raises(JaxlicError, match="transparent pixels"):
    images.read(file)
  photo = images.read(file, background="#0a141e")
  assert (photo.pixels == [10, 20, 30]).all()


def test_a_deep_heic_is_reduced_only_on_demand(heif):
  deep = SMOOTH.astype(np.uint16) * 257
  made = heif.from_bytes("RGB;16", (48, 48), deep.tobytes())
  file = io.BytesIO()
  made.save(file, quality=-1, chroma=444)
  with pytest.raises(JaxlicError, match="here 10; .*--reduce-depth"):
    images.read(file.getvalue())
  photo = images.read(file.getvalue(), reduce_depth=True)
  np.testing.assert_allclose(photo.pixels.astype(int), SMOOTH, atol=3)


def test_a_heic_of_several_pictures_is_refused(heif):
  made = heif.from_pillow(Image.fromarray(SMOOTH))
  made.add_from_pillow(Image.fromarray(SMOOTH[::-1].copy()))
  file = io.BytesIO()
  made.save(file)
  with pytest.raises(JaxlicError, match="holds 2 frames"):
    images.read(file.getvalue())


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_a_truncated_heic_is_refused(heif, part):
  file = _heic(heif, SMOOTH)
  with pytest.raises(JaxlicError, match="damaged"):
    images.read(file[: int(part * len(file))])


def test_a_heic_whose_end_is_zeros_is_refused_or_salvaged(heif):
  noise = np.random.default_rng(2).integers(0, 256, (48, 48, 3), np.uint8)
  file = _heic(heif, noise)
  whole = int(0.6 * len(file))
  lost = file[:whole] + bytes(len(file) - whole)
  with pytest.raises(JaxlicError, match="damaged .*zero bytes.*--salvage"):
    images.read(lost)
  (note,) = images.read(lost, salvage=True).notes
  assert "a part is lost" in note


@pytest.mark.parametrize("quality", [-1, 10, 50, 90])
@pytest.mark.parametrize("colour", [0, 128, 255])
def test_a_flat_heic_is_sound(heif, quality, colour):
  flat = np.full((300, 200, 3), colour, np.uint8)
  assert images.read(_heic(heif, flat, quality=quality)).notes == ()


def test_reading_heic_leaves_pillow_s_formats_to_the_process(heif):
  images.read(_heic(heif, SMOOTH))
  assert "HEIF" not in Image.OPEN


def test_a_lossless_jpeg_xl_gives_its_pixels(jxl_plugin):
  photo = images.read(encode(Image.fromarray(RGB), "JXL", lossless=True))
  np.testing.assert_array_equal(photo.pixels, RGB)
  assert photo.icc_profile is None and photo.notes == ()


def test_a_grey_jpeg_xl_is_grey(jxl_plugin):
  file = encode(Image.fromarray(RGB[..., 0]), "JXL", lossless=True)
  photo = images.read(file)
  np.testing.assert_array_equal(photo.pixels[..., 2], RGB[..., 0])
  assert photo.grey and photo.icc_profile is None


def test_a_jpeg_xl_is_turned_by_its_codestream_alone(jxl_plugin):
  # ISO/IEC 18181-2: EXIF's orientation counts for nothing.
  file = encode(Image.fromarray(RGB), "JXL", exif=make_exif(), xmp=XMP)
  photo = images.read(file)
  assert photo.pixels.shape == RGB.shape
  assert photo.exif == exif.upright(make_exif())
  assert photo.xmp == UPRIGHT_XMP


def test_exif_of_a_jpeg_xl_starts_where_its_box_says(jxl_plugin):
  file = encode(Image.fromarray(RGB), "JXL", exif=make_exif())
  place = file.index(b"Exif") - 4
  (size,) = struct.unpack_from(">I", file, place)
  box = struct.pack(">I4sI", size + 10, b"Exif", 6) + b"Exif\0\0"
  file = file[:place] + box + file[place + 8 :]
  assert images.read(file).exif == exif.upright(make_exif())


def test_a_recompressed_jpeg_is_turned_by_its_exif(jxl_plugin, tmp_path):
  path = tmp_path / "photo.jpg"
  path.write_bytes(
    encode(Image.fromarray(SMOOTH[:32]), "JPEG", exif=b"Exif\0\0" + make_exif())
  )
  with Image.open(path) as image:
    file = encode(image, "JXL", lossless_jpeg=True)
  photo = images.read(file)
  wanted = images.read(path)
  np.testing.assert_array_equal(photo.pixels, wanted.pixels)
  assert photo.exif == wanted.exif and photo.pixels.shape == (48, 32, 3)


def test_compressed_metadata_of_a_jpeg_xl_is_told(jxl_plugin):
  file = encode(
    Image.fromarray(RGB), "JXL", exif=make_exif(), compress_metadata=True
  )
  (note,) = images.read(file).notes
  assert note == "compressed metadata (a brob box) was left out"


def test_a_transparent_jpeg_xl_needs_a_background(jxl_plugin):
  pixels = np.dstack([RGB, np.zeros_like(RGB[..., 0])])
  file = encode(Image.fromarray(pixels), "JXL", lossless=True)
  with pytest.raises(JaxlicError, match="transparent pixels"):
    images.read(file)
  assert (images.read(file, background="red").pixels == [255, 0, 0]).all()


@pytest.mark.parametrize("file", [JXL_RGB_10, JXL_GREY_10])
def test_a_deep_jpeg_xl_is_reduced_only_on_demand(jxl_plugin, file):
  with pytest.raises(JaxlicError, match="here 10; .*--reduce-depth"):
    images.read(file)
  # Its first sample is 380 of 1023.
  photo = images.read(file, reduce_depth=True)
  assert abs(int(photo.pixels[0, 0, 0]) - 380 / 1023 * 255) < 1


def test_a_jpeg_xl_of_several_frames_is_refused(jxl_plugin):
  with pytest.raises(JaxlicError, match="holds several frames"):
    images.read(JXL_FRAMES)


@pytest.mark.parametrize("part", [0.02, 0.3, 0.9])
def test_a_truncated_jpeg_xl_is_refused(jxl_plugin, part):
  file = encode(Image.fromarray(SMOOTH), "JXL", lossless=True)
  with pytest.raises(JaxlicError, match="damaged") as error:
    images.read(file[: int(part * len(file))])
  assert "\n" not in str(error.value)


def test_a_jpeg_xl_too_large_is_refused_before_decoding(jxl_plugin):
  # Not small, a height of 30 bits less one, as wide as high, all defaults.
  bits = "0" + "11" + f"{2**20 - 1:030b}"[::-1] + "100" + "1"
  stream = int(bits[::-1], 2).to_bytes(8, "little")
  with pytest.raises(JaxlicError, match="at most 67108864 pixels"):
    images.read(b"\xff\x0a" + stream)


@pytest.mark.parametrize(
  ("shape", "lossless"),
  [((8, 8), True), ((1, 1), True), ((600, 9), True), ((16, 256), False)],
)
@pytest.mark.parametrize("exif_", [None, make_exif()])
def test_the_header_of_a_jpeg_xl_is_that_of_its_library(
  jxl_plugin, shape, lossless, exif_
):
  image = Image.new("RGB", shape[::-1], "teal")
  file = encode(image, "JXL", lossless=lossless, exif=exif_)
  header = jxl.header("image", file)
  assert header == jxl.Header(*shape, False, 8)
  assert images.header_size("image", file) == shape


@pytest.mark.parametrize(
  ("file", "wanted"),
  [
    (JXL_RGB_10, (3, 4, False, 10)),
    (JXL_GREY_10, (3, 4, False, 10)),
    (JXL_FLOAT_HEAD, (3, 4, False, 32)),
    (JXL_FRAMES, (3, 4, True, 8)),
  ],
)
def test_the_header_of_a_jpeg_xl_says_depth_and_frames(file, wanted):
  assert jxl.header("image", file) == wanted


@pytest.mark.parametrize("head", [b"\xff\x0a", jxl.CONTAINER, b"\xff\x0a\x01"])
def test_half_a_header_of_jpeg_xl_is_refused(head):
  with pytest.raises(JaxlicError, match="no whole header of JPEG XL"):
    jxl.header("image", head)


@pytest.mark.parametrize(
  ("module", "head", "kind"),
  [
    ("pillow_heif", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
    ("pillow_heif", b"\0\0\0\x18ftypheix\0\0\0\0mif1heix", "HEIC"),
    ("pillow_heif", b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "HEIC"),
    ("pillow_heif", b"\0\0\0\x18ftypmsf1\0\0\0\0msf1hevc", "HEIC"),
    ("pillow_jxl", b"\xff\x0a", "JPEG XL"),
    ("pillow_jxl", jxl.CONTAINER, "JPEG XL"),
  ],
)
def test_a_missing_package_is_named_with_its_extra(
  monkeypatch, tmp_path, module, head, kind
):
  monkeypatch.setitem(sys.modules, module, None)
  path = tmp_path / "photo.bin"
  path.write_bytes(head + bytes(100))
  with pytest.raises(JaxlicError) as error:
    images.read(path)
  message = str(error.value)
  assert message.startswith(f"{path}: {kind} is read with the package {module}")
  assert "pip install 'jaxlic[formats]'" in message


def test_an_avif_of_a_common_brand_is_still_an_avif():
  file = encode(Image.fromarray(SMOOTH), "AVIF")
  (size,) = struct.unpack_from(">I", file)
  brands = b"mif1" + file[12:16] + b"avif"
  file = file[:8] + brands + file[8 + len(brands) : size] + file[size:]
  assert dict(boxes.boxes(file))[b"ftyp"][:4] == b"mif1"
  assert images.read(file).pixels.shape == SMOOTH.shape


def test_a_jpeg_xl_is_decoded_where_it_is_read_alone(
  monkeypatch, tmp_path, jxl_plugin
):
  decoded = []
  decoder = jxl_plugin.JpegXLImagePlugin.Decoder

  def count(*args, **options):
    decoded.append(args)
    return decoder(*args, **options)

  monkeypatch.setattr(jxl_plugin.JpegXLImagePlugin, "Decoder", count)
  path = tmp_path / "photo.jxl"
  path.write_bytes(encode(Image.fromarray(RGB), "JXL"))
  images.check_header(path)
  assert images.header_size("photo", path.read_bytes()) == (6, 4)
  assert len(decoded) == 0
  images.read(path)
  assert len(decoded) == 1
  with Image.open(path) as image:
    images.from_pil(image)
  assert len(decoded) == 3  # once by Pillow's open
