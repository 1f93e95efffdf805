import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from jaxlic.data import images
from jaxlic.errors import JaxlicError

RGB = np.random.default_rng(0).integers(0, 256, (6, 4, 3), np.uint8)
GREY = RGB[..., 0]
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
# The reader looks at bytes 16..19, the colour space, and copies the rest.
GRAY = SRGB[:16] + b"GRAY" + SRGB[20:]
LOSSLESS = ("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {}), ("BMP", {})


def _file(image, kind="PNG", **options):
  file = io.BytesIO()
  image.save(file, kind, **options)
  return file.getvalue()


def _png(width, height, *, bits, colour, raw, extra=b""):
  """A PNG by hand: Pillow writes no 16-bit colour."""

  def chunk(name, data):
    crc = struct.pack(">I", zlib.crc32(name + data))
    return struct.pack(">I", len(data)) + name + data + crc

  header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
  body = chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
  return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + body


def _deep_png(samples):
  """16-bit RGB from an array [H W 3]."""
  raw = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
  height, width, _ = samples.shape
  return _png(width, height, bits=16, colour=2, raw=raw)


def _tiff(data, *, width, photometric=1, bits=16):
  """An uncompressed TIFF of one row by hand; photometric 2 is RGB."""
  channels = 3 if photometric == 2 else 1
  start = 8 + 2 + 12 * 8 + 4
  depth = bits if channels == 1 else start + len(data)
  tags = [
    (256, 3, 1, width),
    (257, 3, 1, 1),
    (258, 3, channels, depth),
    (259, 3, 1, 1),
    (262, 3, 1, photometric),
    (273, 4, 1, start),
    (277, 3, 1, channels),
    (279, 4, 1, len(data)),
  ]
  entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
  head = b"II*\0" + struct.pack("<IH", 8, len(tags))
  return head + entries + bytes(4) + data + struct.pack("<HHH", *[bits] * 3)


def _cmyk_profile():
  """An ICC profile by hand: black ink lowers L*, other inks do nothing."""
  identity = struct.pack(
    ">9i", *(65536 * i for i in (1, 0, 0, 0, 1, 0, 0, 0, 1))
  )
  ramp = bytes(range(256))
  lut = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + identity
  lut += 4 * ramp + 8 * bytes([255, 128, 128, 0, 128, 128]) + 3 * ramp
  d50 = bytes.fromhex("0000f6d6000100000000d32d")
  size = 128 + 4 + 12 + len(lut)
  header = struct.pack(">I", size) + b"lcms" + bytes.fromhex("02400000")
  header += b"prtrCMYKLab " + bytes(12) + b"acsp" + bytes(28) + d50
  header = header.ljust(128, b"\0")
  return header + struct.pack(">I4sII", 1, b"A2B0", 144, len(lut)) + lut


def _set_alpha(values):
  return np.dstack([RGB, np.broadcast_to(values, GREY.shape)]).astype(np.uint8)


@pytest.mark.parametrize(("kind", "options"), LOSSLESS)
def test_lossless_files_give_their_pixels(kind, options):
  photo = images.read(_file(Image.fromarray(RGB), kind, **options))
  np.testing.assert_array_equal(photo.pixels, RGB)
  assert not photo.grey


@pytest.mark.parametrize("kind", ["JPEG", "AVIF"])
def test_lossy_files_give_nearly_their_pixels(kind):
  flat = Image.new("RGB", (32, 32), (200, 100, 50))
  photo = images.read(_file(flat, kind, quality=95))
  # One step of 8-bit YCbCr moves a channel by up to 2.
  np.testing.assert_allclose(photo.pixels[5, 5], (200, 100, 50), atol=3)


def test_a_path_and_its_bytes_give_the_same(tmp_path):
  path = tmp_path / "a b ü.png"
  path.write_bytes(_file(Image.fromarray(RGB)))
  for source in (path, str(path)):
    np.testing.assert_array_equal(images.read(source).pixels, RGB)


def test_pixels_may_be_written_to():
  images.read(_file(Image.fromarray(RGB))).pixels[0, 0, 0] = 1


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_grey_files_give_three_equal_channels(kind):
  photo = images.read(_file(Image.fromarray(GREY), kind))
  np.testing.assert_array_equal(photo.pixels, np.dstack([GREY] * 3))
  assert photo.grey


def test_files_of_one_bit_are_black_and_white():
  photo = images.read(_file(Image.fromarray(GREY > 127)))
  np.testing.assert_array_equal(photo.pixels[..., 0], 255 * (GREY > 127))
  assert photo.grey


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_palettes_are_expanded(kind):
  palette = Image.fromarray(RGB).quantize(256)
  photo = images.read(_file(palette, kind))
  np.testing.assert_array_equal(photo.pixels, palette.convert("RGB"))
  assert not photo.grey


# The corner that holds the first stored pixel, after TIFF 6.0, tag 274.
@pytest.mark.parametrize(
  ("orientation", "corner"),
  [
    (1, (0, 0)),
    (2, (0, -1)),
    (3, (-1, -1)),
    (4, (-1, 0)),
    (5, (0, 0)),
    (6, (0, -1)),
    (7, (-1, -1)),
    (8, (-1, 0)),
  ],
)
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_exif_orientation_is_applied(kind, orientation, corner):
  exif = Image.Exif()
  exif[274] = orientation
  photo = images.read(_file(Image.fromarray(RGB), kind, exif=exif))
  assert photo.pixels.shape == ((6, 4, 3) if orientation < 5 else (4, 6, 3))
  np.testing.assert_array_equal(photo.pixels[corner], RGB[0, 0])


def test_damaged_exif_leaves_the_image_readable():
  file = _file(Image.fromarray(RGB), "PNG", exif=b"Exif\0\0II*\0garbage")
  np.testing.assert_array_equal(images.read(file).pixels, RGB)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_opaque_alpha_is_dropped(mode):
  image = Image.fromarray(RGB).convert(mode[:-1]).convert(mode)
  photo = images.read(_file(image))
  np.testing.assert_array_equal(photo.pixels, image.convert("RGB"))
  assert photo.grey == (mode == "LA")


def test_alpha_is_refused_without_a_background():
  file = _file(Image.fromarray(_set_alpha(254)))
  with pytest.raises(
    JaxlicError, match=r"transparent.*background \(--background\)"
  ):
    images.read(file)


def test_alpha_is_composited_over_the_background():
  alpha = np.zeros_like(GREY)
  alpha[0] = 255
  file = _file(Image.fromarray(_set_alpha(alpha)))
  photo = images.read(file, background="#0a141e")
  np.testing.assert_array_equal(photo.pixels[0], RGB[0])
  np.testing.assert_array_equal(
    photo.pixels[1:], np.broadcast_to([10, 20, 30], (5, 4, 3))
  )


@pytest.mark.parametrize(
  ("background", "grey"), [("red", False), ("#777", True)]
)
def test_grey_with_alpha_is_grey_over_a_grey_background(background, grey):
  file = _file(Image.new("LA", (4, 4), (100, 128)))
  assert images.read(file, background=background).grey == grey


def test_a_transparent_palette_entry_is_refused():
  palette = Image.fromarray(RGB).quantize(4)
  file = _file(palette, "PNG", transparency=palette.getpixel((0, 0)))
  with pytest.raises(JaxlicError, match="transparent"):
    images.read(file)


def test_a_transparent_colour_is_refused():
  file = _file(Image.new("RGB", (4, 4), "red"), transparency=(255, 0, 0))
  with pytest.raises(JaxlicError, match="transparent"):
    images.read(file)


def test_an_unused_transparent_colour_is_dropped():
  file = _file(Image.new("RGB", (4, 4), "red"), transparency=(0, 0, 0))
  assert (images.read(file).pixels == [255, 0, 0]).all()


def test_a_background_that_is_no_colour_is_refused():
  file = _file(Image.fromarray(_set_alpha(0)))
  with pytest.raises(JaxlicError, match="got 'nocolour'; try white"):
    images.read(file, background="nocolour")


def test_cmyk_is_converted():
  photo = images.read(
    _file(Image.new("CMYK", (4, 4), (0, 255, 255, 0)), "TIFF")
  )
  assert (photo.pixels == [255, 0, 0]).all()


def test_cmyk_is_converted_through_its_profile():
  image = Image.new("CMYK", (4, 4), (9, 99, 0, 127))
  photo = images.read(_file(image, "TIFF", icc_profile=_cmyk_profile()))
  # L* = 50.2 is Y = 0.1857, and 119 in sRGB (IEC 61966-2-1); one for rounding.
  np.testing.assert_allclose(photo.pixels, np.full((4, 4, 3), 119), atol=1)
  assert photo.icc_profile is None


def test_cmyk_with_a_damaged_profile_is_refused():
  file = _file(
    Image.new("CMYK", (4, 4)), "TIFF", icc_profile=_cmyk_profile()[:140]
  )
  with pytest.raises(JaxlicError, match="CMYK profile: damaged"):
    images.read(file)


@pytest.mark.parametrize(
  ("mode", "profile", "kept"),
  [
    ("RGB", SRGB, True),
    ("P", SRGB, True),
    ("L", GRAY, True),
    ("L", SRGB, False),
    ("RGB", GRAY, False),
    ("RGB", b"short", False),
  ],
)
def test_only_a_profile_of_the_pixels_is_kept(mode, profile, kept):
  file = _file(Image.fromarray(RGB).convert(mode), icc_profile=profile)
  assert images.read(file).icc_profile == (profile if kept else None)


def test_deep_grey_is_rounded_to_the_nearest():
  # 128 is the first sample past 0.5: 128 / 65535 * 255 = 0.498, 129: 0.502.
  samples = np.array([[0, 128, 129, 32767, 32768, 65535]], np.uint16)
  photo = images.read(_file(Image.fromarray(samples)), reduce_depth=True)
  assert photo.pixels[0, :, 0].tolist() == [0, 0, 1, 127, 128, 255]
  assert photo.grey


def test_deep_grey_is_turned_upright():
  exif = Image.Exif()
  exif[274] = 6
  file = _file(Image.fromarray(np.zeros((6, 4), np.uint16)), exif=exif)
  assert images.read(file, reduce_depth=True).pixels.shape == (4, 6, 3)


def test_deep_grey_keeps_its_profile():
  samples = Image.fromarray(np.zeros((4, 4), np.uint16))
  file = _file(samples, icc_profile=GRAY)
  assert images.read(file, reduce_depth=True).icc_profile == GRAY


def test_deep_grey_where_white_is_zero_is_inverted():
  file = _tiff(b"\0\0\xff\xff", width=2, photometric=0)
  photo = images.read(file, reduce_depth=True)
  assert photo.pixels[0, :, 0].tolist() == [255, 0]


def test_twelve_bits_reach_white():
  file = _tiff(b"\xff\xff\xff", width=2, bits=12)
  assert (images.read(file, reduce_depth=True).pixels == 255).all()


def test_deep_colour_is_reduced():
  photo = images.read(_deep_png(RGB.astype(np.uint16) * 257), reduce_depth=True)
  np.testing.assert_array_equal(photo.pixels, RGB)


def test_floating_point_is_taken_from_zero_to_one():
  file = _file(Image.fromarray(np.float32([[0, 0.5, 1]])), "TIFF")
  photo = images.read(file, reduce_depth=True)
  assert photo.pixels[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize(
  "samples", [np.float32([[0, 1.5]]), np.float32([[np.nan]]), np.int32([[-1]])]
)
def test_samples_without_a_scale_are_refused(samples):
  file = _file(Image.fromarray(samples), "TIFF")
  with pytest.raises(JaxlicError, match="samples must be in"):
    images.read(file, reduce_depth=True)


def _deep_avif():
  """An AVIF whose av1C claims 10 bits; it need not decode."""
  file = bytearray(_file(Image.fromarray(RGB), "AVIF"))
  file[file.index(b"av1C") + 6] |= 0x40
  depths = file.index(b"pixi") + 9
  file[depths : depths + 3] = bytes([10, 10, 10])
  return bytes(file)


@pytest.mark.parametrize(
  ("file", "bits"),
  [
    (_file(Image.fromarray(GREY.astype(np.uint16))), 16),
    (_deep_png(RGB.astype(np.uint16)), 16),
    (_tiff(bytes(6), width=1, photometric=2), 16),
    (_file(Image.fromarray(GREY.astype(np.int32)), "TIFF"), 32),
    (_file(Image.fromarray(GREY.astype(np.float32)), "TIFF"), 32),
    (b"P6 1 1 65535\n" + bytes(6), 16),
    (b"P5 1 1 4095\n" + bytes(2), 16),
    (_deep_avif(), 10),
  ],
)
def test_deep_samples_are_never_reduced_in_silence(file, bits):
  with pytest.raises(JaxlicError, match=f"here {bits}; .*--reduce-depth"):
    images.read(file)


def test_a_transparent_colour_of_16_bits_is_refused():
  key = struct.pack(">I", 2) + b"tRNS" + bytes(2)
  key += struct.pack(">I", zlib.crc32(b"tRNS" + bytes(2)))
  file = _png(1, 1, bits=16, colour=0, raw=bytes(3), extra=key)
  with pytest.raises(JaxlicError, match="transparent colour"):
    images.read(file, reduce_depth=True)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF", "PNG", "AVIF"])
def test_several_frames_are_refused(kind):
  frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
  file = _file(frames[0], kind, save_all=True, append_images=frames[1:])
  with pytest.raises(JaxlicError, match="holds 2 frames"):
    images.read(file)


def test_a_phone_jpeg_with_a_second_picture_gives_the_first():
  frames = [Image.new("RGB", (16, 16), colour) for colour in ("white", "black")]
  file = _file(frames[0], "MPO", save_all=True, append_images=frames[1:])
  assert (images.read(file).pixels == 255).all()


@pytest.mark.parametrize(
  "kind", ["PNG", "JPEG", "WEBP", "AVIF", "TIFF", "BMP", "GIF"]
)
@pytest.mark.parametrize("part", [0.02, 0.3, 0.7])
def test_truncated_images_are_refused(kind, part):
  noise = np.random.default_rng(1).integers(0, 256, (40, 50, 3), np.uint8)
  file = _file(Image.fromarray(noise), kind)
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
  file = _png(side, side, bits=8, colour=2, raw=b"")
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
      "PIL.ImageOps.exif_transpose",
      lambda image: warned.append(list(warnings.filters)) or image,
    )
    images.read(_png(1, 1, bits=8, colour=2, raw=b"\0\0\0\0"))
  assert warned == [before]


def test_an_image_of_no_pixels_is_refused():
  with pytest.raises(JaxlicError, match="not an image|no pixels"):
    images.read(_png(0, 4, bits=8, colour=2, raw=b""))


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
  with pytest.raises(JaxlicError, match="cannot write the suffix '.xyz'"):
    images.check_photo_target(tmp_path / "photo.xyz")
  with pytest.raises(JaxlicError, match="is a folder; add a file name"):
    images.check_photo_target(tmp_path)


def test_photos_are_listed_sorted_and_nested(tmp_path):
  names = ["b.PNG", "a.jpg", "sub/c.tif", "notes.txt", "._a.jpg", "d.png/e.gif"]
  for name in names:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
  found = [str(p.relative_to(tmp_path)) for p in images.list_photos(tmp_path)]
  assert found == ["a.jpg", "b.PNG", "d.png/e.gif", "sub/c.tif"]


def test_listing_a_missing_folder_is_refused(tmp_path):
  with pytest.raises(JaxlicError, match="no such folder"):
    images.list_photos(tmp_path / "missing")


def test_listing_a_file_is_refused(tmp_path):
  (tmp_path / "a.png").touch()
  with pytest.raises(JaxlicError, match="not a folder"):
    images.list_photos(tmp_path / "a.png")


def test_listing_a_folder_without_images_is_refused(tmp_path):
  with pytest.raises(JaxlicError, match="no images here; wanted files .png"):
    images.list_photos(tmp_path)
