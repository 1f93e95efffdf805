"""What codecs take and give."""

from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8


class Photo(NamedTuple):
  """An upright picture of 8 bits."""

  pixels: UInt8[np.ndarray, "H W 3"]  # a grey photo's channels are equal
  grey: bool = False  # of one channel in its file
  icc_profile: bytes | None = None  # GRAY if grey, else RGB; None: sRGB
  exif: bytes | None = None  # a TIFF structure, as in PNG's eXIf; upright
  xmp: bytes | None = None  # the packet, XML
  notes: tuple[str, ...] = ()  # what its file had and this has not, a line each

  def stripped(self) -> "Photo":
    """Returns it without EXIF and XMP."""
    return self._replace(exif=None, xmp=None)
