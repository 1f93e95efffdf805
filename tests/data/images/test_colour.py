import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms, TiffImagePlugin

from jaxlic.data import images
from jaxlic.data.images import directories
from jaxlic.data.images.directories import Field
from jaxlic.errors import JaxlicError
from tests.data.images.image_files import (
  RGB,
  SRGB,
  encode,
  make_chunk,
  make_png,
)

# x and y of white, red, green and blue: ITU-R BT.709, BT.2020, SMPTE RP 431-2,
# and BT.470 System M.
BT709 = ((0.3127, 0.329), (0.64, 0.33), (0.3, 0.6), (0.15, 0.06))
BT2020 = ((0.3127, 0.329), (0.708, 0.292), (0.17, 0.797), (0.131, 0.046))
P3 = ((0.3127, 0.329), (0.68, 0.32), (0.265, 0.69), (0.15, 0.06))
NTSC = ((0.31, 0.316), (0.67, 0.33), (0.21, 0.71), (0.14, 0.08))
SWAPPED = BT709[0], BT709[2], BT709[1], BT709[3]

# Mid-tones, of a chroma that sRGB can show for all gamuts here.
SAMPLES = np.random.default_rng(3).integers(110, 150, (4, 4, 3), np.uint8)
MIDDLE = SAMPLES[..., 0]


def _gamma(value):
  return make_chunk(b"gAMA", struct.pack(">I", value))


def _chromaticities(gamut):
  values = [round(100_000 * value) for point in gamut for value in point]
  return make_chunk(b"cHRM", struct.pack(">8I", *values))


def _code_points(*values):
  return make_chunk(b"cICP", bytes(values))


def _png(extra, pixels=SAMPLES):
  grey = pixels.ndim == 2
  raw = b"".join(b"\0" + row.tobytes() for row in pixels)
  height, width = pixels.shape[:2]
  return make_png(
    width, height, bits=8, colour=0 if grey else 2, raw=raw, extra=extra
  )


def _avif(primaries, transfer, pixels=SAMPLES):
  """A lossless AVIF with its nclx box's code points put in."""
  image = Image.fromarray(pixels)
  file = bytearray(encode(image, "AVIF", quality=100, subsampling="4:4:4"))
  place = file.index(b"colrnclx") + 8
  file[place : place + 4] = struct.pack(">HH", primaries, transfer)
  return bytes(file)


def _linear(samples, gamma):
  return (samples / 255) ** gamma


def _bt709_light(samples):
  """ITU-R BT.709, 1.2, solved for the light."""
  v = samples / 255
  return np.where(v < 0.081, v / 4.5, ((v + 0.099) / 1.099) ** (1 / 0.45))


def _srgb_light(samples):
  """IEC 61966-2-1."""
  v = samples / 255
  return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def _to_xyz(gamut):
  """SMPTE RP 177: channels weighed so that equal ones are white."""
  (xw, yw), *primaries = gamut
  columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
  white = np.array([xw / yw, 1, (1 - xw - yw) / yw])
  return columns @ np.diag(np.linalg.inv(columns) @ white), white


def _shown_srgb(light, gamut):
  """Bytes of sRGB that show light of a gamut, white adapted by Bradford."""
  there, white = _to_xyz(gamut)
  here, srgb_white = _to_xyz(BT709)
  cone = np.array(
    [
      [0.8951, 0.2664, -0.1614],
      [-0.7502, 1.7135, 0.0367],
      [0.0389, -0.0685, 1.0296],
    ]
  )
  scale = np.diag((cone @ srgb_white) / (cone @ white))
  matrix = np.linalg.inv(here) @ np.linalg.inv(cone) @ scale @ cone @ there
  shown = np.clip(light @ matrix.T, 0, 1)
  curve = np.where(
    shown <= 0.0031308, 12.92 * shown, 1.055 * shown ** (1 / 2.4) - 0.055
  )
  return 255 * curve


