"""The bits per sample that a file really has, and rounding them to 8.

Pillow opens deep colour as 8 bits without a word, so the true depth is read
from the file. Deep grey it keeps, and leaves the rounding to us.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from jaxlic.data.images import boxes, jxl
from jaxlic.errors import JaxlicError

_MODE_BITS = {"I": 16, "F": 32}
_TIFF_BITS, _TIFF_PHOTOMETRIC, _SAMPLE_FORMAT, _SIGNED = 258, 262, 339, 2


def check(
  name: str, image: Image.Image, data: bytes, *, reduce_depth: bool
) -> None:
  """Refuses deep samples unless they may be, and can be, reduced.

  Args:
    name: What the error calls the file.
    image: The image, opened but not decoded.
    data: The file's bytes.
    reduce_depth: Whether rounding is allowed.

  Raises:
    JaxlicError: If the file has more than 8 bits per sample, and rounding is
      not allowed, or would move a transparent colour.
  """
  depth_bits = bits(image, data)
  if depth_bits <= 8:
    return
  if not reduce_depth:
    raise JaxlicError(
      f"{name}: samples have at most 8 bits, here {depth_bits}; pass"
      " reduce_depth (--reduce-depth) to round them, or save it with 8 bits"
    )
  # The transparent colour is stated in the samples that are rounded away.
  if "transparency" in image.info:
    raise JaxlicError(
      f"{name}: {depth_bits}-bit samples with a transparent colour are not"
      " read; save it with 8 bits"
    )


def bits(image: Image.Image, data: bytes) -> int:
  """Returns the bits per sample in the file of an image, opened or decoded.

  Without the file, empty bytes, they are those of the image in memory.
  """
  if not data and image.format not in ("TIFF", "HEIF"):
    # pillow-heif says what it reduced.
    return image.info.get("bit_depth", _MODE_BITS.get(image.mode[0], 8))
  if image.format == "PNG":
    return data[24]  # bit depth of IHDR
  if image.format == "TIFF":
    return max(image.tag_v2.get(_TIFF_BITS, (1,)))
  if image.format == "AVIF":
    # Flags high_bitdepth, twelve_bit in each item's av1C, AV1-ISOBMFF 2.3.3.
    known = boxes.properties(data)
    flags = [c[2] for kind, c in known if kind == b"av1C" and len(c) > 2]
    return max(8 + 2 * (f >> 6 & 1) + 2 * (f >> 5 & 1) for f in [0, *flags])
  if image.format == "HEIF":
    return image.info["bit_depth"]
  if image.format == "JXL":
    return jxl.header("image", data).bits
  if image.format == "PPM" and image.mode == "RGB":
    # Only a maximum other than 255 needs Pillow's own decoder, with two args.
    args = image.tile[0].args
    return int(args[1]).bit_length() if isinstance(args, tuple) else 8
  return _MODE_BITS.get(image.mode[0], 8)


def reduce(
  name: str, image: Image.Image, tags: Mapping[int, Any]
) -> Image.Image:
  """Returns a decoded image with deep grey samples rounded to 8 bits.

  Black and white stay what they are. Deep colour was reduced by Pillow.

  Args:
    name: What the error calls the file.
    image: The image.
    tags: Those of the TIFF that it was decoded from, else empty.

  Raises:
    JaxlicError: If the samples are outside the range of their type.
  """
  if not image.mode.startswith(("I", "F")):
    return image
  samples = np.asarray(image)
  if image.mode == "F":
    top, samples = 1.0, samples.astype(np.float64)
  else:
    bits_stored = max(tags.get(_TIFF_BITS, (16,)))
    top = 2 ** min(bits_stored, 16) - 1
    samples = samples.astype(np.int64)
    if bits_stored == 32 and _SIGNED not in tags.get(_SAMPLE_FORMAT, (1,)):
      samples %= 2**32  # Pillow takes them for signed ones
  if not (samples.min() >= 0 and samples.max() <= top):
    raise JaxlicError(
      f"{name}: samples must be in 0..{top:g}, got {samples.min():g}.."
      f"{samples.max():g}; scale them, or save it with 8 bits"
    )
  reduced = np.floor(samples / top * 255 + 0.5).astype(np.uint8)
  # Pillow inverts WhiteIsZero for 8 bits, but not for more.
  inverted = tags.get(_TIFF_PHOTOMETRIC) == 0
  grey = Image.fromarray(255 - reduced if inverted else reduced)
  grey.info = image.info  # the profile, and the orientation
  return grey
