"""What TIFF files say of their samples beyond what Pillow heeds.

References:
  Adobe, "TIFF Revision 6.0", 1992, sections 5, 18, 19 and 21.
"""

from collections.abc import Mapping
from typing import Any

from PIL import Image

from jaxlic.data.images import colour_tags
from jaxlic.errors import JaxlicError

_PHOTOMETRIC, _BYTE_COUNTS, _COLOUR_MAP = 262, 279, 320
_PLANES, _SEPARATE = 284, 2
_EXTRA_SAMPLES, _SAMPLE_FORMAT = 338, 339
_COEFFICIENTS, _SUBSAMPLING, _REFERENCE = 529, 530, 532
_SIGNED, _YCBCR = 2, 6
_BT601 = (0.299, 0.587, 0.114)
_FULL_RANGE = (0, 255, 128, 255, 128, 255)


def check(name: str, image: Image.Image) -> None:
  """Refuses samples that Pillow would take for others, or would make up.

  Signed samples of 32 bits are what Pillow writes for its mode "I", whose
  values, 0..65535, `depth.reduce` judges.

  Raises:
    JaxlicError: If samples of 8 or 16 bits are signed, if uncompressed YCbCr is
      subsampled, or not that of JFIF, or if strips do not cover the image.
  """
  tags = image.tag_v2
  _check_cover(name, image)
  bits = max(tags.get(258, (1,)))
  if _SIGNED in tags.get(_SAMPLE_FORMAT, ()) and bits <= 16:
    raise JaxlicError(
      f"{name}: samples must be unsigned, here signed {bits}-bit; add"
      f" {2 ** (bits - 1)} to them, or scale them to 0..255"
    )
  # Other compressions are libtiff's, which knows these tags.
  if image.mode == "YCbCr" and tags.get(_PHOTOMETRIC) == _YCBCR:
    counts, needed = tags.get(_BYTE_COUNTS, ()), 3 * image.width * image.height
    steps = tags.get(_SUBSAMPLING, (2, 2))
    ours = _near(tags.get(_COEFFICIENTS, _BT601), _BT601)
    ours &= _near(tags.get(_REFERENCE, _FULL_RANGE), _FULL_RANGE)
    if not ours or (tuple(steps) != (1, 1) and sum(counts) < needed):
      raise JaxlicError(
        f"{name}: uncompressed YCbCr is read with a chroma sample per pixel and"
        f" JFIF's coefficients, here steps {tuple(steps)}; save it as RGB"
      )


def _check_cover(name: str, image: Image.Image) -> None:
  """Refuses an image with rows of which there is no strip: they would be black.

  An image that is decoded, or is libtiff's to decode, passes.
  """
  tags, tiles = image.tag_v2, image.tile
  boxes = [tile.extents for tile in tiles if tile.codec_name != "libtiff"]
  planes = len(image.getbands()) if tags.get(_PLANES) == _SEPARATE else 1
  covered = sum((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in boxes)
  needed = planes * image.width * image.height
  if boxes and covered < needed:
    raise JaxlicError(
      f"{name}: damaged (strips of {covered} samples, not {needed}); get the"
      " file again"
    )


def expand_palette(image: Image.Image, tags: Mapping[int, Any]) -> None:
  """Sets a palette of 8-bit values, which should be of 16, to what is meant.

  Some programs write such; libtiff, too, takes them for 8-bit ones if none is
  above 255. Pillow shows them black.
  """
  colours = tags.get(_COLOUR_MAP, (256,))
  if image.mode in ("P", "PA") and max(colours) < 256:
    image.putpalette(bytes(colours), "RGB;L")


def notes(image: Image.Image) -> tuple[str, ...]:
  """Returns lines on samples without a purpose, and on a curve left out."""
  found = ()
  if 0 in image.tag_v2.get(_EXTRA_SAMPLES, ()):
    found += ("a channel of unspecified meaning was left out",)
  stated = colour_tags.PRIMARIES in image.tag_v2
  if not image.info.get("icc_profile"):
    if colour_tags.TRANSFER_FUNCTION in image.tag_v2:
      found += ("a transfer function was left out",)
    if stated and not colour_tags.gamut(image.tag_v2):
      found += ("damaged primaries were left out",)
  return found


def _near(values: tuple, wanted: tuple) -> bool:
  return len(values) == len(wanted) and all(
    abs(float(a) - b) < 1e-3 for a, b in zip(values, wanted, strict=True)
  )
