"""Image files in a folder, by their suffixes."""

import os
from collections.abc import Sequence
from pathlib import Path

from jaxlic.errors import JaxlicError

# The suffixes of the formats that are read.
READABLE = (
  ".png .jpg .jpeg .jpe .jfif .webp .avif .heic .heif .hif .jxl .tif .tiff .bmp"
  " .gif .ppm .pgm .pbm .pnm"
).split()


def list_photos(folder: str | os.PathLike) -> list[Path]:
  """Returns the image files in a folder and below it, by suffix, sorted.

  Hidden files are left out, and those in hidden folders: among them are the
  `._*.jpg` of macOS, which hold no image, and thumbnails.

  Raises:
    JaxlicError: If there is no such folder, or no image in it.
  """
  return list_files(folder, READABLE)


def list_files(
  folder: str | os.PathLike,
  suffixes: Sequence[str],
  *,
  recursive: bool = True,
) -> list[Path]:
  """Returns the files in a folder that end in a suffix, sorted.

  Args:
    folder: Where to look.
    suffixes: In lower case.
    recursive: Whether to look below it, too.

  Raises:
    JaxlicError: If there is no such folder, or no such file in it.
  """
  folder = Path(folder)
  if not os.path.exists(folder):
    raise JaxlicError(f"{folder}: no such folder; check the path")
  if not os.path.isdir(folder):
    raise JaxlicError(f"{folder}: not a folder; give the one that holds it")
  photos = sorted(
    path
    for path in (folder.rglob("*") if recursive else folder.glob("*"))
    if path.suffix.lower() in suffixes
    and not any(p.startswith(".") for p in path.relative_to(folder).parts)
    and path.is_file()
  )
  if not photos:
    raise JaxlicError(
      f"{folder}: no such files here, wanted {' '.join(suffixes)}; give another"
      f" folder{'' if recursive else ', or --recursive to look below it'}"
    )
  return photos
