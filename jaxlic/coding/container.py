"""The `.jlic` file: a small header, the payload, and a checksum.

| bytes  | field                                                          |
|--------|----------------------------------------------------------------|
| 4      | magic `JLIC`                                                   |
| 1      | format version, 1                                              |
| 1      | flags: bit 0 grey image, bit 1 ICC profile; the others are 0   |
| 1 + n  | model: length 1..64, then characters of `a-z 0-9 . _ -`        |
| 4      | fingerprint of the model's weights and tables                  |
| varint | height in pixels                                               |
| varint | width in pixels; height * width <= 2**26                       |
| varint | quality * 4096, rounded; 0 <= quality < 64                     |
| 2      | check of the symbols                                           |
| varint | with an ICC profile: its length under zlib, then those bytes   |
| varint | payload length, then those bytes                               |
| 4      | CRC-32 of everything before                                    |

Integers are unsigned and little-endian. A varint has 7 bits per byte, low bits
first, the top bit set on all bytes but the last, five bytes at most.
"""

import re
import struct
import zlib

from jaxlic.errors import JaxlicError
from jaxlic.types import Bitstream, Payload

MAGIC = b"JLIC"
VERSION = 1
MAX_PIXELS = 2**26
MAX_ICC_BYTES = 2**24
QUALITY_STEPS = 4096  # per level
MAX_QUALITY = 64
_MODEL = re.compile(r"[a-z0-9._-]{1,64}")
_GREY, _ICC = 1, 2


def pack(bitstream: Bitstream) -> bytes:
  """Returns the file.

  Raises:
    JaxlicError: If a field is outside the format's bounds.
  """
  b, payload = bitstream, bitstream.payload
  _check_version(b.version)
  check_model(b.model)
  check_size(payload.height, payload.width)
  for name, value, bits in [
    ("fingerprint", b.fingerprint, 32),
    ("check", payload.check, 16),
    ("payload length", len(payload.data), 35),
  ]:
    if not 0 <= value < 2**bits:
      raise JaxlicError(
        f"the {name} has {bits} unsigned bits, got {value}; reduce it"
      )
  icc = b.icc_profile
  parts = [
    MAGIC,
    bytes([VERSION, _GREY * b.grey | _ICC * (icc is not None), len(b.model)]),
    b.model.encode("ascii"),
    struct.pack("<I", b.fingerprint),
    _varint(payload.height),
    _varint(payload.width),
    _varint(round(quantize_quality(payload.quality) * QUALITY_STEPS)),
    struct.pack("<H", payload.check),
  ]
  if icc is not None:
    _check_icc(len(icc))
    squeezed = zlib.compress(icc, 9)
    parts += [_varint(len(squeezed)), squeezed]
  body = b"".join([*parts, _varint(len(payload.data)), payload.data])
  return body + struct.pack("<I", zlib.crc32(body))


def unpack(data: bytes) -> Bitstream:
  """Inverse of `pack`, with the quality of `quantize_quality`.

  Every claim of the file is checked before memory is taken for it.

  Raises:
    JaxlicError: If this is no `.jlic` file, of an unknown version, damaged, cut
      short, too long, or claims an image beyond the bounds.
  """
  if data[:4] != MAGIC:
    raise JaxlicError(
      f"not a .jlic file: it begins with {data[:4]!r}, expected {MAGIC!r}; "
      "give a file that this library wrote"
    )
  reader = _Reader(data, 4)
  version = reader.integer(1)
  _check_version(version)
  flags = reader.integer(1)
  if flags & ~(_GREY | _ICC):
    raise JaxlicError(
      f"the flags of a .jlic file are within 0..3, got {flags}; the file is "
      "damaged, fetch it again"
    )
  model = reader.take(reader.integer(1)).decode("latin-1")
  check_model(model)
  fingerprint = reader.integer(4)
  height, width = reader.varint(), reader.varint()
  check_size(height, width)
  quality = quantize_quality(reader.varint() / QUALITY_STEPS)
  check = reader.integer(2)
  squeezed = reader.take(reader.varint()) if flags & _ICC else None
  coded = reader.take(reader.varint())
  crc, actual = zlib.crc32(data[: reader.position]), reader.integer(4)
  if reader.position != len(data):
    raise JaxlicError(
      f"a .jlic file ends at its checksum, got {len(data) - reader.position} "
      "bytes after it; remove them"
    )
  if crc != actual:
    raise JaxlicError(
      f"the file is damaged: its CRC-32 is {crc:08x}, the file says "
      f"{actual:08x}; fetch it again"
    )
  return Bitstream(
    version=version,
    model=model,
    fingerprint=fingerprint,
    grey=bool(flags & _GREY),
    icc_profile=None if squeezed is None else _inflate(squeezed),
    payload=Payload(height, width, quality, check, coded),
  )


