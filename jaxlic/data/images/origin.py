"""Files that images of Pillow were opened from, as far as they can be had."""

import io
import os
from pathlib import Path

from PIL import Image, ImageFile

from jaxlic.data.images import formats
from jaxlic.data.images.opening import is_read, open_image
from jaxlic.errors import JaxlicError

_NAME = "image"
# Formats whose plugins take the whole file at once.
_HELD = ("AVIF", "WEBP", "HEIF", "JXL")


def check_open(name: str, image: Image.Image) -> None:
  """Refuses an image whose pixels, or number of frames, cannot be read now.

  Raises:
    JaxlicError: If its file is closed.
  """
  file = getattr(image, "fp", None)
  closed = file is None or getattr(file, "closed", False)
  closed &= image.format not in _HELD
  # A GIF counts its frames when it is asked.
  counts = image.format == "GIF" and isinstance(image, ImageFile.ImageFile)
  if closed and (getattr(image, "tile", None) or counts):
    raise JaxlicError(
      f"{name}: its file is closed; open it anew, or pass a copy() that was"
      " made before"
    )


def undecoded(image: Image.Image) -> bytes:
  """Returns the file of an image, empty if that changed or is decoded.

  Raises:
    JaxlicError: If the file cannot be opened any more.
  """
  file = getattr(image, "fp", None)
  # Plugins of other packages have no tiles before decoding either.
  waiting = getattr(image, "tile", None) or image.format in ("HEIF", "JXL")
  if not file or not waiting or image.tell() or not is_read(image.format):
    return b""
  try:
    place = file.tell()
    file.seek(0)
    data = file.read()
    file.seek(place)
  except (OSError, ValueError):  # closed, or a pipe
    return b""
  if formats.kind(data[: formats.PEEK]) == "JPEG XL":
    return data  # which knows no draft, and opens decoded
  fresh = open_image(_NAME, io.BytesIO(data))
  # `draft` may have asked for another size or mode.
  same = (fresh.size, fresh.mode) == (image.size, image.mode)
  return data if same else b""


def named_file(image: Image.Image) -> tuple[Image.Image | None, bytes]:
  """Returns the file by the name of an image's, opened anew, and its bytes.

  Without one that is of the same format and size: None, and no bytes.
  """
  path = getattr(image, "filename", "")
  if not isinstance(image, ImageFile.ImageFile) or not path:
    return None, b""
  try:
    data = Path(os.fsdecode(path)).read_bytes()
    fresh = open_image(_NAME, io.BytesIO(data))
  except (OSError, ValueError, JaxlicError):  # gone, or another one
    return None, b""
  same = fresh.format == image.format and sorted(fresh.size) == sorted(
    image.size
  )
  return (fresh, data) if same else (None, b"")
