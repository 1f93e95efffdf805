"""Image files as bytes, some of kinds that Pillow does not write."""

import io
import struct
import zlib

import numpy as np
from PIL import ImageCms

RGB = np.random.default_rng(0).integers(0, 256, (6, 4, 3), np.uint8)
GREY = RGB[..., 0]
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
# The reader looks at bytes 16..19, the colour space, and copies the rest.
GRAY = SRGB[:16] + b"GRAY" + SRGB[20:]


def encode(image, kind="PNG", **options):
  file = io.BytesIO()
  image.save(file, kind, **options)
  return file.getvalue()


def make_chunk(name, data):
  crc = struct.pack(">I", zlib.crc32(name + data))
  return struct.pack(">I", len(data)) + name + data + crc


def make_png(width, height, *, bits, colour, raw, extra=b""):
  """A PNG by hand: Pillow writes no 16-bit colour."""
  header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
  body = make_chunk(b"IDAT", zlib.compress(raw)) + make_chunk(b"IEND", b"")
  return b"\x89PNG\r\n\x1a\n" + make_chunk(b"IHDR", header) + extra + body
