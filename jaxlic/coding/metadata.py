"""What a file keeps of a photograph beside its picture.

Each kind is kept under zlib, with its length before it.
"""

import zlib
from typing import Any, NamedTuple

from jaxlic.coding.fields import Reader, varint
from jaxlic.errors import JaxlicError
from jaxlic.types import Bitstream

MAX_BYTES = 2**24  # of each kind


class _Kind(NamedTuple):
  """Something that a file may have."""

  flag: int
  field: str  # of `Bitstream`
  name: str  # in errors
  way_out: str  # where it is too long


_LESS = "remove its largest parts, or strip it"
# In the order of the file.
_KINDS = (
  _Kind(2, "icc_profile", "ICC profile", "convert the image to sRGB"),
  _Kind(4, "exif", "EXIF", _LESS),
  _Kind(8, "xmp", "XMP", _LESS),
)


def pack(bitstream: Bitstream, *, known: int) -> tuple[int, bytes]:
  """Returns the flags and the fields of what a bitstream has.

  Args:
    bitstream: With what there is to pack.
    known: The flags that its version knows.

  Raises:
    JaxlicError: If its version cannot hold it, or it is too long.
  """
  flags, fields = 0, []
  for kind in _KINDS:
    value = getattr(bitstream, kind.field)
    if value is None:
      continue
    if not kind.flag & known:
      raise JaxlicError(
        f"version {bitstream.version} of the .jlic format holds no "
        f"{kind.name}; pack it as version 2"
      )
    _check_length(kind, len(value))
    squeezed = zlib.compress(value, 9)
    flags |= kind.flag
    fields += [varint(len(squeezed)), squeezed]
  return flags, b"".join(fields)


def take(reader: Reader, flags: int) -> dict[str, bytes]:
  """Returns the fields off a file, as they are there, by those they become."""
  return {
    kind.field: reader.take(reader.varint())
    for kind in _KINDS
    if flags & kind.flag
  }


def inflate(taken: dict[str, bytes]) -> dict[str, Any]:
  """Returns the fields of `Bitstream` from what `take` gave.

  Raises:
    JaxlicError: If they are damaged, or would grow past the bound.
  """
  return {
    kind.field: _inflate(kind, taken[kind.field])
    for kind in _KINDS
    if kind.field in taken
  }


def _inflate(kind: _Kind, squeezed: bytes) -> bytes:
  """One of them; a few bytes cannot grow past the bound."""
  inflater = zlib.decompressobj()
  try:
    value = inflater.decompress(squeezed, MAX_BYTES + 1)
  except zlib.error as error:
    raise JaxlicError(
      f"the {kind.name} is damaged: {error}; write the file again"
    ) from error
  _check_length(kind, len(value))
  if not inflater.eof or inflater.unused_data:
    raise JaxlicError(
      f"the {kind.name} is damaged: its zlib stream of {len(squeezed)} bytes "
      "does not end where it should; write the file again"
    )
  return value


def _check_length(kind: _Kind, count: int) -> None:
  if count > MAX_BYTES:
    raise JaxlicError(
      f"the {kind.name} has at most {MAX_BYTES} bytes, got {count} or "
      f"more; {kind.way_out}"
    )
