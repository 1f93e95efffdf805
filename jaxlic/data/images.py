"""Photographs in and out, as people have them.

A `Photo` is what the codecs take and give: 8-bit RGB, upright. What a file
holds beyond that (alpha, 16 bits, more frames) is refused with a line that
names the way out, never dropped in silence. Metadata other than the ICC
profile and the orientation is not read.
"""

import io
import logging
import os
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageCms, ImageColor, ImageOps

from jaxlic.data import depth, output
from jaxlic.errors import JaxlicError, one_line

MAX_PIXELS = 2**26

# Pillow logs some of what it raises; Python prints what no handler takes.
logging.getLogger("PIL").addHandler(logging.NullHandler())
# It warns of large images and damaged metadata, both of which are judged here.
# Once and for all, as filters set during a read are not safe in threads.
warnings.filterwarnings("ignore", module=r"PIL\.")

_FORMATS = "PNG JPEG WEBP AVIF TIFF BMP GIF PPM".split()
_READABLE = ".png .jpg .jpeg .webp .avif .tif .tiff .bmp .gif .ppm .pgm".split()
_GREY_MODES = ("1", "L", "LA")
_RGB_MODES = ("P", "PA", "RGB", "RGBA", "RGBX", "YCbCr")

_JPEG = ("JPEG", {"quality": 95, "subsampling": "4:4:4"})
_TIFF = ("TIFF", {"compression": "tiff_deflate"})
_WRITERS = {
  ".png": ("PNG", {}),
  ".jpg": _JPEG,
  ".jpeg": _JPEG,
  ".webp": ("WEBP", {"lossless": True}),
  ".avif": ("AVIF", {"quality": 95, "subsampling": "4:4:4"}),
  ".tif": _TIFF,
  ".tiff": _TIFF,
  ".bmp": ("BMP", {}),
}


class Photo(NamedTuple):
  """An upright picture of 8 bits."""

  pixels: UInt8[np.ndarray, "H W 3"]  # a grey photo's channels are equal
  grey: bool = False  # of one channel in its file
  icc_profile: bytes | None = None  # GRAY if grey, else RGB; None: sRGB


def read(
  source: str | os.PathLike | bytes,
  *,
  background: str | None = None,
  reduce_depth: bool = False,
) -> Photo:
  """Returns the photograph in a file, or in the bytes of one.

  EXIF orientation is applied, palettes are expanded, alpha that is opaque
  everywhere is dropped. CMYK becomes sRGB, through its ICC profile if there is
  one; other colour spaces are converted as Pillow does. A profile that
  describes another colour space than the pixels is left out.

  Args:
    source: A path, or the bytes of a file.
    background: Colour under transparent pixels, as a name or `#rrggbb`.
    reduce_depth: Round more than 8 bits per sample to 8. Floating point
      samples are taken as [0, 1].

  Raises:
    JaxlicError: If there is no such file, or it holds no whole image of a known
      format, more than `MAX_PIXELS` pixels, several frames, alpha without
      `background`, or more than 8 bits without `reduce_depth`.
  """
  name, data = _load(source)
  image = _open(name, io.BytesIO(data))
  depth.check(name, image, data, reduce_depth=reduce_depth)
  try:
    image.load()
  except Exception as error:  # each plugin raises its own kinds
    raise _damaged(name, error) from error
  image = _upright(depth.reduce(name, image))
  return _to_photo(name, image, background)


def check_header(path: str | os.PathLike) -> None:
  """Refuses a file of which the header shows that `read` would refuse it.

  Decodes nothing: damage further on, alpha and depth stay unseen.

  Raises:
    JaxlicError: If it cannot be opened, or is no single image of a known format
      and of `MAX_PIXELS` or fewer.
  """
  try:
    with open(path, "rb") as file:
      _open(os.fspath(path), file)
  except OSError as error:
    raise JaxlicError(
      f"{path}: cannot read ({error.strerror}); check its permissions"
    ) from error


def header_size(name: str, data: bytes) -> tuple[int, int]:
  """Returns height and width as stored, which EXIF may exchange.

  Raises:
    JaxlicError: As `check_header` does.
  """
  image = _open(name, io.BytesIO(data))
  return image.height, image.width


