"""ICC profiles of files, judged and applied by LittleCMS.

References:
  ICC.1:2022, "Image technology colour management - Architecture, profile format
  and data structure", 7.2.
"""

import io

import numpy as np
from PIL import Image, ImageCms

_SPACES = {b"GRAY": "L", b"RGB ": "RGB", b"CMYK": "CMYK"}
_INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC  # white stays white


def space(profile: bytes) -> str | None:
  """Returns Pillow's mode of the colours that a profile is of, if it has one.

  CIELAB and others have none.
  """
  return _SPACES.get(profile[16:20])


def is_sound(profile: bytes) -> bool:
  """Returns whether a profile is whole, and of use if its colours have a mode.

  That is, whether it has as many bytes as it says, and leads to sRGB.
  """
  if len(profile) < max(int.from_bytes(profile[:4]), 128):
    return False
  mode = space(profile)
  try:
    ImageCms.ImageCmsProfile(io.BytesIO(profile))
    if mode:
      to_srgb(Image.new(mode, (1, 1)), profile)
  except (OSError, ImageCms.PyCMSError):
    return False
  return True


def is_srgb(profile: bytes) -> bool:
  """Returns whether a profile shows sRGB's colours, to one step of 8 bits."""
  steps = np.linspace(0, 255, 9).round().astype(np.uint8)
  if space(profile) == "L":
    cube = np.arange(256, dtype=np.uint8)[None]
  else:
    cube = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(1, -1, 3)
  try:
    shown = to_srgb(Image.fromarray(cube), profile)
  except ImageCms.PyCMSError:
    return False
  wanted = np.asarray(Image.fromarray(cube).convert("RGB"), int)
  return bool(np.abs(np.asarray(shown, int) - wanted).max() <= 1)


def to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
  """Returns an image in sRGB, as mode RGB.

  Args:
    image: Of the profile's mode.
    profile: An ICC profile.

  Raises:
    ImageCms.PyCMSError: If the profile is damaged or of other colours.
  """
  source, srgb = io.BytesIO(profile), ImageCms.createProfile("sRGB")
  return ImageCms.profileToProfile(image, source, srgb, _INTENT, "RGB")


def from_srgb(
  colour: tuple[int, ...], profile: bytes
) -> tuple[int, ...] | None:
  """Returns a colour of sRGB as one of a profile, clipped to what that holds.

  Args:
    colour: Red, green and blue.
    profile: A sound ICC profile of grey or RGB.

  Returns:
    Three channels, equal ones for grey; None if no way leads to the profile, or
    the colour is none of grey.
  """
  mode = space(profile)
  if mode == "L" and len(set(colour)) > 1:
    return None
  pixel, srgb = Image.new("RGB", (1, 1), colour), ImageCms.createProfile("sRGB")
  try:
    made = ImageCms.profileToProfile(
      pixel, srgb, io.BytesIO(profile), _INTENT, mode
    )
  except ImageCms.PyCMSError:
    return None
  return made.convert("RGB").getpixel((0, 0))