def quantize_quality(quality: float) -> float:
  """Returns the quality that a file will hold: a multiple of 1/4096.

  Encode with this value, since the decoder has no other.

  Raises:
    JaxlicError: If the quality does not round into [0, 64).
  """
  # NaN fails the comparison too.
  if not 0 <= quality < MAX_QUALITY - 0.5 / QUALITY_STEPS:
    raise JaxlicError(
      f"a quality is within [0, {MAX_QUALITY}), got {quality}; clip it"
    )
  return round(quality * QUALITY_STEPS) / QUALITY_STEPS


class _Reader:
  """Takes fields off the front of a file."""

  def __init__(self, data: bytes, position: int):
    self.data, self.position = data, position

  def take(self, count: int) -> bytes:
    left = len(self.data) - self.position
    if count > left:
      raise JaxlicError(
        f"the file is cut short: byte {self.position} begins a field of "
        f"{count} bytes, but {left} are left; fetch it again"
      )
    self.position += count
    return self.data[self.position - count : self.position]

  def integer(self, count: int) -> int:
    return int.from_bytes(self.take(count), "little")

  def varint(self) -> int:
    start, value = self.position, 0
    for shift in range(0, 35, 7):
      byte = self.integer(1)
      value |= (byte & 127) << shift
      if byte < 128:
        return value
    raise JaxlicError(
      f"a varint has at most 5 bytes, got more at byte {start}; the file is "
      "damaged, fetch it again"
    )


def _varint(value: int) -> bytes:
  digits = bytearray()
  while value >= 128:
    digits.append(value & 127 | 128)
    value >>= 7
  return bytes([*digits, value])


def _inflate(squeezed: bytes) -> bytes:
  """The ICC profile; a few bytes cannot grow past the bound."""
  inflater = zlib.decompressobj()
  try:
    icc = inflater.decompress(squeezed, MAX_ICC_BYTES + 1)
  except zlib.error as error:
    raise JaxlicError(
      f"the ICC profile is damaged: {error}; write the file again"
    ) from error
  _check_icc(len(icc))
  if not inflater.eof or inflater.unused_data:
    raise JaxlicError(
      f"the ICC profile is damaged: its zlib stream of {len(squeezed)} bytes "
      "does not end where it should; write the file again"
    )
  return icc


def _check_version(version: int) -> None:
  if version != VERSION:
    raise JaxlicError(
      f"this release reads and writes version {VERSION} of the .jlic format, "
      f"got version {version}; upgrade jaxlic"
    )


def check_model(model: str) -> None:
  """Raises a JaxlicError for a name that a file cannot hold."""
  if not _MODEL.fullmatch(model):
    raise JaxlicError(
      "a model's name has 1..64 characters of a-z 0-9 . _ -, got "
      f"{model!a}; rename the model"
    )


def check_size(height: int, width: int) -> None:
  """Raises a JaxlicError for an image that a file cannot hold."""
  if height < 1 or width < 1 or height * width > MAX_PIXELS:
    raise JaxlicError(
      f"an image has 1..{MAX_PIXELS} pixels, got {height} x {width}; split it "
      "into tiles"
    )


def _check_icc(count: int) -> None:
  if count > MAX_ICC_BYTES:
    raise JaxlicError(
      f"an ICC profile has at most {MAX_ICC_BYTES} bytes, got {count} or more; "
      "convert the image to sRGB"
    )
