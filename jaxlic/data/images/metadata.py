"""EXIF and XMP of image files, as a photograph keeps them."""

import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from PIL import ExifTags, Image

from jaxlic.data.images import beside, directories, exif, xmp
from jaxlic.data.images.opening import reason
from jaxlic.data.images.photo import Photo

MAX_BYTES = directories.MAX_BYTES

_PREFIX = b"Exif\0\0"


class Metadata(NamedTuple):
  """What is kept beside the pixels, and what is not."""

  exif: bytes | None
  xmp: bytes | None
  notes: tuple[str, ...]  # what the file had and this has not, a line each
  orientation: int  # 1..8, that of the pixels as Pillow decodes them


def read(image: Image.Image, data: bytes) -> Metadata:
  """Returns metadata as that of an upright picture alone.

  Orientation becomes 1, and a thumbnail is left out. A TIFF's EXIF is made of
  its descriptive tags. Damaged EXIF, and either above `MAX_BYTES`, are left out
  with a note, and so are pictures beside the photograph. Of orientations EXIF's
  counts before XMP's.

  Args:
    image: The image, as its plugin opened it; decoded if it is a PNG, as EXIF
      may follow the pixels.
    data: The file's bytes, empty if there is no file.
  """
  packet, xmp_damage = _stored_xmp(image)
  stored, damage = _stored_exif(image, data)
  kept_exif, exif_notes = _upright("EXIF", exif.upright, stored)
  kept_xmp, xmp_notes = _upright("XMP", xmp.upright, packet)
  notes = (
    *damage,
    *xmp_damage,
    *exif_notes,
    *xmp_notes,
    *beside.notes(image, data, packet),
  )
  turn = _orientation(image, stored, packet)
  return Metadata(kept_exif, kept_xmp, notes, turn)


def attach(photo: Photo, kept: Metadata) -> Photo:
  """Returns the photo with metadata, and the notes of both."""
  return photo._replace(
    exif=kept.exif, xmp=kept.xmp, notes=photo.notes + kept.notes
  )


def _upright(
  name: str, edit: Callable[[bytes], bytes | None], stored: bytes
) -> tuple[bytes | None, tuple[str, ...]]:
  """What is kept of stored metadata, and notes."""
  if not stored:
    return None, ()
  if len(stored) > MAX_BYTES:
    note = f"{name} of {len(stored)} bytes, more than {MAX_BYTES}, was left out"
    return None, (note,)
  try:
    return edit(stored), ()
  except ValueError as error:
    return None, (f"damaged {name} was left out ({error})",)


def _stored_xmp(image: Image.Image) -> tuple[bytes, tuple[str, ...]]:
  """A packet, empty without XMP, and notes."""
  try:
    packet = image.info.get("xmp") or _raw_profile(image, "xmp") or b""
  except ValueError as error:
    return b"", (f"damaged XMP was left out ({reason(error)})",)
  return packet, ()


def _stored_exif(
  image: Image.Image, data: bytes
) -> tuple[bytes, tuple[str, ...]]:
  """A TIFF structure, empty without EXIF, and notes."""
  try:
    if image.format == "TIFF":
      return _tiff_exif(image, data), ()
    stored = image.info.get("exif") or _raw_profile(image, "exif") or b""
    if not data and not stored and len(image.getexif()):
      stored = _bytes_of(image)  # set in Python
  except (ValueError, struct.error) as error:
    return b"", (f"damaged EXIF was left out ({reason(error)})",)
  return stored.removeprefix(_PREFIX), ()


def _bytes_of(image: Image.Image) -> bytes:
  """EXIF of an image's tags.

  Raises:
    ValueError: If one is of a type that EXIF does not have.
  """
  try:
    return image.getexif().tobytes().removeprefix(_PREFIX)
  except MemoryError:
    raise
  except Exception as error:  # each type fails in its own way
    raise ValueError(f"a tag of another type: {reason(error)}") from error


def _orientation(image: Image.Image, stored: bytes, packet: bytes) -> int:
  jxl = image.format == "JXL" and not getattr(image, "jpeg", False)
  if image.format == "HEIF" or jxl:
    return 1  # the decoder turned them
  if image.format == "TIFF":
    found = _number(getattr(image, "tag_v2", {}).get(ExifTags.Base.Orientation))
  else:
    found = exif.orientation(stored)
  if image.format == "AVIF":
    return found or 1  # irot and imir, which Pillow puts into EXIF
  return found or xmp.orientation(packet) or 1


def _number(value: Any) -> int | None:
  """The first value of a tag of any type, as 1..8."""
  first = value[0] if isinstance(value, bytes | tuple) and value else value
  return None if value is None else int(first) if first in range(1, 9) else 1


def _tiff_exif(image: Image.Image, data: bytes) -> bytes:
  """EXIF of a TIFF's descriptive fields, in its file or as Pillow has them."""
  if not directories.DESCRIPTIVE & image.tag_v2.keys():
    return b""
  if not data:
    data = _bytes_of(image)
  if b"+" in data[2:4]:
    raise ValueError("a BigTIFF's is not read")
  fields = directories.parse(data, described=True)
  return directories.structure(fields) if fields else b""


def _raw_profile(image: Image.Image, name: str) -> bytes | None:
  """A text chunk of hexadecimal digits, as ImageMagick writes to PNG.

  Raises:
    ValueError: If it holds other characters.
  """
  text = image.info.get(f"Raw profile type {name}")
  return bytes.fromhex("".join(text.split("\n")[3:])) if text else None