def _managed(photo):
  """Bytes of sRGB that littlecms makes of a photo and its profile."""
  image = Image.fromarray(photo.pixels)
  if photo.grey:
    image = image.convert("L")
  return np.asarray(
    ImageCms.profileToProfile(
      image,
      io.BytesIO(photo.icc_profile),
      ImageCms.createProfile("sRGB"),
      renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
      outputMode="RGB",
    ),
    int,
  )


@pytest.mark.parametrize(
  ("extra", "gamut", "light"),
  [
    (_gamma(62500), BT709, _linear(SAMPLES, 1.6)),
    (_gamma(62500) + _chromaticities(BT709), BT709, _linear(SAMPLES, 1.6)),
    (_gamma(45455) + _chromaticities(SWAPPED), SWAPPED, _srgb_light(SAMPLES)),
    (_chromaticities(BT2020), BT2020, _srgb_light(SAMPLES)),
    (_gamma(100_000) + _chromaticities(P3), P3, _linear(SAMPLES, 1)),
    (_code_points(9, 1, 0, 1), BT2020, _bt709_light(SAMPLES)),
    (_code_points(12, 13, 0, 1), P3, _srgb_light(SAMPLES)),
    (_code_points(4, 4, 0, 1), NTSC, _linear(SAMPLES, 2.2)),
    (_code_points(2, 8, 0, 1), BT709, _linear(SAMPLES, 1)),
    # cICP comes before all others, and sRGB before gAMA and cHRM.
    (
      _code_points(9, 13, 0, 1) + _gamma(62500) + _chromaticities(SWAPPED),
      BT2020,
      _srgb_light(SAMPLES),
    ),
  ],
)
def test_a_png_shows_the_colours_that_its_chunks_describe(extra, gamut, light):
  photo = images.read(_png(extra))
  np.testing.assert_array_equal(photo.pixels, SAMPLES)
  # Both ends round to 8 bits, and a profile's numbers to 2**-16.
  wanted = _shown_srgb(light, gamut)
  np.testing.assert_allclose(_managed(photo), wanted, atol=1.5)
  # It is a description that matters here.
  assert np.abs(wanted - SAMPLES).max() > 5


@pytest.mark.parametrize(
  ("primaries", "transfer", "gamut", "light"),
  [
    (9, 8, BT2020, lambda v: _linear(v, 1)),
    (12, 13, P3, _srgb_light),
    (1, 4, BT709, lambda v: _linear(v, 2.2)),
  ],
)
def test_an_avif_shows_the_colours_of_its_code_points(
  primaries, transfer, gamut, light
):
  photo = images.read(_avif(primaries, transfer))
  wanted = _shown_srgb(light(photo.pixels), gamut)
  np.testing.assert_allclose(_managed(photo), wanted, atol=1.5)


@pytest.mark.parametrize(
  "file",
  [
    _png(_gamma(62500), MIDDLE),
    _png(_gamma(62500) + _chromaticities(SWAPPED), MIDDLE),
  ],
)
def test_a_grey_png_shows_the_greys_of_its_gamma(file):
  photo = images.read(file)
  assert photo.grey and photo.icc_profile[16:20] == b"GRAY"
  light = np.dstack([_linear(MIDDLE, 1.6)] * 3)
  np.testing.assert_allclose(
    _managed(photo), _shown_srgb(light, BT709), atol=1.5
  )


def test_a_grey_avif_shows_the_greys_of_its_transfer():
  photo = images.read(_avif(9, 8, MIDDLE))
  light = _linear(photo.pixels, 1)
  np.testing.assert_allclose(
    _managed(photo), _shown_srgb(light, BT709), atol=1.5
  )


@pytest.mark.parametrize(
  "extra",
  [
    b"",
    _gamma(45455),
    _gamma(45455) + _chromaticities(BT709),
    _gamma(45454) + _chromaticities(((0.3127, 0.3291), *BT709[1:])),
    _chromaticities(BT709),
    _gamma(0),
    make_chunk(b"sRGB", b"\0") + _gamma(62500) + _chromaticities(SWAPPED),
    _code_points(1, 13, 0, 1) + _gamma(62500),
    _code_points(2, 2, 0, 1),
  ],
)
def test_a_png_of_srgb_has_no_profile(extra):
  assert images.read(_png(extra)).icc_profile is None


