"""Decoded images made photographs: alpha, colour space and profile resolved."""

import io

import numpy as np
from PIL import Image, ImageCms, ImageColor

from jaxlic.data.images.opening import damaged
from jaxlic.data.images.photo import Photo
from jaxlic.data.images.profiles import is_srgb
from jaxlic.errors import JaxlicError

_GREY_MODES = ("1", "L", "LA")
_RGB_MODES = ("P", "PA", "RGB", "RGBA", "RGBX", "YCbCr")
_PREMULTIPLIED = {"La": "LA", "RGBa": "RGBA"}


def flatten(
  name: str,
  image: Image.Image,
  *,
  profile: bytes | None,
  background: str | None,
) -> Photo:
  """Returns the photograph that an upright image of 8 bits shows.

  Args:
    name: What errors call the image.
    image: The image, decoded, of any mode but deep ones.
    profile: Its ICC profile.
    background: Colour under transparent pixels, as a name or `#rrggbb`.

  Raises:
    JaxlicError: If it is transparent without a background, or has a damaged
      profile of CMYK.
  """
  space = profile[16:20] if profile else None
  if image.mode in _PREMULTIPLIED:
    image = image.convert(_PREMULTIPLIED[image.mode])
  grey, fits = image.mode in _GREY_MODES, image.mode in _RGB_MODES
  used = False
  if image.has_transparency_data:
    rgba = image.convert("RGBA")
    if rgba.getextrema()[3] != (255, 255):
      rgba, colour = _composite(name, rgba, background)
      grey, fits = grey and len(set(colour)) == 1, fits or grey
    image = rgba
  elif image.mode == "CMYK" and space == b"CMYK":
    image, used = _from_cmyk(name, image, profile), True
  rgb = np.array(_convert(name, image))
  kept = space == b"GRAY" if grey else fits and space == b"RGB "
  if kept or used or not profile or is_srgb(profile):
    return Photo(rgb, grey, profile if kept else None)
  note = "an ICC profile that is not of the pixels' colours was left out"
  return Photo(rgb, grey, notes=(note,))


def _convert(name: str, image: Image.Image) -> Image.Image:
  try:
    return image.convert("RGB")
  except ValueError as error:  # a mode of no colours
    raise JaxlicError(
      f"{name}: pixels of mode {image.mode} are not read; convert them to RGB"
    ) from error


def _from_cmyk(name: str, image: Image.Image, profile: bytes) -> Image.Image:
  source, target = io.BytesIO(profile), ImageCms.createProfile("sRGB")
  try:
    return ImageCms.profileToProfile(image, source, target, outputMode="RGB")
  except ImageCms.PyCMSError as error:
    raise damaged(f"{name}: its CMYK profile", error) from error


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
