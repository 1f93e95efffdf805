"""What a photograph holds beside its pixels, put into files."""

from pathlib import Path
from typing import Any

from PIL import PngImagePlugin

from jaxlic.data.images import directories, exif
from jaxlic.data.images.directories import Field
from jaxlic.data.images.photo import Photo
from jaxlic.errors import JaxlicError

# A segment's 65,533 bytes less the names "Exif" and of XMP's namespace.
_JPEG_BYTES = {"exif": 65_527, "xmp": 65_504}


def check(path: Path, kind: str, photo: Photo) -> None:
  """Refuses a photo whose profile or metadata its format cannot hold.

  Raises:
    JaxlicError: If it has any and the format is BMP, a profile of grey and the
      format is WebP, or more EXIF or XMP than a JPEG takes.
  """
  if photo.icc_profile and (kind == "BMP" or (kind == "WEBP" and photo.grey)):
    raise JaxlicError(
      f"{path}: {kind} cannot hold this photo's ICC profile; write .png, or"
      " drop the profile"
    )
  if kind == "BMP" and (photo.exif or photo.xmp):
    raise JaxlicError(
      f"{path}: BMP cannot hold this photo's EXIF or XMP; write .png, or strip"
      " them (--strip)"
    )
  for name, most in _JPEG_BYTES.items() if kind == "JPEG" else ():
    size = len(getattr(photo, name) or b"")
    if size > most:
      raise JaxlicError(
        f"{path}: {name.upper()} in a JPEG has at most {most} bytes, this"
        f" photo's {size}; write .png, or strip it (--strip)"
      )


def options(kind: str, photo: Photo) -> dict[str, Any]:
  """Returns what Pillow takes to write profile, EXIF and XMP, but of a TIFF.

  Raises:
    ValueError: If the photo's EXIF is damaged.
  """
  if kind == "TIFF":
    return {}
  made = {"icc_profile": photo.icc_profile} if photo.icc_profile else {}
  if photo.exif and kind == "AVIF":
    # Pillow would write all of it anew to take an orientation out.
    made["exif"] = exif.without_orientation(photo.exif)
  elif photo.exif:
    made["exif"] = b"Exif\0\0" * (kind == "JPEG") + photo.exif
  if photo.xmp and kind == "PNG":
    made["pnginfo"] = PngImagePlugin.PngInfo()
    made["pnginfo"].add(b"iTXt", b"XML:com.adobe.xmp" + bytes(5) + photo.xmp)
  elif photo.xmp:
    made["xmp"] = photo.xmp
  return made


def add(kind: str, file: bytes, photo: Photo) -> bytes:
  """Returns a file with what `options` does not say of a photo.

  A TIFF gets the fields of EXIF that describe the picture: Pillow writes none
  inside of others to a compressed one, and of text what is ASCII.

  Raises:
    ValueError: If the photo's EXIF is damaged.
  """
  if kind != "TIFF":
    return file
  fields = {}
  if photo.exif:
    fields |= directories.parse(photo.exif, described=True)
  if photo.xmp:
    fields[directories.XMP] = Field(directories.BYTE, photo.xmp)
  if photo.icc_profile:
    fields[directories.ICC] = Field(directories.UNDEFINED, photo.icc_profile)
  return directories.add(file, fields) if fields else file
