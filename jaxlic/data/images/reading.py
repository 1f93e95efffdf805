"""Files of images decoded to photographs, whatever they hold beyond that."""

import io
import os

from jaxlic.data.images import (
  colour,
  damage,
  depth,
  info,
  metadata,
  png,
  tiff,
  turning,
)
from jaxlic.data.images.flattening import Background, flatten
from jaxlic.data.images.opening import (
  named_bytes,
  open_image,
  telling_damage,
)
from jaxlic.data.images.photo import Photo


def read(
  source: str | os.PathLike | bytes,
  *,
  background: Background = None,
  reduce_depth: bool = False,
  salvage: bool = False,
) -> Photo:
  """Returns the photograph in a file, or in the bytes of one.

  EXIF orientation is applied, palettes are expanded, alpha that is opaque
  everywhere is dropped. Colours that a file describes by numbers (gAMA and
  cHRM, cICP, nclx, Adobe RGB in a JPEG's EXIF, a TIFF's primaries) become an
  ICC profile. CMYK becomes sRGB, through its ICC profile if there is one, else
  as the complement of its inks; so does CIELAB, of D50, and YCbCr is that of
  JFIF. A profile that describes another colour space than the pixels is left
  out, and so is a damaged one, but that of CMYK is refused. `background` is a
  colour of sRGB: it is converted to the file's space. Grey over a colour
  becomes sRGB, through its profile.

  TIFF may be planar, tiled, of any compression that Pillow knows, grey of 1 to
  16 bits where black or white is zero, of 32 bits up to 65535, or of a palette.
  Of CMYK with 16 bits `reduce_depth` takes 8. A channel without a meaning is
  left out and told. Signed samples of 8 or 16 bits are refused, as are floating
  point colour, half and double precision, ICCLAB and ITULAB, further pages, and
  CMYK or CIELAB with transparency.

  Args:
    source: A path, or the bytes of a file.
    background: Colour under transparent pixels, as a name or `#rrggbb`.
    reduce_depth: Round more than 8 bits per sample to 8. Floating point
      samples are taken as [0, 1], with sRGB's curve.
    salvage: Take what is left of a damaged picture, and tell so in `notes`.

  Raises:
    apart.ProcessError: If the system lacks what decoding a TIFF needs.
    JaxlicError: If there is no such file, or it holds no whole image of a known
      format, more than `MAX_PIXELS` pixels, several frames, alpha without
      `background`, more than 8 bits without `reduce_depth`, colours that 8 bits
      do not hold (PQ, HLG), or damage without `salvage`. Some damage is silent,
      see `damage`.
  """
  name, data = named_bytes(source)
  with telling_damage(name):  # tags may say anything, too
    data, cut = damage.completed(data) if salvage else (data, ())
    image = open_image(name, io.BytesIO(data))
    odd = info.settle(image)
    depth.check(name, image, data, reduce_depth=reduce_depth)
    profile = colour.profile(name, image, data)
    if image.format == "TIFF":
      tiff.check(name, image)
    decoded, lost = damage.load(name, image, data, salvage=salvage)
    kept = metadata.read(image, data)
    if image.format == "PNG":
      decoded.info |= png.transparency(image, data)
    if image.format == "TIFF":
      tiff.expand_palette(decoded, image.tag_v2)
    decoded = depth.reduce(name, decoded, getattr(image, "tag_v2", {}))
    decoded = turning.upright(decoded, kept.orientation)
    photo = flatten(name, decoded, profile=profile, background=background)
    photo = metadata.attach(photo, kept)
    return photo._replace(notes=photo.notes + odd + cut + lost)
