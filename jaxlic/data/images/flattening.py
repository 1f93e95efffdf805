"""Decoded images made photographs: alpha, colour space and profile resolved."""

from typing import Any

import numpy as np
from PIL import Image, ImageCms, ImageColor

from jaxlic.data.images import icc
from jaxlic.data.images.opening import damaged
from jaxlic.data.images.photo import Photo
from jaxlic.errors import JaxlicError

Background = Any  # a colour's name or #rrggbb, which is checked here, or None
_GREY_MODES = ("1", "L", "LA")
_RGB_MODES = ("P", "PA", "RGB", "RGBA", "RGBX", "YCbCr")
_PREMULTIPLIED = {"La": "LA", "RGBa": "RGBA"}


def flatten(
  name: str,
  image: Image.Image,
  *,
  profile: bytes | None,
  background: Background,
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
  if image.mode in _PREMULTIPLIED:
    image = image.convert(_PREMULTIPLIED[image.mode])
  if image.mode == "CMYK" and profile and icc.space(profile) == "CMYK":
    return Photo(np.array(_from_cmyk(name, image, profile)))
  grey = image.mode in _GREY_MODES
  kept, notes = _own(image.mode, profile)
  if image.has_transparency_data:
    image = image.convert("RGBA")
    if image.getextrema()[3] != (255, 255):
      colour = _colour(name, background)
      image, kept = _composite(image, colour, kept, grey=grey)
      grey = grey and len(set(colour)) == 1
  return Photo(np.array(_convert(name, image)), grey, kept, notes=notes)


def _own(
  mode: str, profile: bytes | None
) -> tuple[bytes | None, tuple[str, ...]]:
  """The profile if it is sound and of a mode's colours, and notes."""
  if not profile:
    return None, ()
  if not icc.is_sound(profile):
    return None, ("a damaged ICC profile was left out",)
  fits = {"L": _GREY_MODES, "RGB": _RGB_MODES}
  if mode in fits.get(icc.space(profile), ()):
    return profile, ()
  if icc.is_srgb(profile):
    return None, ()
  return None, (
    "an ICC profile that is not of the pixels' colours was left out",
  )


def _convert(name: str, image: Image.Image) -> Image.Image:
  try:
    return image.convert("RGB")
  except ValueError as error:  # a mode of no colours
    raise JaxlicError(
      f"{name}: pixels of mode {image.mode} are not read; convert them to RGB"
    ) from error


def _from_cmyk(name: str, image: Image.Image, profile: bytes) -> Image.Image:
  try:
    return icc.to_srgb(image, profile)
  except ImageCms.PyCMSError as error:
    raise damaged(f"{name}: its CMYK profile", error) from error


def _colour(name: str, background: Background) -> tuple[int, ...]:
  if background is None:
    raise JaxlicError(
      f"{name}: transparent pixels are not coded; pass background"
      " (--background), for example white, or save it opaque"
    )
  try:
    return ImageColor.getrgb(background)[:3]
  except (ValueError, TypeError, AttributeError) as error:
    raise JaxlicError(
      f"background must be a colour name or #rrggbb, got {background!r}; try"
      " white"
    ) from error


def _composite(
  rgba: Image.Image,
  colour: tuple[int, ...],
  profile: bytes | None,
  *,
  grey: bool,
) -> tuple[Image.Image, bytes | None]:
  """The image over a colour of sRGB, and the profile of both.

  The colour is brought to the image's space. Where that does not hold it, as
  grey does not hold red, the image is brought to sRGB.
  """
  if profile and (grey or not icc.is_srgb(profile)):
    own = icc.from_srgb(colour, profile)
    if own is None:
      shown = icc.to_srgb(rgba.convert("L" if grey else "RGB"), profile)
      shown.putalpha(rgba.getchannel("A"))
      rgba, profile = shown, None
    colour = own or colour
  canvas = Image.new("RGBA", rgba.size, (*colour, 255))
  canvas.alpha_composite(rgba)
  return canvas, profile
