"""Colour spaces that tags of EXIF and of TIFF state.

References:
  CIPA DC-009-2010, "Design rule for camera file system: DCF 2.0", and DC-008,
  "Exif", 4.6.6, tag 40961: R03, and by some cameras the space 2, is Adobe RGB.
  Adobe, "Adobe RGB (1998) color image encoding", 2005, 4.3. Adobe, "TIFF
  Revision 6.0", 1992, section 20.
"""

from collections.abc import Mapping
from typing import Any

from jaxlic.data.images import directories
from jaxlic.data.images.directories import EXIF, INTEROP
from jaxlic.data.images.profiles import SRGB_GAMUT, Curve, Gamut

ADOBE_GAMUT = Gamut((0.3127, 0.329), (0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
ADOBE_CURVE = Curve(2.19921875)
WHITE_POINT, PRIMARIES, TRANSFER_FUNCTION = 318, 319, 301
_SPACE, _INDEX = 0xA001, 1
_SRGB, _ADOBE = 1, 2


def is_adobe(exif: bytes) -> bool:
  """Returns whether EXIF says that the samples are of Adobe RGB."""
  try:
    inner = directories.parse(exif).get(EXIF, {})
  except ValueError:  # damaged, which is told of it elsewhere
    return False
  if not isinstance(inner, dict):
    return False
  interop = inner.get(INTEROP, {})
  index = interop.get(_INDEX) if isinstance(interop, dict) else None
  space = int.from_bytes(getattr(inner.get(_SPACE), "values", b"")[:2])
  r03 = getattr(index, "values", b"").startswith(b"R03")
  return space == _ADOBE or (r03 and space != _SRGB)


def gamut(tags: Mapping[int, Any]) -> Gamut | None:
  """Returns the gamut that a TIFF states; None if it states none, or half."""
  if PRIMARIES not in tags:
    return None
  try:
    white = tuple(map(float, tags.get(WHITE_POINT, SRGB_GAMUT.white)))
    values = tuple(map(float, tags[PRIMARIES]))
  except (TypeError, ValueError):
    return None
  if (len(white), len(values)) != (2, 6):
    return None
  return Gamut(white, *zip(values[::2], values[1::2], strict=True))
