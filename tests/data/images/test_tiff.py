import zlib

import numpy as np
import PIL
import pytest

from jaxlic.data import images
from jaxlic.errors import JaxlicError
from tests.data.images.image_files import GREY, RGB, make_tiff

# Tags of TIFF 6.0.
COMPRESSION, PLANAR, COLOUR_MAP, EXTRA, SAMPLE_FORMAT = 259, 284, 320, 338, 339
SUBSAMPLING = 530
# Before version 13 Pillow knows neither uncompressed YCbCr, nor grey with
# premultiplied alpha.
UNKNOWN = "not an image of a known format|damaged"
OLD_PILLOW = int(PIL.__version__.split(".")[0]) < 13


def _is_unknown(file):
  with pytest.raises(JaxlicError, match=UNKNOWN):
    images.read(file)
  return True


@pytest.mark.parametrize(("bits", "order"), [(8, "<"), (16, "<"), (16, ">")])
def test_signed_samples_are_refused(bits, order):
  file = make_tiff(
    bytes(bits // 8),
    1,
    photometric=1,
    bits=(bits,),
    order=order,
    extra={SAMPLE_FORMAT: (2,)},
  )
  with pytest.raises(JaxlicError, match=f"here signed {bits}-bit; add"):
    images.read(file, reduce_depth=True)


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("white", [0, 1])
def test_greys_of_every_depth_reach_from_black_to_white(bits, white):
  # The least sample and the greatest, in one row.
  row = (2**bits - 1).to_bytes(4) if bits == 16 else None
  row = row or ((2**bits - 1) << (8 - 2 * bits) % 8).to_bytes(-(-bits // 4))
  file = make_tiff(row, 2, photometric=white, bits=(bits,), order="<")
  photo = images.read(file, reduce_depth=True)
  assert photo.grey
  assert photo.pixels[0, :, 0].tolist() == ([0, 255] if white else [255, 0])


@pytest.mark.parametrize("compressed", [False, True])
def test_separate_planes_give_their_pixels(compressed):
  planes = [plane.tobytes() for plane in np.moveaxis(RGB, -1, 0)]
  if compressed:  # stored as they are, so of one size
    planes = [zlib.compress(plane, 0) for plane in planes]
  file = make_tiff(
    b"".join(planes),
    4,
    6,
    photometric=2,
    bits=(8, 8, 8),
    planes=3,
    extra={PLANAR: (2,), COMPRESSION: (8 if compressed else 1,)},
  )
  np.testing.assert_array_equal(images.read(file).pixels, RGB)


@pytest.mark.parametrize("scale", [257, 256, 1])
def test_palettes_of_16_and_of_8_bits_give_the_same(scale):
  ramp = tuple(scale * v for v in range(256))
  file = make_tiff(
    GREY.tobytes(), 4, 6, photometric=3, bits=(8,), extra={COLOUR_MAP: 3 * ramp}
  )
  np.testing.assert_array_equal(images.read(file).pixels[..., 0], GREY)


def test_cmyk_without_a_profile_is_the_complement_of_its_inks():
  inks = np.random.default_rng(5).integers(0, 256, (6, 4, 4), np.uint8)
  file = make_tiff(inks.tobytes(), 4, 6, photometric=5, bits=(8,) * 4)
  light = 1 - inks / 255
  wanted = 255 * light[..., :3] * light[..., 3:]
  # Pillow rounds, and truncates once.
  np.testing.assert_allclose(images.read(file).pixels, wanted, atol=1)


def test_lab_shows_its_colours_in_srgb():
  # L* in 0..255 for 0..100, a* and b* signed: TIFF 6.0, section 23.
  lab = np.int16([[[128, 20, -30], [200, -15, 25], [90, 5, 5], [255, 0, 0]]])
  file = make_tiff(
    lab.astype(np.uint8).tobytes(), 4, photometric=8, bits=(8,) * 3
  )
  photo = images.read(file)
  np.testing.assert_allclose(photo.pixels, _lab_to_srgb(lab), atol=1.5)
  assert photo.icc_profile is None


def _lab_to_srgb(lab):
  """CIE 15:2018, 8.2.1, of D50, by ICC's matrix of sRGB for D50."""
  lightness, a, b = np.moveaxis(lab.astype(np.float64), -1, 0)
  f = (lightness / 255 * 100 + 16) / 116
  f = np.stack([f + a / 500, f, f - b / 200], -1)
  linear = (f - 16 / 116) * 3 * (6 / 29) ** 2
  xyz = np.where(f > 6 / 29, f**3, linear) * [0.9642, 1, 0.8249]
  # Lindbloom, "RGB/XYZ matrices", sRGB, D50 by Bradford.
  matrix = np.linalg.inv(
    [
      [0.4360747, 0.3850649, 0.1430804],
      [0.2225045, 0.7168786, 0.0606169],
      [0.0139322, 0.0971045, 0.7141733],
    ]
  )
  light = np.clip(xyz @ matrix.T, 0, 1)
  curve = 1.055 * light ** (1 / 2.4) - 0.055
  return 255 * np.where(light <= 0.0031308, 12.92 * light, curve)


def test_uncompressed_ycbcr_is_that_of_jfif():
  ycc = np.random.default_rng(6).integers(100, 150, (6, 4, 3), np.uint8)
  file = make_tiff(
    ycc.tobytes(),
    4,
    6,
    photometric=6,
    bits=(8,) * 3,
    extra={SUBSAMPLING: (1, 1)},
  )
  if OLD_PILLOW and _is_unknown(file):
    return
  y, cb, cr = np.moveaxis(ycc.astype(np.float64), -1, 0)
  # ITU-T T.871, 7; Pillow's tables are rounded.
  wanted = np.stack(
    [
      y + 1.402 * (cr - 128),
      y - (0.114 * 1.772 * (cb - 128) + 0.299 * 1.402 * (cr - 128)) / 0.587,
      y + 1.772 * (cb - 128),
    ],
    -1,
  )
  np.testing.assert_allclose(images.read(file).pixels, wanted, atol=1.01)


def test_uncompressed_ycbcr_of_fewer_chroma_samples_is_refused():
  # Two by two pixels are four of luma and two of chroma; two is the default.
  file = make_tiff(bytes(36), 4, 6, photometric=6, bits=(8,) * 3)
  wanted = UNKNOWN if OLD_PILLOW else "chroma sample per pixel"
  with pytest.raises(JaxlicError, match=wanted):
    images.read(file)


@pytest.mark.parametrize("bits", [(8, 8), (8,) * 4])
def test_premultiplied_alpha_is_composited(bits):
  channels = len(bits) - 1
  data = bytes([100] * channels + [128])
  file = make_tiff(
    data,
    1,
    photometric=2 if channels == 3 else 1,
    bits=bits,
    extra={EXTRA: (1,)},
  )
  if OLD_PILLOW and channels == 1 and _is_unknown(file):
    return
  # The samples are weighed by alpha already; the rest is white.
  wanted = 100 + 255 * (1 - 128 / 255)
  photo = images.read(file, background="white")
  np.testing.assert_allclose(photo.pixels, wanted, atol=1)


def test_a_channel_of_no_purpose_is_told():
  file = make_tiff(
    bytes([1, 2, 3, 0]), 1, photometric=2, bits=(8,) * 4, extra={EXTRA: (0,)}
  )
  photo = images.read(file)
  assert photo.pixels.tolist() == [[[1, 2, 3]]]
  assert photo.notes == ("a channel of unspecified meaning was left out",)


@pytest.mark.parametrize("bits", [16, 64])
def test_floating_point_of_other_sizes_is_refused(bits):
  file = make_tiff(
    bytes(bits // 8),
    1,
    photometric=1,
    bits=(bits,),
    extra={SAMPLE_FORMAT: (3,)},
  )
  with pytest.raises(JaxlicError, match="convert it to PNG"):
    images.read(file, reduce_depth=True)


def test_floating_point_colour_is_refused():
  file = make_tiff(
    bytes(12),
    1,
    photometric=2,
    bits=(32,) * 3,
    extra={SAMPLE_FORMAT: (3, 3, 3)},
  )
  with pytest.raises(JaxlicError, match="convert it to PNG"):
    images.read(file, reduce_depth=True)


def test_rows_without_a_strip_are_refused():
  # The strip holds the first row of six, and they are not black.
  file = make_tiff(
    RGB[:1].tobytes(),
    4,
    6,
    photometric=2,
    bits=(8,) * 3,
    extra={278: (1,)},
  )
  with pytest.raises(JaxlicError, match="damaged .strips of 4 samples, not 24"):
    images.read(file)


def test_a_plane_without_a_strip_is_refused():
  file = make_tiff(
    RGB[..., :2].tobytes(),
    4,
    6,
    photometric=2,
    bits=(8,) * 3,
    planes=2,
    extra={PLANAR: (2,)},
  )
  with pytest.raises(JaxlicError, match="damaged"):
    images.read(file)