def write(path: str | os.PathLike, photo: Photo) -> None:
  """Writes a photograph in the format that the suffix names, atomically.

  PNG, WebP, TIFF and BMP are lossless; JPEG and AVIF are written at quality 95
  without chroma subsampling. A grey photo becomes a file of one channel, its
  luma where the channels differ (WebP knows no grey: equal channels).

  Raises:
    JaxlicError: If the suffix is unknown, the format cannot hold the photo or
      its ICC profile, or the file cannot be written.
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
  if photo.icc_profile and (kind == "BMP" or (kind == "WEBP" and photo.grey)):
    raise JaxlicError(
      f"{path}: {kind} cannot hold this photo's ICC profile; write .png, or"
      " drop the profile"
    )
  file = io.BytesIO()
  try:
    image = Image.fromarray(photo.pixels)
    image = image.convert("L") if photo.grey else image
    image.save(file, kind, icc_profile=photo.icc_profile, **options)
  except Exception as error:  # each plugin raises its own kinds
    raise JaxlicError(
      f"{path}: {kind} cannot hold this photo ({one_line(error)}); write .png"
    ) from error
  output.write_bytes(path, file.getvalue())


def check_photo_target(path: str | os.PathLike) -> Path:
  """Returns the file that `write` to the path would replace or create.

  Raises:
    JaxlicError: As `output.check_target`, or if the suffix is unknown.
  """
  target = output.check_target(path)
  _writer(Path(path))
  return target


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


def _writer(path: Path) -> tuple[str, dict[str, Any]]:
  """The format that a suffix names, and the options to write it with."""
  if path.suffix.lower() not in _WRITERS:
    raise JaxlicError(
      f"{path}: cannot write the suffix {path.suffix!r}; use .png, or one of"
      f" {' '.join(_WRITERS)}"
    )
  return _WRITERS[path.suffix.lower()]


def _load(source: str | os.PathLike | bytes) -> tuple[str, bytes]:
  """The name for error messages, and the bytes."""
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


def _open(name: str, file: io.BufferedIOBase) -> Image.Image:
  """The image before decoding, of one frame and an allowed size."""
  try:
    image = Image.open(file, formats=_FORMATS)
    # MPO is the JPEG of phones that append a second picture (depth, gain map);
    # the photograph is its first.
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
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
    raise _damaged(name, error) from error
  if image.width * image.height > MAX_PIXELS:
    raise JaxlicError(
      f"{name}: images have at most {MAX_PIXELS} pixels, this one"
      f" {image.width}x{image.height}; crop or scale it"
    )
  if 0 in image.size:
    raise JaxlicError(
      f"{name}: no pixels, {image.width}x{image.height}; get the image again"
    )
  if frames > 1:
    raise JaxlicError(
      f"{name}: only single images are read, this file holds {frames} frames"
      " or pages; save one as PNG"
    )
  return image


def _upright(image: Image.Image) -> Image.Image:
  try:
    return ImageOps.exif_transpose(image)
  except Exception:  # damaged EXIF says nothing of the orientation
    return image


def _to_photo(name: str, image: Image.Image, background: str | None) -> Photo:
  """Resolves alpha, colour space and profile of an image of 8 bits."""
  profile = image.info.get("icc_profile")
  space = profile[16:20] if profile else None
  grey, fits = image.mode in _GREY_MODES, image.mode in _RGB_MODES
  if image.has_transparency_data:
    rgba = image.convert("RGBA")
    if rgba.getextrema()[3] != (255, 255):
      rgba, colour = _composite(name, rgba, background)
      grey, fits = grey and len(set(colour)) == 1, fits or grey
    image = rgba
  elif image.mode == "CMYK" and space == b"CMYK":
    source, target = io.BytesIO(profile), ImageCms.createProfile("sRGB")
    try:
      image = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    except ImageCms.PyCMSError as error:
      raise _damaged(f"{name}: its CMYK profile", error) from error
  rgb = np.array(image.convert("RGB"))
  kept = space == b"GRAY" if grey else fits and space == b"RGB "
  return Photo(rgb, grey, profile if kept else None)


def _composite(
  name: str, rgba: Image.Image, background: str | None
) -> tuple[Image.Image, tuple[int, ...]]:
  """The image over the background, and that background's colour."""
  if background is None:
    raise JaxlicError(
      f"{name}: transparent pixels are not coded; pass background"
      " (--background), for example white, or save it opaque"
    )
  try:
    colour = ImageColor.getrgb(background)[:3]
  except ValueError as error:
    raise JaxlicError(
      f"background must be a colour name or #rrggbb, got {background!r}; try"
      " white"
    ) from error
  canvas = Image.new("RGBA", rgba.size, (*colour, 255))
  canvas.alpha_composite(rgba)
  return canvas, colour


def _damaged(name: str, error: Exception) -> JaxlicError:
  return JaxlicError(f"{name}: damaged ({one_line(error)}); get the file again")
