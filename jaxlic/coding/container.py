"""The `.jlic` file: a small header, the payload, and a checksum.

| bytes  | field                                                          |
|--------|----------------------------------------------------------------|
| 4      | magic `JLIC`                                                   |
| 1      | format version, 1 or 2                                         |
| 1      | flags: bit 0 grey image, bit 1 ICC profile; in version 2 also  |
|        | bit 2 EXIF, bit 3 XMP; the others are 0                        |
| 1 + n  | model: length 1..64, then characters of `a-z 0-9 . _ -`        |
| 4      | fingerprint of the model's weights and tables                  |
| varint | height in pixels                                               |
| varint | width in pixels; height * width <= 2**26                       |
| varint | quality * 4096, rounded; 0 <= quality < 64                     |
| 2 or 4 | check of the symbols: in version 1 `fold` of the CRC-32 that   |
|        | version 2 holds, see `jaxlic.coding.range_coder`               |
| varint | with an ICC profile: its length under zlib, then those bytes   |
| varint | with EXIF, likewise: a TIFF structure, as in PNG's eXIf chunk  |
| varint | with XMP, likewise: the packet                                 |
| varint | payload length, then those bytes                               |
| 4      | CRC-32 of everything before                                    |

Integers are unsigned and little-endian. A varint has 7 bits per byte, low bits
first, the top bit set on all bytes but the last, five bytes at most. Profile,
EXIF and XMP have at most 2**24 bytes each. The picture is shown as the
orientation in EXIF says, or else in XMP.

Files are of version 1 where that can say everything, so that the first release
reads them.
"""

import dataclasses
import re
import struct
import zlib
from typing import NamedTuple

from jaxlic.coding import metadata, range_coder
from jaxlic.coding.fields import Reader, varint
from jaxlic.errors import JaxlicError
from jaxlic.types import Bitstream, Payload

MAGIC = b"JLIC"
MAX_PIXELS = 2**26
QUALITY_STEPS = 4096  # per level
MAX_QUALITY = 64
_MODEL = re.compile(r"[a-z0-9._-]{1,64}")
_GREY = 1


class _Version(NamedTuple):
  """What tells one version of the format from another."""

  flags: int  # those it knows
  check_bytes: int


class _Header(NamedTuple):
  """What a file says before its payload, and where that begins."""

  bitstream: Bitstream  # but for its metadata and the payload's bytes
  metadata: dict[str, bytes]  # as they are there
  reader: Reader


_VERSIONS = {1: _Version(0b0011, 2), 2: _Version(0b1111, 4)}


def least_version(*, exif: bytes | None, xmp: bytes | None) -> int:
  """Returns the first version of the format that holds what is given."""
  return 1 if exif is None and xmp is None else 2


def pack(bitstream: Bitstream) -> bytes:
  """Returns the file, of the version that the bitstream names.

  Raises:
    JaxlicError: If a field is outside the format's bounds.
  """
  b, payload = bitstream, bitstream.payload
  version = _known(b.version)
  check_model(b.model)
  check_size(payload.height, payload.width)
  for name, value, bits in [
    ("fingerprint", b.fingerprint, 32),
    ("check", payload.check, 32),
    ("payload length", len(payload.data), 35),
  ]:
    if not 0 <= value < 2**bits:
      raise JaxlicError(
        f"the {name} has {bits} unsigned bits, got {value}; reduce it"
      )
  flags, fields = metadata.pack(b, known=version.flags)
  check = payload.check
  if b.version == 1:
    check = range_coder.fold(check)
  body = b"".join(
    [
      MAGIC,
      bytes([b.version, _GREY * b.grey | flags, len(b.model)]),
      b.model.encode("ascii"),
      struct.pack("<I", b.fingerprint),
      varint(payload.height),
      varint(payload.width),
      varint(round(quantize_quality(payload.quality) * QUALITY_STEPS)),
      check.to_bytes(version.check_bytes, "little"),
      fields,
      varint(len(payload.data)),
      payload.data,
    ]
  )
  return body + struct.pack("<I", zlib.crc32(body))


def unpack(data: bytes) -> Bitstream:
  """Inverse of `pack`, with the quality of `quantize_quality`.

  The check of the symbols is a CRC-32, or of version 1 its `fold`. Every claim
  of the file is checked before memory is taken for it.

  Raises:
    JaxlicError: If this is no `.jlic` file, of an unknown version, damaged, cut
      short, too long, or claims an image beyond the bounds.
  """
  header = _header(data)
  reader = header.reader
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
  return _whole(header, coded)


def unpack_header(data: bytes) -> Bitstream:
  """Returns what a file says before its payload, which is left empty.

  Damage that a CRC would show stays unseen.

  Raises:
    JaxlicError: As `unpack`, for the header.
  """
  return _whole(_header(data), b"")


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


def _header(data: bytes) -> _Header:
  """What stands before the payload."""
  if data[:4] != MAGIC:
    raise JaxlicError(
      f"not a .jlic file: it begins with {data[:4]!r}, expected {MAGIC!r}; "
      "give a file that this library wrote"
    )
  reader = Reader(data, 4)
  number = reader.integer(1)
  version = _known(number)
  flags = reader.integer(1)
  if flags & ~version.flags:
    raise JaxlicError(
      f"the flags of a .jlic file of version {number} are within "
      f"0..{version.flags}, got {flags}; the file is damaged, fetch it again"
    )
  model = reader.take(reader.integer(1)).decode("latin-1")
  check_model(model)
  fingerprint = reader.integer(4)
  height, width = reader.varint(), reader.varint()
  check_size(height, width)
  quality = quantize_quality(reader.varint() / QUALITY_STEPS)
  check = reader.integer(version.check_bytes)
  bitstream = Bitstream(
    version=number,
    model=model,
    fingerprint=fingerprint,
    grey=bool(flags & _GREY),
    icc_profile=None,
    payload=Payload(height, width, quality, check, b""),
  )
  return _Header(bitstream, metadata.take(reader, flags), reader)


def _whole(header: _Header, coded: bytes) -> Bitstream:
  """With metadata as they were, and the payload's bytes."""
  bitstream = header.bitstream
  return dataclasses.replace(
    bitstream,
    payload=bitstream.payload._replace(data=coded),
    **metadata.inflate(header.metadata),
  )


def _known(number: int) -> _Version:
  if number not in _VERSIONS:
    raise JaxlicError(
      "this release reads and writes versions 1 and 2 of the .jlic format, "
      f"got version {number}; upgrade jaxlic"
    )
  return _VERSIONS[number]


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
