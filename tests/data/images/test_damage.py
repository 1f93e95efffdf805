import base64
import io
import re
import subprocess
from concurrent import futures

import numpy as np
import pytest
from PIL import Image, ImageFile, PngImagePlugin

from jaxlic.data import images
from jaxlic.errors import JaxlicError, explain
from tests.data.images.exif_bytes import make_exif
from tests.data.images.image_files import encode, make_chunk


def _textured(height, width):
  """Waves and noise: what codecs spend bits on everywhere, as in a photo."""
  rows, columns = np.mgrid[:height, :width]
  waves = 128 + 60 * np.sin(rows / 7) + 40 * np.sin((rows + columns) / 5)
  noise = np.random.default_rng(0).normal(0, 12, (height, width, 3))
  return Image.fromarray((waves[..., None] + noise).clip(0, 255).astype("u1"))


PHOTO = _textured(96, 128)
CLEAR = PHOTO.copy()
CLEAR.putalpha(Image.radial_gradient("L").resize(PHOTO.size))
JPEGS = {
  "baseline": encode(PHOTO, "JPEG", quality=90),
  "optimized": encode(PHOTO, "JPEG", quality=90, optimize=True),
  "progressive": encode(PHOTO, "JPEG", quality=90, progressive=True),
  "grey": encode(PHOTO.convert("L"), "JPEG", quality=90),
  "cmyk": encode(PHOTO.convert("CMYK"), "JPEG", quality=90),
  "restarts": encode(PHOTO, "JPEG", quality=90, restart_marker_rows=1),
  "phone": encode(PHOTO, "MPO", save_all=True, append_images=[PHOTO]),
}
# 16x16, by jpegtran -arithmetic of libjpeg-turbo, which Pillow cannot write.
ARITHMETIC = base64.b64decode(
  "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9"
  "PDkzODdASFxOQERXRTc4UG1RV19iZ2hnPk1xeXBkeFxlZ2P/yQALCAAQABABAREA/8wABgAQ"
  "EAX/2gAIAQEAAD8A/wBmCMBa97C76sfIgb48eID/2Q=="
)
PICTURES = {
  "webp": encode(PHOTO, "WEBP"),
  "lossless webp": encode(PHOTO, "WEBP", lossless=True),
  "clear webp": encode(CLEAR, "WEBP"),
  "clear lossless webp": encode(CLEAR, "WEBP", lossless=True),
  "avif": encode(PHOTO, "AVIF", speed=9),
  "clear avif": encode(CLEAR, "AVIF", speed=9),
}


def _end(file):
  """Where the first picture of a JPEG file has its EOI."""
  second = file.find(b"\xff\xd9\xff\xd8")
  return file.rindex(b"\xff\xd9") if second < 0 else second


def _zeros(file):
  end = _end(file)
  return file[: int(0.6 * end)] + bytes(end - int(0.6 * end)) + file[end:]


def _without_eoi(file):
  return _zeros(file)[: _end(file)] + bytes(2)


def _closed(file):
  return file[: int(0.55 * _end(file))] + b"\xff\xd9"


