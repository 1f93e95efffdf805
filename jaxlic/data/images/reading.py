"""Files of images decoded to photographs, whatever they hold beyond that."""

import io
import os

import numpy as np
from PIL import Image, ImageCms, ImageColor, ImageOps

from jaxlic.data.images import colour, depth, png
from jaxlic.data.images.opening import damaged, named_bytes, open_image
from jaxlic.data.images.photo import Photo
from jaxlic.errors import JaxlicError

_GREY_MODES = ("1", "L", "LA")
_RGB_MODES = ("P", "PA", "RGB", "RGBA", "RGBX", "YCbCr")


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
  name, data = named_bytes(source)
  image = open_image(name, io.BytesIO(data))
  depth.check(name, image, data, reduce_depth=reduce_depth)
  profile = colour.profile(name, image, data)
  try:
    image.load()
  except Exception as error:  # each plugin raises its own kinds
    raise damaged(name, error) from error
  if image.format == "PNG":
    png.scale_transparent(image, data)
  image = _upright(depth.reduce(name, image))
  return _to_photo(name, image, profile, background)


def _upright(image: Image.Image) -> Image.Image:
  try:
    return ImageOps.exif_transpose(image)
  except Exception:  # damaged EXIF says nothing of the orientation
    return image


def _to_photo(
  name: str, image: Image.Image, profile: bytes | None, background: str | None
) -> Photo:
  """Resolves alpha, colour space and profile of an image of 8 bits."""
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
      raise damaged(f"{name}: its CMYK profile", error) from error
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
