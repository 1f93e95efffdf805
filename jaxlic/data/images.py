"""Photographs in and out, as people have them.

A `Photo` is what the codecs take and give: 8-bit RGB, upright. What a file
holds beyond that (alpha, 16 bits, more frames) is refused with a line that
names the way out, never dropped in silence. Metadata other than the ICC
profile and the orientation is not read.

Files are written under a temporary name and then renamed, so that a reader
sees the old file or the new one, never half of it.
"""

import io
import logging
import os
import re
import secrets
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageCms, ImageColor, ImageOps

from jaxlic.types import JaxlicError

MAX_PIXELS = 2**26

# Pillow logs some of what it raises; Python prints what no handler takes.
logging.getLogger("PIL").addHandler(logging.NullHandler())

_FORMATS = "PNG JPEG WEBP AVIF TIFF BMP GIF PPM".split()
_READABLE = ".png .jpg .jpeg .webp .avif .tif .tiff .bmp .gif .ppm .pgm".split()
_GREY_MODES = ("1", "L", "LA")
_RGB_MODES = ("P", "PA", "RGB", "RGBA", "RGBX", "YCbCr")
_TIFF_BITS, _TIFF_PHOTOMETRIC = 258, 262

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
  with warnings.catch_warnings():
    # Pillow warns of large images and damaged metadata; both are judged here.
    warnings.simplefilter("ignore")
    image = _open(name, data)
    _check_depth(name, image, data, reduce_depth)
    try:
      image.load()
    except Exception as error:  # each plugin raises its own kinds
      raise _damaged(name, error) from error
    if image.mode.startswith(("I", "F")):
      image = _reduce(name, image)
    image = _upright(image)
    return _to_photo(name, image, background)


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
  if path.suffix.lower() not in _WRITERS:
    raise JaxlicError(
      f"{path}: cannot write the suffix {path.suffix!r}; use .png, or one of"
      f" {' '.join(_WRITERS)}"
    )
  kind, options = _WRITERS[path.suffix.lower()]
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
      f"{path}: {kind} cannot hold this photo ({_line(error)}); write .png"
    ) from error
  write_bytes(path, file.getvalue())


def write_bytes(path: str | os.PathLike, data: bytes) -> None:
  """Writes a file whole or not at all, replacing what was there.

  Raises:
    JaxlicError: If the target is a folder or a device, or cannot be written.
  """
  target = check_target(path)
  temporary = target.parent / f".jaxlic-{secrets.token_hex(8)}"
  try:
    # Unlike tempfile, open() leaves the permissions to the umask.
    with open(temporary, "xb") as file:
      file.write(data)
      file.flush()
      os.fsync(file.fileno())
    os.replace(temporary, target)
  except OSError as error:
    raise JaxlicError(
      f"{path}: cannot write ({error.strerror}); choose another path"
    ) from error
  finally:
    temporary.unlink(missing_ok=True)


def check_target(path: str | os.PathLike) -> Path:
  """Returns the file that a write to the path would replace or create.

  Raises:
    JaxlicError: If it is a folder or a device, or its folder is missing.
  """
  # Follow a link, so that its target is replaced and not the link itself.
  target = Path(os.path.realpath(path))
  if os.path.isdir(target):
    raise JaxlicError(f"{path}: is a folder; add a file name")
  if os.path.exists(target) and not os.path.isfile(target):
    raise JaxlicError(f"{path}: is not a regular file; give another path")
  if not os.path.isdir(target.parent):
    raise JaxlicError(f"{path}: no folder {target.parent}; create it first")
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
        f"{name!r}: cannot read ({_line(error)}); check the path"
      ) from error
  if not data:
    raise JaxlicError(f"{name}: empty, 0 bytes; get the image again")
  return name, data


def _open(name: str, data: bytes) -> Image.Image:
  """The image before decoding, of one frame and an allowed size."""
  try:
    image = Image.open(io.BytesIO(data), formats=_FORMATS)
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


def _check_depth(
  name: str, image: Image.Image, data: bytes, reduce_depth: bool
) -> None:
  """Refuses deep samples unless they may be, and can be, reduced."""
  bits = _bits(image, data)
  if bits <= 8:
    return
  if not reduce_depth:
    raise JaxlicError(
      f"{name}: samples have at most 8 bits, here {bits}; allow rounding with"
      " reduce_depth, or save it with 8 bits"
    )
  # The transparent colour is stated in the samples that are rounded away.
  if "transparency" in image.info:
    raise JaxlicError(
      f"{name}: {bits}-bit samples with a transparent colour are not read; save"
      " it with 8 bits"
    )


def _bits(image: Image.Image, data: bytes) -> int:
  """Bits per sample in the file: Pillow opens deep RGB as 8 bits, silently."""
  if image.format == "PNG":
    return data[24]  # bit depth of IHDR
  if image.format == "TIFF":
    return max(image.tag_v2.get(_TIFF_BITS, (1,)))
  if image.format == "AVIF":
    # Flags high_bitdepth, twelve_bit in each item's av1C, AV1-ISOBMFF 2.3.3.
    start = data.find(b"meta")
    size = int.from_bytes(data[start - 4 : start])
    found = re.findall(rb"av1C..(.)", data[start : start + size], re.DOTALL)
    flags = [configuration[0] for configuration in found]
    return max(8 + 2 * (f >> 6 & 1) + 2 * (f >> 5 & 1) for f in [0, *flags])
  if image.format == "PPM" and image.mode == "RGB":
    # Only a maximum other than 255 needs Pillow's own decoder, with two args.
    args = image.tile[0].args
    return int(args[1]).bit_length() if isinstance(args, tuple) else 8
  return {"I": 16, "F": 32}.get(image.mode[0], 8)


def _upright(image: Image.Image) -> Image.Image:
  try:
    return ImageOps.exif_transpose(image)
  except Exception:  # damaged EXIF says nothing of the orientation
    return image


def _reduce(name: str, image: Image.Image) -> Image.Image:
  """Rounds deep grey samples to 8 bits; black and white stay what they are."""
  tags = getattr(image, "tag_v2", {})
  samples = np.asarray(image)
  if image.mode == "F":
    top, samples = 1.0, samples.astype(np.float64)
  else:
    bits = min(max(tags.get(_TIFF_BITS, (16,))), 16)
    top, samples = 2**bits - 1, samples.astype(np.int64)
  if not (samples.min() >= 0 and samples.max() <= top):
    raise JaxlicError(
      f"{name}: samples must be in 0..{top:g}, got {samples.min():g}.."
      f"{samples.max():g}; scale them, or save it with 8 bits"
    )
  reduced = np.floor(samples / top * 255 + 0.5).astype(np.uint8)
  # Pillow inverts WhiteIsZero for 8 bits, but not for more.
  inverted = tags.get(_TIFF_PHOTOMETRIC) == 0
  grey = Image.fromarray(255 - reduced if inverted else reduced)
  grey.info = image.info  # the profile, and the orientation
  return grey


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
      f"{name}: transparent pixels are not coded; give a background colour, for"
      " example white"
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
  return JaxlicError(f"{name}: damaged ({_line(error)}); get the file again")


def _line(error: Exception) -> str:
  return " ".join(str(error).split())
