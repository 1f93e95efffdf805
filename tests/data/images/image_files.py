"""Image files as bytes, some of kinds that Pillow does not write."""

import io
import struct
import zlib

import numpy as np
from PIL import ImageCms

RGB = np.random.default_rng(0).integers(0, 256, (6, 4, 3), np.uint8)
GREY = RGB[..., 0]
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
# sRGB's with red and green exchanged.
SWAPPED = SRGB.replace(b"rXYZ", b"tmp.").replace(b"gXYZ", b"rXYZ")
SWAPPED = SWAPPED.replace(b"tmp.", b"gXYZ")


def make_gray(gamma):
  """An ICC profile of grey by hand: ICC.1:2001, a curve of one gamma."""
  d50 = bytes.fromhex("0000f6d6000100000000d32d")
  curve = b"curv" + struct.pack(">4xIH2x", 1, round(256 * gamma))
  white = b"XYZ " + bytes(4) + d50
  start = 128 + 4 + 2 * 12
  size = start + len(curve) + len(white)
  header = struct.pack(">I4x", size) + bytes.fromhex("02400000")
  header += b"mntrGRAYXYZ " + bytes(12) + b"acsp" + bytes(28) + d50
  table = struct.pack(">I4sII", 2, b"kTRC", start, len(curve))
  table += struct.pack(">4sII", b"wtpt", start + len(curve), len(white))
  return header.ljust(128, b"\0") + table + curve + white


GRAY = make_gray(1.0)


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


def make_tiff(
  data, width, height=1, *, photometric, bits, order="<", planes=1, extra=()
):
  """A TIFF by hand, a strip per plane; extra tags hold shorts."""
  size = len(data) // planes
  tags = {
    256: (width,),
    257: (height,),
    258: bits,
    259: (1,),
    262: (photometric,),
    273: tuple(range(0, planes * size, size)),
    277: (len(bits),),
    278: (height,),
    279: (size,) * planes,
    **dict(extra),
  }
  letters = {tag: "I" if tag in (273, 279) else "H" for tag in tags}
  start = 8 + 2 + 12 * len(tags) + 4
  sizes = [struct.calcsize(f"{len(tags[t])}{letters[t]}") for t in tags]
  place = start + sum(size for size in sizes if size > 4)
  tags[273] = tuple(place + offset for offset in tags[273])
  entries, body = b"", b""
  for tag, values in sorted(tags.items()):
    coded = struct.pack(f"{order}{len(values)}{letters[tag]}", *values)
    if len(coded) > 4:
      coded, body = struct.pack(f"{order}I", start + len(body)), body + coded
    kind = 4 if letters[tag] == "I" else 3
    entry = struct.pack(f"{order}HHI", tag, kind, len(values))
    entries += entry + coded.ljust(4, b"\0")
  head = b"II*\0" if order == "<" else b"MM\0*"
  head += struct.pack(f"{order}IH", 8, len(tags))
  return head + entries + bytes(4) + body + data