def _overwritten(file, seed, size=64):
  rng = np.random.default_rng(seed)
  at = rng.integers(len(file) // 4, 3 * len(file) // 4)
  return file[:at] + rng.bytes(size) + file[at + size :]


def _tail_of_zeros(file, part=0.6):
  size = int(part * len(file))
  return file[:size] + bytes(len(file) - size)


def _refused(file):
  try:
    images.read(file)
  except JaxlicError as error:
    assert "\n" not in str(error)
    return True
  return False


def _is_told(file, match):
  """Checks that a file is refused by default, and salvaged with a note."""
  with pytest.raises(JaxlicError, match=rf"^image: damaged \(.*{match}") as e:
    images.read(file, background="white")
  assert "\n" not in str(e.value) and "(--salvage)" in str(e.value)
  photo = images.read(file, background="white", salvage=True)
  assert re.search(match, photo.notes[-1]) and "\n" not in photo.notes[-1]
  return photo


@pytest.mark.parametrize("damage", [_zeros, _closed])
@pytest.mark.parametrize("kind", JPEGS)
def test_a_jpeg_without_its_end_is_told_and_salvaged(kind, damage):
  file = damage(JPEGS[kind])
  photo = _is_told(file, "Corrupt JPEG data|image file is truncated")
  assert photo.pixels.shape == (96, 128, 3)


@pytest.mark.parametrize("kind", JPEGS)
def test_a_jpeg_that_ends_in_zeros_is_told_and_salvaged(kind):
  _is_told(_without_eoi(JPEGS[kind]), "JPEG|truncated")


@pytest.mark.parametrize("kind", ["baseline", "grey", "restarts", "cmyk"])
def test_salvage_keeps_what_a_cut_jpeg_has(kind):
  # Rows of blocks are coded one after the other: 60 % of the bytes of a picture
  # that is alike everywhere are its upper half and more.
  sound = images.read(JPEGS[kind])
  rest = images.read(JPEGS[kind][: int(0.6 * _end(JPEGS[kind]))], salvage=True)
  np.testing.assert_array_equal(rest.pixels[:47], sound.pixels[:47])
  assert len(rest.notes) == 1


@pytest.mark.parametrize("kind", sorted(JPEGS.keys() - {"phone"}))
def test_overwritten_bytes_of_a_jpeg_are_mostly_told(kind):
  # The others are valid codes, and libjpeg has nothing to say.
  files = [_overwritten(JPEGS[kind], seed) for seed in range(20)]
  assert sum(map(_refused, files)) > 10


def _jpegs_that_are_sound():
  exif = Image.Exif()
  exif[270] = "a description"
  baseline = JPEGS["baseline"]
  return JPEGS | {
    "arithmetic": ARITHMETIC,
    "bytes after its end": baseline + b"SEFH and a camera's data",
    "zeros after its end": baseline + bytes(70_000),
    "fill bytes before its end": baseline[:-2] + b"\xff" * 5 + b"\xd9",
    "exif": encode(PHOTO, "JPEG", exif=exif),
    "rgb": encode(PHOTO, "JPEG", keep_rgb=True),
    "1x1": encode(PHOTO.crop((0, 0, 1, 1)), "JPEG"),
  }


@pytest.mark.parametrize("kind", _jpegs_that_are_sound())
@pytest.mark.parametrize("salvage", [False, True])
def test_sound_jpegs_give_the_pixels_of_pillow(kind, salvage):
  file = _jpegs_that_are_sound()[kind]
  photo = images.read(file, salvage=salvage)
  wanted = Image.open(io.BytesIO(file)).convert("RGB")
  np.testing.assert_array_equal(photo.pixels, wanted)
  assert not any("damaged" in note for note in photo.notes)


@pytest.mark.parametrize(
  "text", ["Unsupported marker", "unknown JFIF revision"]
)
def test_what_is_no_damage_to_simplejpeg_is_left_to_pillow(monkeypatch, text):
  def refuse(*args, **options):
    raise ValueError(text)

  monkeypatch.setattr("simplejpeg.decode_jpeg", refuse)
  assert images.read(JPEGS["baseline"]).notes == ()


@pytest.mark.parametrize("part", [0.5, 0.8])
@pytest.mark.parametrize("kind", PICTURES)
def test_a_picture_that_ends_in_zeros_is_told_and_salvaged(kind, part):
  file = _tail_of_zeros(PICTURES[kind], part)
  Image.open(io.BytesIO(file)).load()  # the decoder says nothing
  _is_told(file, "ends in [0-9]+ zero bytes of no effect")


@pytest.mark.parametrize("kind", PICTURES)
def test_a_cut_picture_is_refused_and_salvaged(kind):
  file = PICTURES[kind][: int(0.7 * len(PICTURES[kind]))]
  with pytest.raises(JaxlicError, match="damaged"):
    images.read(file, background="white")
  photo = images.read(file, background="white", salvage=True)
  missing = len(PICTURES[kind]) - len(file)
  assert photo.notes[0] == f"cut: its last {missing} bytes are lost"
  assert photo.pixels.shape == (96, 128, 3)


@pytest.mark.parametrize("kind", PICTURES)
def test_sound_pictures_have_no_notes(kind):
  assert images.read(PICTURES[kind], background="white").notes == ()


@pytest.mark.parametrize(
  ("options", "least"),
  [
    ({"lossless": True, "quality": 0, "method": 0}, 9000),
    ({"quality": 50, "method": 0}, 500),
  ],
)
def test_a_flat_picture_may_end_in_zeros(options, least):
  samples = np.full((256, 256, 3), 255, np.uint8)
  samples[:128] = np.random.default_rng(0).integers(0, 256, (128, 256, 3))
  file = encode(Image.fromarray(samples), "WEBP", **options)
  assert file.endswith(bytes(least))
  assert images.read(file).notes == ()


def test_metadata_after_a_picture_may_end_in_zeros():
  for kind in ("WEBP", "AVIF"):
    exif = b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0" + bytes(500)
    file = encode(PHOTO, kind, exif=exif)
    assert images.read(file).notes == ()


TIFFS = {
  "Fax3DecodeRLE": encode(PHOTO.convert("1"), "TIFF", compression="tiff_ccitt"),
  "Fax4Decode": encode(PHOTO.convert("1"), "TIFF", compression="group4"),
  "code not yet in table": encode(PHOTO, "TIFF", compression="tiff_lzw"),
  "ZIPDecode": encode(PHOTO, "TIFF", compression="tiff_adobe_deflate"),
  "JPEG": encode(PHOTO, "TIFF", compression="jpeg"),
}


@pytest.mark.parametrize("report", TIFFS)
def test_reports_of_libtiff_are_told_in_one_line_and_not_printed(report, capfd):
  file = TIFFS[report]
  photo = _is_told(_overwritten(file, 0, 200), report)
  assert photo.pixels.shape == (96, 128, 3)
  assert capfd.readouterr() == ("", "")


def test_reports_of_libtiff_are_not_mixed_up_in_threads(capfd):
  file = TIFFS["Fax4Decode"]
  files = [file, _overwritten(file, 0)] * 4
  with futures.ThreadPoolExecutor(8) as pool:
    assert list(pool.map(_refused, files)) == [False, True] * 4
  assert capfd.readouterr() == ("", "")


def test_group_3_fax_without_its_end_is_told(capfd):
  file = encode(PHOTO.convert("1"), "TIFF", compression="group3")
  half = len(file) // 2
  file = file[:half] + bytes(len(file) // 4) + file[half + len(file) // 4 :]
  _is_told(file, "Fax3Decode")
  assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "I;16", "LA"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_compressed_tiffs_give_what_others_give(mode, orientation):
  image = PHOTO.convert("L" if mode == "I;16" else mode).crop((0, 0, 20, 10))
  if mode == "I;16":
    image = Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
  exif = Image.Exif()
  exif[274] = orientation
  plain, packed = (
    images.read(
      encode(image, "TIFF", compression=kind, exif=exif),
      background="white",
      reduce_depth=True,
    )
    for kind in (None, "tiff_adobe_deflate")
  )
  np.testing.assert_array_equal(packed.pixels, plain.pixels)
  assert packed.pixels.shape == (
    (10, 20, 3) if orientation == 1 else (20, 10, 3)
  )
  assert packed.grey == plain.grey and packed.notes == ()


def test_corrupt_jpeg_data_in_a_tiff_are_told():
  # To libtiff they are a warning, which Pillow turns off.
  sound = encode(PHOTO.convert("L"), "TIFF", compression="jpeg", quality=90)
  _is_told(_overwritten(sound, 1), "Corrupt JPEG data")


def test_a_flipped_bit_of_a_png_is_told():
  file = encode(PHOTO, "PNG")
  for at in range(len(file) // 4, 3 * len(file) // 4, len(file) // 20):
    assert _refused(file[:at] + bytes([file[at] ^ 4]) + file[at + 1 :])


def test_a_png_that_ends_in_zeros_is_told_and_salvaged():
  # Zeros are codes of samples, too, and Pillow stops at the last of these.
  file = encode(PHOTO, "PNG")
  end = file.index(b"IEND") - 8
  lost = file[: end // 2] + bytes(end - end // 2) + file[end:]
  photo = _is_told(lost, "the PNG chunk at byte [0-9]+ fails its check")
  np.testing.assert_array_equal(photo.pixels[:40], np.asarray(PHOTO)[:40])


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "PPM", "TIFF"])
def test_cut_images_are_refused_and_salvaged(kind):
  image = PHOTO.quantize() if kind == "GIF" else PHOTO
  file = encode(image, kind, interlace=False)
  sound = images.read(file)
  photo = _is_told(file[: int(0.6 * len(file))], "truncated")
  rows = slice(-40, None) if kind == "BMP" else slice(40)  # lowest row first
  np.testing.assert_array_equal(photo.pixels[rows], sound.pixels[rows])
  assert not ImageFile.LOAD_TRUNCATED_IMAGES


@pytest.mark.parametrize(
  "file", [b"a text", b"\xff\xd8", b"RIFF\xff\xff\xff\xff"]
)
def test_what_holds_no_picture_is_not_salvaged(file):
  with pytest.raises(JaxlicError, match="not an image of a known format"):
    images.read(file, salvage=True)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP"])
def test_lack_of_memory_is_no_damage(monkeypatch, kind):
  def refuse(*args):
    raise MemoryError

  file = encode(PHOTO, kind)
  monkeypatch.setattr("PIL.ImageFile.ImageFile.load", refuse)
  for salvage in (False, True):
    with pytest.raises(MemoryError):
      images.read(file, salvage=salvage)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP"])
@pytest.mark.parametrize("error", [EOFError, AssertionError])
def test_an_error_without_words_is_damage(monkeypatch, kind, error):
  def refuse(*args):
    raise error

  file = encode(PHOTO, kind)
  monkeypatch.setattr("PIL.ImageFile.ImageFile.load", refuse)
  with pytest.raises(JaxlicError, match=rf"damaged \({error.__name__}\)"):
    images.read(file)


def _no_process(*args, **options):
  raise BlockingIOError(11, "Resource temporarily unavailable")


def _killed(*args, **options):
  return subprocess.CompletedProcess(args, -9, b"", b"")


@pytest.mark.parametrize(
  ("run", "match"), [(_no_process, "temporarily"), (_killed, "ended with -9")]
)
@pytest.mark.parametrize("salvage", [False, True])
def test_a_process_that_cannot_run_is_no_damage(
  monkeypatch, run, match, salvage
):
  monkeypatch.setattr("subprocess.run", run)
  with pytest.raises(OSError, match=match) as error:
    images.read(TIFFS["JPEG"], salvage=salvage)
  assert "raise the limits" in explain(error.value)
  with pytest.raises(OSError, match=match):
    images.from_pil(Image.open(io.BytesIO(TIFFS["JPEG"])))


def test_python_that_cannot_be_found_is_no_damage(monkeypatch):
  monkeypatch.setattr("sys.executable", "")
  with pytest.raises(OSError, match="cannot decode in a process of its own"):
    images.read(TIFFS["JPEG"])


def test_a_decoder_that_crashes_is_damage(monkeypatch):
  done = subprocess.CompletedProcess((), -11, b"", b"")
  monkeypatch.setattr("subprocess.run", lambda *args, **options: done)
  with pytest.raises(JaxlicError, match="damaged .its decoder crashed"):
    images.read(TIFFS["JPEG"])


@pytest.mark.parametrize("name", [b"tEXt", b"eXIf", b"zTXt"])
def test_a_damaged_chunk_beside_the_pixels_is_salvaged(name):
  file = encode(PHOTO)
  chunk = make_chunk(name, b"words\0and more")[:-1] + b"!"
  broken = file[:33] + chunk + file[33:]
  with pytest.raises(JaxlicError, match="damaged"):
    images.read(broken)
  photo = images.read(broken, salvage=True)
  np.testing.assert_array_equal(photo.pixels, PHOTO)
  name = name.decode()
  assert photo.notes == (f"a damaged PNG chunk, {name}, was left out",)


@pytest.mark.parametrize("kind", ["exif", "xmp"])
def test_the_rest_of_a_png_is_turned_as_the_whole(kind):
  info = PngImagePlugin.PngInfo()
  packet = b'<a tiff:Orientation="6"/>'
  if kind == "xmp":
    info.add(b"iTXt", b"XML:com.adobe.xmp" + bytes(5) + packet)
  exif = make_exif() if kind == "exif" else None
  file = encode(PHOTO, pnginfo=info, exif=exif)
  whole = images.read(file)
  rest = images.read(file[:-2000], salvage=True)
  assert rest.pixels.shape == whole.pixels.shape == (128, 96, 3)
  np.testing.assert_array_equal(rest.pixels[:, -40:], whole.pixels[:, -40:])
  assert (rest.exif, rest.xmp) == (whole.exif, whole.xmp)


@pytest.mark.parametrize("mode", ["CMYK", "LAB", "YCbCr", "LA", "P", "1"])
def test_the_rest_of_a_tiff_of_any_mode_is_salvaged(mode):
  image = Image.new("LAB", (128, 96)) if mode == "LAB" else PHOTO.convert(mode)
  file = encode(image, "TIFF")
  whole = images.read(file)
  # The directory lies before the samples.
  rest = _is_told(file[:-200], "truncated|bytes")
  np.testing.assert_array_equal(rest.pixels[:70], whole.pixels[:70])


@pytest.mark.parametrize("kind", ["AVIF", "WEBP"])
def test_damaged_exif_leaves_the_picture_and_is_told(kind):
  sound = encode(PHOTO, kind, exif=b"Exif\0\0" + make_exif(orientation=1))
  file = sound.replace(b"II*\0", b"XX*\0")
  photo = images.read(file)
  np.testing.assert_array_equal(photo.pixels, images.read(sound).pixels)
  assert photo.exif is None
  assert photo.notes[0].startswith("damaged EXIF was left out")
  assert images.header_size("photo", file) == (96, 128)
