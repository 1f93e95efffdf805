"""Files of images, opened and judged by their headers, not yet decoded."""

import contextlib
import io
import logging
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from jaxlic.data.images import apart, boxes, formats, jxl
from jaxlic.errors import JaxlicError, one_line

MAX_PIXELS = 2**26

# Pillow logs some of what it raises; Python prints what no handler takes.
logging.getLogger("PIL").addHandler(logging.NullHandler())
# It warns of large images and damaged metadata, both of which are judged here.
# Once and for all, as filters set during a read are not safe in threads.
warnings.filterwarnings("ignore", module=r"PIL\.")

# What says nothing of a file, and passes every border.
NO_DAMAGE = (JaxlicError, MemoryError, apart.ProcessError)

_FORMATS = "PNG JPEG WEBP AVIF TIFF BMP GIF PPM".split()


def check_header(path: str | os.PathLike) -> tuple[int, int]:
  """Refuses a file of which the header shows that `read` would refuse it.

  Decodes nothing: damage further on, alpha and depth stay unseen. Returns what
  `header_size` does, without reading all of the file.

  Raises:
    JaxlicError: If it cannot be opened, or is no single image of a known format
      and of `MAX_PIXELS` or fewer.
  """
  try:
    with open(path, "rb") as file:
      return _header_size(os.fspath(path), file)
  except OSError as error:
    raise JaxlicError(
      f"{path}: cannot read ({error.strerror}); check its permissions"
    ) from error


def header_size(name: str, data: bytes) -> tuple[int, int]:
  """Returns height and width as stored, which EXIF may exchange.

  Raises:
    JaxlicError: As `check_header` does.
  """
  return _header_size(name, io.BytesIO(data))


def named_bytes(source: str | os.PathLike | bytes) -> tuple[str, bytes]:
  """Returns what errors call a file, and its bytes.

  Raises:
    JaxlicError: If it cannot be read, or is empty.
  """
  if isinstance(source, bytes):
    name, data = "image", source
  else:
    name = os.fspath(source)
    try:
      data = Path(source).read_bytes()
    except FileNotFoundError as error:
      raise JaxlicError(f"{name}: no such file; check the path") from error
    except IsADirectoryError as error:
      raise JaxlicError(f"{name}: is a folder; give a file in it") from error
    except PermissionError as error:
      raise JaxlicError(
        f"{name}: no permission to read; change it with chmod u+r"
      ) from error
    except (OSError, ValueError) as error:
      raise JaxlicError(
        f"{name!r}: cannot read ({one_line(error)}); check the path"
      ) from error
  if not data:
    raise JaxlicError(f"{name}: empty, 0 bytes; get the image again")
  return name, data


def open_image(name: str, file: io.BufferedIOBase) -> Image.Image:
  """Returns the image before decoding, of one frame and an allowed size.

  Raises:
    JaxlicError: If it is damaged, of an unknown format, or of another size.
  """
  try:
    image = _open(name, file)
    # MPO is the JPEG of phones that append a second picture (depth, gain map);
    # the photograph is its first.
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
  except NO_DAMAGE:
    raise
  except Image.UnidentifiedImageError as error:
    raise JaxlicError(
      f"{name}: not an image of a known format, or damaged; convert it to PNG"
    ) from error
  except Image.DecompressionBombError as error:
    raise JaxlicError(
      f"{name}: images have at most {MAX_PIXELS} pixels, this one many more;"
      " crop or scale it"
    ) from error
  except Exception as error:  # each plugin raises its own kinds
    raise damaged(name, error) from error
  check_size(name, image.width, image.height)
  if frames > 1:
    raise JaxlicError(
      f"{name}: only single images are read, this file holds {frames} frames"
      " or pages; save one as PNG"
    )
  return image


def check_size(name: str, width: int, height: int) -> None:
  """Refuses an image of no pixels, or of more than `MAX_PIXELS`.

  Raises:
    JaxlicError: If it is such.
  """
  if width * height > MAX_PIXELS:
    raise JaxlicError(
      f"{name}: images have at most {MAX_PIXELS} pixels, this one"
      f" {width}x{height}; crop or scale it"
    )
  if 0 in (width, height):
    raise JaxlicError(
      f"{name}: no pixels, {width}x{height}; get the image again"
    )


def _header_size(name: str, file: io.BufferedIOBase) -> tuple[int, int]:
  """Height and width as stored; JPEG XL, which opens decoded, stays closed."""
  kind = formats.kind(file.read(formats.PEEK))
  file.seek(0)
  if kind == "JPEG XL":
    header = _check_jxl(name, file.read())
    return header.height, header.width
  image = open_image(name, file)
  return image.height, image.width


def _check_jxl(name: str, data: bytes) -> jxl.Header:
  formats.check_jxl(name)
  header = jxl.header(name, data)
  check_size(name, header.width, header.height)
  if header.animated:
    raise JaxlicError(
      f"{name}: only single images are read, this file holds several frames;"
      " save one as PNG"
    )
  return header


def is_read(format_name: str) -> bool:
  """Returns whether `open_image` knows what Pillow calls so."""
  return format_name in (*_FORMATS, "MPO", "HEIF", "JXL")


def _open(name: str, file: io.BufferedIOBase) -> Image.Image:
  kind = formats.kind(file.read(formats.PEEK))
  file.seek(0)
  if kind == "HEIC":
    return formats.open_heic(name, file)
  if kind == "JPEG XL":
    _check_jxl(name, file.read())
    file.seek(0)
    return formats.open_jxl(name, file)
  try:
    return Image.open(file, formats=_FORMATS)
  except MemoryError:
    raise
  except Exception:  # each plugin raises its own kinds
    file.seek(0)
    data = file.read()
    if b"Exif" not in boxes.item_kinds(data):
      raise
    # Pillow refuses an AVIF for its damaged EXIF.
    file = io.BytesIO(boxes.without_exif(data))
    return Image.open(file, formats=_FORMATS)


@contextlib.contextmanager
def telling_damage(name: str) -> Iterator[None]:
  """Takes any error of the block for damage of a file, but for `NO_DAMAGE`.

  Raises:
    JaxlicError: What `damaged` returns.
  """
  try:
    yield
  except NO_DAMAGE:
    raise
  except Exception as error:  # each plugin raises its own kinds
    raise damaged(name, error) from error


def damaged(name: str, error: Exception) -> JaxlicError:
  """Returns the error of a file that a plugin of Pillow gave up on."""
  return JaxlicError(f"{name}: damaged ({reason(error)}); get the file again")


def reason(error: Exception) -> str:
  """Returns what an error says, or its kind if it says nothing."""
  return one_line(error) or type(error).__name__
