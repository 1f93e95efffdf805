"""Image files in a folder, by their suffixes."""

import os
from pathlib import Path

from jaxlic.errors import JaxlicError

# The suffixes of the formats that are read.
_READABLE = (
  ".png .jpg .jpeg .webp .avif .heic .heif .jxl .tif .tiff .bmp .gif .ppm .pgm"
).split()


def list_photos(folder: str | os.PathLike) -> list[Path]:
  """Returns the image files in a folder and below it, by suffix, sorted.

  Hidden files are left out: among them are the `._*.jpg` of macOS, which hold
  no image.

  Raises:
    JaxlicError: If there is no such folder, or no image in it.
  """
  folder = Path(folder)
  if not os.path.exists(folder):
    raise JaxlicError(f"{folder}: no such folder; check the path")
  if not os.path.isdir(folder):
    raise JaxlicError(f"{folder}: not a folder; give the one that holds it")
  photos = sorted(
    path
    for path in folder.rglob("*")
    if path.suffix.lower() in _READABLE
    and not path.name.startswith(".")
    and path.is_file()
  )
  if not photos:
    raise JaxlicError(
      f"{folder}: no images here; wanted files {' '.join(_READABLE)}"
    )
  return photos
