"""Photographs written in the format that a file's suffix names."""

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from jaxlic.data import output
from jaxlic.data.images import embedding
from jaxlic.data.images.opening import reason
from jaxlic.data.images.photo import Photo
from jaxlic.errors import JaxlicError

# What files of PNG and JPEG say of who wrote them.
_WRITER = "jaxlic"
_JPEG = ("JPEG", {"quality": 95, "subsampling": "4:4:4", "comment": _WRITER})
_TIFF = ("TIFF", {"compression": "tiff_deflate"})
WRITERS = {
  ".png": ("PNG", {}),
  ".jpg": _JPEG,
  ".jpeg": _JPEG,
  ".webp": ("WEBP", {"lossless": True}),
  ".avif": ("AVIF", {"quality": 95, "subsampling": "4:4:4"}),
  ".tif": _TIFF,
  ".tiff": _TIFF,
  ".bmp": ("BMP", {}),
}


def write(path: str | os.PathLike, photo: Photo) -> None:
  """Writes a photograph in the format that the suffix names, atomically.

  Raises:
    JaxlicError: As `encode`, or if the file cannot be written.
  """
  output.write_bytes(path, encode(path, photo))


def encode(path: str | os.PathLike, photo: Photo) -> bytes:
  """Returns the file of a photograph in the format that the suffix names.

  PNG, WebP, TIFF and BMP are lossless; JPEG and AVIF are written at quality 95
  without chroma subsampling. A grey photo becomes a file of one channel, its
  luma where the channels differ (WebP knows no grey: equal channels). ICC
  profile, EXIF and XMP are written; a TIFF has the descriptive tags of EXIF.

  Raises:
    JaxlicError: If the suffix is unknown, or the format cannot hold the photo,
      its ICC profile, EXIF or XMP.
  """
  path = Path(path)
  kind, options = _writer(path)
  if kind == "AVIF" and photo.grey:
    options = options | {"subsampling": "4:0:0"}
  if photo.pixels.dtype != np.uint8 or photo.pixels.shape[2:] != (3,):
    raise JaxlicError(
      f"{path}: pixels must be uint8 [H W 3], got {photo.pixels.dtype}"
      f" {list(photo.pixels.shape)}; convert them first"
    )
  embedding.check(path, kind, photo)
  file = io.BytesIO()
  try:
    image = Image.fromarray(photo.pixels)
    image = image.convert("L") if photo.grey else image
    options = options | embedding.options(kind, photo)
    if kind == "PNG":
      options.setdefault("pnginfo", PngImagePlugin.PngInfo())
      options["pnginfo"].add_text("Software", _WRITER)
    image.save(file, kind, **options)
    data = embedding.add(kind, file.getvalue(), photo)
  except MemoryError:
    raise
  except Exception as error:  # each plugin raises its own kinds
    raise JaxlicError(
      f"{path}: {kind} cannot hold this photo ({reason(error)}); write .png"
    ) from error
  return data


def check_photo_target(path: str | os.PathLike, *, force: bool = False) -> Path:
  """Returns the file that `write` to the path would replace or create.

  Of existing pictures only those are replaced that `write` wrote, as PNG and
  JPEG say: any other may be the photograph that all began with.

  Raises:
    JaxlicError: As `output.check_target`.
  """
  return output.check_target(path, _PICTURE, force=force)


def _is_ours(path: Path) -> bool:
  try:
    with Image.open(path) as image:
      said = image.info.get("Software"), image.info.get("comment")
  except MemoryError:
    raise
  except Exception:  # each plugin raises its own kinds
    return False
  return _WRITER in said or _WRITER.encode() in said


_PICTURE = output.Kind("a picture by jaxlic", tuple(WRITERS), _is_ours)


def _writer(path: Path) -> tuple[str, dict[str, Any]]:
  """The format that a suffix names, and the options to write it with."""
  if path.suffix.lower() not in WRITERS:
    raise JaxlicError(
      f"{path}: cannot write the suffix {path.suffix!r}; use .png, or one of"
      f" {' '.join(WRITERS)}"
    )
  return WRITERS[path.suffix.lower()]
