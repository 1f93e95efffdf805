"""Damage that decoders report, or that their input shows.

Pillow takes what libjpeg calls corrupt for a picture, stops at the last row of
a PNG without a look at its checks, and lets libtiff print. Here all are heard:

- JPEG data are decoded a second time, small and grey, by the libjpeg-turbo of
  simplejpeg, which raises warnings. It takes a third to 4/5 as long as the
  first time; bytes after the end of the picture are of no interest.
- The checks of a PNG's IDAT chunks are computed.
- Compressed TIFF files are decoded in a process of their own, see `apart`. It
  takes some 0.1 s more a file: convert, or pack, those that train a model.
- Ends of WebP, AVIF and HEIC pictures that are zeros are judged by `tails`.

Silent, and read as if nothing were:

- bytes in a JPEG's scan that are other valid codes, as many as before. Of scans
  with 64 bytes overwritten up to a tenth passes at quality 90, a third at 75
  and half at 50, of those with one byte three quarters; progressive files lose
  less. One that is cut exactly between two scans, and closed, passes too;
- such bytes of CCITT, PackBits, LZW or deflate in TIFF, and of GIF;
- all bytes in WebP, AVIF and HEIC but a lost end, as these have no checks;
- samples stored as they are, in BMP, PPM and uncompressed TIFF;
- the lost check or end of a PNG all of whose rows are there.

What cannot be salvaged: JPEG XL, as its decoder gives all or nothing, and files
that are not known for what they are.
"""

import io

import simplejpeg
from PIL import Image

from jaxlic.data.images import apart, png, tails
from jaxlic.data.images.opening import NO_DAMAGE, damaged, reason
from jaxlic.errors import JaxlicError, one_line

# What libjpeg's warnings on coded data start with; its others are on headers.
_CORRUPT = ("Corrupt JPEG data", "Premature end of JPEG file")
_TIFF_COMPRESSION, _TIFF_JPEG, _TIFF_TABLES = 259, 7, 347
_TIFF_PLACES = ((273, 279), (324, 325))  # of strips, of tiles


def load(
  name: str, image: Image.Image, data: bytes, *, salvage: bool
) -> tuple[Image.Image, tuple[str, ...]]:
  """Returns an image decoded, and notes on what was lost.

  Args:
    name: What the error calls the file.
    image: The image, opened but not decoded.
    data: The file's bytes.
    salvage: Whether the rest of a damaged picture is taken.

  Raises:
    JaxlicError: If nothing can be decoded, or not all and `salvage` is False.
    apart.ProcessError: If the system lacks what decoding needs.
  """
  try:
    report = _decode(image, data) or _judge(image, data)
  except NO_DAMAGE:
    raise
  except Exception as error:  # each plugin raises its own kinds
    report = reason(error)
    image = _rest(name, data, error) if salvage else image
  return image, _notes(name, report, salvage=salvage)


def check(
  name: str, image: Image.Image, data: bytes, *, salvage: bool
) -> tuple[str, ...]:
  """Returns notes on damage, decoding no more of a file than that takes.

  Args:
    name: What the error calls the file.
    image: The image, opened but not decoded.
    data: The file's bytes.
    salvage: As of `load`.

  Raises:
    JaxlicError: If there is any, and `salvage` is False.
    apart.ProcessError: As of `load`.
  """
  packed = image.tile and image.tile[0][0] == "libtiff"
  report = _decode(image, data) if packed else None
  return _notes(name, report or _judge(image, data), salvage=salvage)


def completed(data: bytes) -> tuple[bytes, tuple[str, ...]]:
  """Returns a file that was cut as one that can be opened, and notes on it."""
  if data.startswith(b"\xff\xd8"):
    return data + b"\xff\xd9", ()  # nothing is lost if only that is missing
  if data.startswith(png.SIGNATURE):
    return png.without_damage(data)
  missing = tails.missing_bytes(data)
  # Sizes may be as wrong as the rest.
  if not 0 < missing <= 4 * len(data):
    return data, ()
  return data + bytes(missing), (f"cut: its last {missing} bytes are lost",)


def _notes(name: str, report: str | None, *, salvage: bool) -> tuple[str, ...]:
  if not report:
    return ()
  if salvage:
    return (f"damaged ({report}): a part is lost",)
  raise JaxlicError(
    f"{name}: damaged ({report}); get the file again, or take what is left"
    " with salvage (--salvage)"
  )


def _decode(image: Image.Image, data: bytes) -> str | None:
  """Decodes an image in place; returns what libtiff reports."""
  if image.format == "TIFF":
    image.load_end = lambda: None  # it would turn them upright
  if not image.tile or image.tile[0][0] != "libtiff":
    _load(image)
    return None
  samples, reports = apart.tiff_samples(data)
  # In the file's place, as tags are read from there once more. All of this is
  # Pillow's own affair: it is so in 13.0.
  (tile,) = image.tile
  image.tile = [
    tile._replace(codec_name="raw", offset=len(data), args=(image.mode, 0, 1))
  ]
  image.use_load_libtiff = False
  image.fp = io.BytesIO(data + samples)
  image.decodermaxblock = max(len(samples), 1)  # at once
  _load(image)
  return one_line(Exception(reports[0])).rstrip(".") if reports else None


def _load(image: Image.Image) -> None:
  image.load()
  if image.format == "TIFF":
    image._size = image.im.size  # as stored; it was that of upright pixels


def _rest(name: str, data: bytes, error: Exception) -> Image.Image:
  """What can be decoded of an image that Pillow refuses."""
  whole, _ = apart.whole(data)
  if not whole:
    raise damaged(name, error) from error
  image = Image.open(io.BytesIO(whole))
  image.load()
  return image


def _judge(image: Image.Image, data: bytes) -> str | None:
  """A line on what shows that a decoded image is damaged, or None."""
  if image.format == "PNG":
    return _judge_png(data)
  if image.format in ("JPEG", "MPO"):
    return _judge_jpeg(data)
  if (
    image.format == "TIFF" and image.tag_v2.get(_TIFF_COMPRESSION) == _TIFF_JPEG
  ):
    return _judge_jpeg_tiff(image, data)
  if image.format in ("WEBP", "AVIF", "HEIF"):
    return tails.report(image, data)
  return None


def _judge_png(data: bytes) -> str | None:
  # Pillow looks at no IDAT's check, nor at zlib's once all rows are there.
  for chunk in png.walk(data):
    if chunk.name == b"IDAT" and not chunk.sound:
      return f"the PNG chunk at byte {chunk.start} fails its check"
  return None


def _judge_jpeg(data: bytes) -> str | None:
  # GRAY is the fastest of those that each file but CMYK can become.
  for space in ("GRAY", "CMYK"):
    try:
      simplejpeg.decode_jpeg(
        data, space, min_height=1, min_width=1, min_factor=8
      )
      return None
    except ValueError as error:
      if str(error).startswith(_CORRUPT):
        return one_line(error)
  return None  # sound, or of a kind that Pillow alone decodes


def _judge_jpeg_tiff(image: Image.Image, data: bytes) -> str | None:
  tags = image.tag_v2
  tables = tags.get(_TIFF_TABLES, b"")[:-2]  # without EOI
  for starts, sizes in _TIFF_PLACES:
    places = zip(tags.get(starts, ()), tags.get(sizes, ()), strict=False)
    for start, size in places:
      strip = data[start : start + size]
      report = _judge_jpeg(tables + strip[2:] if tables else strip)
      if report:
        return report
  return None
