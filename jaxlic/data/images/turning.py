"""Pixels turned as EXIF or XMP say.

References:
  CIPA DC-008-2024, "Exchangeable image file format for digital still cameras:
  Exif 3.0", 4.6.5, tag 274.
"""

from PIL import Image

_METHODS = {
  2: Image.Transpose.FLIP_LEFT_RIGHT,
  3: Image.Transpose.ROTATE_180,
  4: Image.Transpose.FLIP_TOP_BOTTOM,
  5: Image.Transpose.TRANSPOSE,
  6: Image.Transpose.ROTATE_270,
  7: Image.Transpose.TRANSVERSE,
  8: Image.Transpose.ROTATE_90,
}


def upright(image: Image.Image, orientation: int) -> Image.Image:
  """Returns a decoded image that is stored in an orientation, turned upright.

  The image itself if it is upright.
  """
  if orientation not in _METHODS:
    return image
  return image.transpose(_METHODS[orientation])
