"""HEIC and JPEG XL, by packages that are imported when such a file comes."""

import importlib
import io
from types import ModuleType

from PIL import Image

from jaxlic.data.images import boxes, jxl
from jaxlic.errors import JaxlicError

PEEK = 64  # bytes, in which the brands of a file are

_HEVC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
_ANY = {b"mif1", b"mif2", b"msf1"}
_AVIF = {b"avif", b"avis"}


def kind(head: bytes) -> str | None:
  """Returns "HEIC" or "JPEG XL" if a file begins so, else None.

  Args:
    head: Its first `PEEK` bytes.
  """
  if head.startswith((jxl.CODESTREAM, jxl.CONTAINER)):
    return "JPEG XL"
  if head[4:8] != b"ftyp":
    return None
  stop = min(int.from_bytes(head[:4]), len(head))
  brands = {head[place : place + 4] for place in range(8, stop, 4)}
  # The major brand may be that of any coding.
  foreign = head[8:12] in _ANY and not brands & _AVIF
  return "HEIC" if head[8:12] in _HEVC or foreign else None


def open_heic(name: str, file: io.BufferedIOBase) -> Image.Image:
  """Returns a HEIC image before decoding.

  Raises:
    JaxlicError: If the package that reads it is missing.
    Exception: The package's own kinds, of damage.
  """
  package = _package(name, "HEIC", "pillow_heif")
  return package.HeifImageFile(file)


def open_jxl(name: str, file: io.BufferedIOBase) -> Image.Image:
  """Returns a JPEG XL image, which its package decodes at once.

  Raises:
    JaxlicError: If the package that reads it is missing.
    Exception: The package's own kinds, of damage.
  """
  package = _package(name, "JPEG XL", "pillow_jxl")
  data = file.read()
  try:
    image = package.JpegXLImagePlugin.JXLImageFile(io.BytesIO(data))
  except RuntimeError as error:  # it advises to build libjxl
    raise ValueError("libjxl cannot decode it") from error
  # The codestream's own orientation is the one that counts, but of a JPEG that
  # was compressed once more the pixels come as that had them.
  if not image.jpeg:
    stored = dict(boxes.boxes(data))
    image.info |= {"exif": _box_exif(image), "xmp": stored.get(b"xml ", b"")}
  return image


def check_jxl(name: str) -> None:
  """Refuses JPEG XL if the package that reads it is missing.

  Raises:
    JaxlicError: If it is.
  """
  _package(name, "JPEG XL", "pillow_jxl")


def _box_exif(image: Image.Image) -> bytes:
  """EXIF without the place of its structure, which some writers leave out."""
  stored = image.info.get("exif", b"")
  if stored[:4] in (b"II*\0", b"MM\0*"):
    return stored
  return stored[4 + int.from_bytes(stored[:4]) :]


def _package(name: str, kind: str, module: str) -> ModuleType:
  try:
    return importlib.import_module(module)
  except ImportError as error:
    raise JaxlicError(
      f"{name}: {kind} is read with the package {module}; pip install"
      " 'jaxlic[formats]', or convert it to PNG"
    ) from error