@pytest.mark.parametrize("points", [(1, 13), (2, 2), (2, 13)])
def test_an_avif_of_srgb_has_no_profile(points):
  assert images.read(_avif(*points)).icc_profile is None


def test_a_profile_in_the_file_overrides_gamma_and_chromaticities():
  iccp = encode(Image.fromarray(SAMPLES), icc_profile=SRGB)
  start = iccp.index(b"iCCP") - 4
  size = 12 + int.from_bytes(iccp[start : start + 4])
  extra = iccp[start : start + size] + _gamma(62500) + _chromaticities(SWAPPED)
  assert images.read(_png(extra)).icc_profile == SRGB
  extra += _code_points(9, 13, 0, 1)
  assert images.read(_png(extra)).icc_profile != SRGB


def test_a_profile_in_an_avif_overrides_its_code_points():
  file = encode(Image.fromarray(RGB), "AVIF", icc_profile=SRGB)
  assert images.read(file).icc_profile == SRGB


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
@pytest.mark.parametrize(
  "make", [lambda t: _png(_code_points(9, t, 0, 1)), lambda t: _avif(9, t)]
)
def test_high_dynamic_range_is_refused(make, transfer, name):
  with pytest.raises(JaxlicError, match=f"{name} .*tone-map it to SDR first"):
    images.read(make(transfer))


@pytest.mark.parametrize("points", [(9, 1, 9, 1), (9, 1, 0, 0), (9, 1, 0, 2)])
def test_a_png_that_is_not_rgb_of_full_range_is_refused(points):
  with pytest.raises(JaxlicError, match="must say RGB .* of full range"):
    images.read(_png(_code_points(*points)))


@pytest.mark.parametrize("points", [(3, 1, 0, 1), (1, 9, 0, 1), (10, 13, 0, 1)])
def test_unknown_code_points_are_refused(points):
  with pytest.raises(JaxlicError, match="of H.273 are not read"):
    images.read(_png(_code_points(*points)))


@pytest.mark.parametrize(
  "gamut",
  [
    ((0, 0),) * 4,
    ((0.3127, 0), *BT709[1:]),
    (BT709[0], (0.1, 0.1), (0.2, 0.2), (0.3, 0.3)),
    (BT709[0], (20_000, 0.3), *BT709[2:]),
  ],
)
def test_primaries_that_span_no_gamut_are_refused(gamut):
  with pytest.raises(JaxlicError, match="primaries must span a gamut"):
    images.read(_png(_chromaticities(gamut)))


@pytest.mark.parametrize("value", [1, 2**32 - 1])
def test_a_gamma_out_of_reason_is_refused(value):
  with pytest.raises(JaxlicError, match="gamma must be in 0.01..100"):
    images.read(_png(_gamma(value)))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".avif"])
@pytest.mark.parametrize("pixels", [SAMPLES, MIDDLE])
def test_a_described_space_is_written(tmp_path, suffix, pixels):
  photo = images.read(_png(_gamma(62500), pixels))
  path = tmp_path / f"photo{suffix}"
  images.write(path, photo)
  assert images.read(path).icc_profile == photo.icc_profile


ADOBE = ((0.3127, 0.329), (0.64, 0.33), (0.21, 0.71), (0.15, 0.06))


def _camera_exif(space, index=None):
  inner = {0xA001: Field(3, struct.pack(">H", space))}
  if index:
    inner[0xA005] = {1: Field(2, index + b"\0")}
  return directories.structure({0x8769: inner})


def _camera_jpeg(pixels, *states, **options):
  exif = b"Exif\0\0" + _camera_exif(*states)
  options = {"quality": 100, "subsampling": "4:4:4"} | options
  return encode(Image.fromarray(pixels), "JPEG", exif=exif, **options)


