"""Images of Pillow as photographs, by the rules for files."""

import numpy as np
from PIL import ExifTags, Image

from jaxlic.data.images import (
  beside,
  colour,
  damage,
  depth,
  info,
  metadata,
  origin,
  png,
  tiff,
  turning,
)
from jaxlic.data.images.flattening import Background, flatten
from jaxlic.data.images.opening import check_size, telling_damage
from jaxlic.data.images.photo import Photo
from jaxlic.data.images.reading import read
from jaxlic.errors import JaxlicError

_NAME = "image"


def from_pil(
  image: Image.Image,
  *,
  background: Background = None,
  reduce_depth: bool = False,
  salvage: bool = False,
) -> Photo:
  """Returns the photograph that an image of Pillow shows.

  An image that was opened and not yet decoded is read from its file, as `read`
  does; its file stays where it was. Of others mode and `info` tell: orientation
  is applied, profile, EXIF and XMP are kept, and gamma and chromaticities of a
  PNG become a profile.

  What Pillow forgets in decoding is asked of the file that was opened, where
  that has a name and is still there: a depth of more than 8 bits, cICP, nclx,
  damage, and what lies beside the picture. Without it, in copies, and in
  formats that `read` does not know, colour of 16 bits passes as the 8 that are
  left, damage that Pillow passes is silent, and further pictures are not told.
  Copies that `convert` made of a transparent grey of 2 or 4 bits may be clear
  elsewhere.

  Args:
    image: Of any mode, and one frame.
    background: Colour under transparent pixels, as a name or `#rrggbb`.
    reduce_depth: Round more than 8 bits per sample to 8.
    salvage: Take what is left of a damaged picture, and tell so in `notes`.

  Raises:
    JaxlicError: As `read` does, under the name "image".
  """
  with telling_damage(_NAME):  # `info` may hold anything, too
    check_size(_NAME, image.width, image.height)
    origin.check_open(_NAME, image)
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
      raise JaxlicError(
        f"{_NAME}: only single images are read, this one has {image.n_frames}"
        " frames or pages; pass image.copy() for the current one"
      )
    data = origin.undecoded(image)
    if data:
      return read(
        data,
        background=background,
        reduce_depth=reduce_depth,
        salvage=salvage,
      )
    info.check(_NAME, image)
    return _decoded(
      image, background, reduce_depth=reduce_depth, salvage=salvage
    )


def _decoded(
  image: Image.Image,
  background: Background,
  *,
  reduce_depth: bool,
  salvage: bool,
) -> Photo:
  image.load()
  fresh, data = origin.named_file(image)
  depth.check(_NAME, fresh or image, data, reduce_depth=reduce_depth)
  if fresh or image.format == "JXL":
    profile = colour.profile(_NAME, image, data)
  else:
    profile = colour.profile_of_info(_NAME, image)
  if image.format == "TIFF":
    tiff.check(_NAME, image)
  kept = metadata.read(image, b"")
  if fresh:
    # In this order, as a check may decode.
    more = beside.notes(fresh, data, fresh.info.get("xmp") or b"")
    more += damage.check(_NAME, fresh, data, salvage=salvage)
    kept = kept._replace(notes=tuple(dict.fromkeys((*kept.notes, *more))))
  turned = _settled(image, data, _orientation(image, kept))
  photo = flatten(_NAME, turned, profile=profile, background=background)
  return metadata.attach(photo, kept)


def _orientation(image: Image.Image, kept: metadata.Metadata) -> int:
  """Where EXIF was set in Python it counts; Pillow turns TIFF in decoding."""
  if image.format in ("AVIF", "HEIF", "JXL"):
    return kept.orientation
  try:
    stated = image.getexif().get(ExifTags.Base.Orientation)
  except (ValueError, SyntaxError):  # damaged, which `kept` tells
    stated = None
  if isinstance(stated, int) and 1 <= stated <= 8:
    return stated
  return 1 if image.format == "TIFF" else kept.orientation


def _settled(image: Image.Image, data: bytes, orientation: int) -> Image.Image:
  """A copy of 8 bits, upright, with what Pillow takes amiss mended."""
  reduced = depth.reduce(_NAME, image, getattr(image, "tag_v2", {}))
  turned = turning.upright(reduced, orientation)
  if turned is image:
    turned = image.copy()
  if image.format == "PNG" and data:
    turned.info |= png.transparency(image, data)
  elif _is_doubtful(image):
    raise JaxlicError(
      f"{_NAME}: transparent grey {image.info['transparency']} may be one of 2"
      " or of 4 bits; use jaxlic.compress_file, or convert it to LA"
    )
  if image.format == "TIFF":
    tiff.expand_palette(turned, image.tag_v2)
  return turned


def _is_doubtful(image: Image.Image) -> bool:
  """Whether samples may be scaled from fewer bits, and a key may not."""
  key = image.info.get("transparency")
  if image.mode != "L" or not isinstance(key, int) or not 0 < key <= 15:
    return False
  return not (np.asarray(image) % 17).any()