@pytest.mark.parametrize("states", [(2,), (65535, b"R03")])
@pytest.mark.parametrize("load", [False, True])
def test_a_camera_s_adobe_rgb_is_shown(states, load):
  image = Image.open(io.BytesIO(_camera_jpeg(SAMPLES, *states)))
  if load:
    image.load()
  photo = images.from_pil(image)
  # Adobe RGB (1998), 4.3.4.2: a power of 2 + 51/256.
  wanted = _shown_srgb(_linear(photo.pixels, 2.19921875), ADOBE)
  np.testing.assert_allclose(_managed(photo), wanted, atol=1.5)


@pytest.mark.parametrize(
  "states", [(1,), (65535,), (65535, b"R98"), (1, b"R03")]
)
def test_a_camera_s_srgb_has_no_profile(states):
  photo = images.read(_camera_jpeg(SAMPLES, *states))
  assert photo.icc_profile is None and photo.notes == ()


def test_a_camera_s_profile_counts_before_its_exif():
  file = _camera_jpeg(SAMPLES, 2, icc_profile=SRGB)
  assert images.read(file).icc_profile == SRGB


def test_grey_of_adobe_rgb_has_its_curve():
  assert images.read(_camera_jpeg(MIDDLE, 2)).icc_profile[16:20] == b"GRAY"


def _tiff(**options):
  tags = TiffImagePlugin.ImageFileDirectory_v2()
  for tag, value in options.pop("tags").items():
    tags[tag] = value
  return encode(Image.fromarray(SAMPLES), "TIFF", tiffinfo=tags, **options)


@pytest.mark.parametrize("load", [False, True])
def test_primaries_of_a_tiff_are_shown(load):
  primaries = tuple(value for point in SWAPPED[1:] for value in point)
  image = Image.open(io.BytesIO(_tiff(tags={318: SWAPPED[0], 319: primaries})))
  if load:
    image.load()
  photo = images.from_pil(image)
  wanted = _shown_srgb(_srgb_light(photo.pixels), SWAPPED)
  np.testing.assert_allclose(_managed(photo), wanted, atol=1.5)


def test_srgb_s_primaries_in_a_tiff_are_no_profile():
  primaries = tuple(value for point in BT709[1:] for value in point)
  assert images.read(_tiff(tags={319: primaries})).icc_profile is None


def test_a_transfer_function_of_a_tiff_is_told():
  curve = tuple(range(0, 65536, 256))
  assert images.read(_tiff(tags={301: curve})).notes == (
    "a transfer function was left out",
  )
  assert images.read(_tiff(tags={301: curve}, icc_profile=SRGB)).notes == ()


def test_half_of_the_primaries_of_a_tiff_are_told():
  photo = images.read(_tiff(tags={319: (0.3, 0.6)}))
  assert photo.icc_profile is None
  assert photo.notes == ("damaged primaries were left out",)


def _bmp(space, colours, profile=b""):
  """A BMP of version 5, one pixel; BITMAPV5HEADER of Windows."""
  head = struct.pack("<IiiHHIIiiII", 124, 1, 1, 1, 24, 0, 4, 0, 0, 0, 0)
  head += bytes(16) + space + colours.ljust(48, b"\0")
  head += struct.pack("<4I", 4, 128, len(profile), 0)
  size = 14 + len(head) + 4 + len(profile)
  start = b"BM" + struct.pack("<IHHI", size, 0, 0, 14 + len(head))
  return start + head + bytes(4) + profile


@pytest.mark.parametrize(
  ("file", "told"),
  [
    (_bmp(b"DEBM", b"", SRGB), True),
    (_bmp(bytes(4), b"\1" * 36), True),
    (_bmp(bytes(4), b""), False),
    (_bmp(b"BGRs", b""), False),
  ],
)
def test_colours_of_a_bmp_are_told(file, told):
  note = "a BMP's own colour space was left out"
  assert images.read(file).notes == ((note,) if told else ())
