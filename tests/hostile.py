"""Damaged `.jlic` files, made of honest ones.

A file is taken apart into its fields, whatever its format version, and put
together again with one of them changed, or changed as a whole; the CRC-32 at
the end is put right in most of them, since it would tell of everything else.
"""

import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from jaxlic.coding import container
from jaxlic.errors import JaxlicError

FINEST = 8  # the least stride of a codec: sizes of one grid are alike for all
HUGE_PIXELS, SHORT_BYTES = 2**24, 1000  # no such payload holds such an image
EDGES = (0, 1, 127, 128, 2**13, 2**14, 2**26, 2**26 + 1, 2**32, 2**35 - 1)
LONGEST = 2**12  # bytes of what is inserted

Edit = Callable[[np.random.Generator, bytes], bytes]


class Damaged(NamedTuple):
  """A file that nobody wrote."""

  kind: str
  origin: int  # which of the honest files it was
  data: bytes


def damaged(
  honest: Sequence[bytes], *, count: int, seed: int, payloads: float = 0.1
) -> Iterator[Damaged]:
  """Yields files.

  Those that claim another grid are left out, but for the huge: their networks
  would be compiled for every size.

  Args:
    honest: Files that a codec wrote.
    count: How many.
    seed: Of the generator.
    payloads: The share of files whose payload alone is damaged, all else put
      right: only the check of symbols tells, by its number of bits.
  """
  rng = np.random.default_rng(seed)
  made = 0
  while made < count:
    origin = int(rng.integers(len(honest)))
    kind, data = _damage(rng, honest[origin], payloads)
    if data != honest[origin] and _may_run(data, honest[origin]):
      yield Damaged(kind, origin, data)
      made += 1


def sealed(body: bytes) -> bytes:
  """Returns a file, with the checksum of its body."""
  return body + struct.pack("<I", zlib.crc32(body))


def split(data: bytes) -> dict[str, bytes]:
  """Returns the fields of an honest file, but for its CRC-32, in order."""
  name_end = 7 + data[6]
  ends = {"magic": 4, "version": 5, "flags": 6, "name length": 7}
  ends |= {"name": name_end, "fingerprint": name_end + 4}
  for name in ("height", "width", "quality"):
    ends[name] = _varint_end(data, max(ends.values()))
  ends["check"] = ends["quality"] + (2 if data[4] == 1 else 4)
  # Of ICC profile and the like, bit 0 being that of grey images.
  blocks = [f"block {k}" for k in range(1, 8) if data[5] >> k & 1]
  for name in (*blocks, "payload"):
    start = max(ends.values())
    ends[f"{name} length"] = _varint_end(data, start)
    length = _value(data[start : ends[f"{name} length"]])
    ends[name] = ends[f"{name} length"] + length
  starts = [0, *ends.values()]
  return {
    name: data[start:end]
    for (name, end), start in zip(ends.items(), starts, strict=False)
  }


def with_fields(data: bytes, **fields: bytes) -> bytes:
  """Returns an honest file with other fields, and their checksum."""
  return sealed(b"".join((split(data) | fields).values()))


def varint(value: int) -> bytes:
  """Returns an integer as files have it."""
  digits = bytearray()
  while value >= 128:
    digits.append(value & 127 | 128)
    value >>= 7
  return bytes([*digits, value])


def _damage(
  rng: np.random.Generator, honest: bytes, payloads: float
) -> tuple[str, bytes]:
  """A kind of damage, and a file that has it."""
  if rng.random() < payloads:
    name, edit = _choose(rng, EDITS)
    data = edit(rng, split(honest)["payload"])
    fields = {"payload": data, "payload length": varint(len(data))}
    return f"payload: {name}", with_fields(honest, **fields)
  if rng.random() < 0.5:
    name, data = _with_another_field(rng, honest)
    return (name, data) if rng.random() < 0.9 else (name + ", torn", data[:-4])
  name, edit = _choose(rng, EDITS)
  if rng.random() < 0.5:
    return f"file: {name}", edit(rng, honest)
  # The header is edited: what is left as it is of the payload tells nothing.
  head = len(honest) - 4 - len(split(honest)["payload"])
  body = edit(rng, honest[:head]) + honest[head:-4]
  return f"header: {name}, sealed", sealed(body)


def _with_another_field(
  rng: np.random.Generator, honest: bytes
) -> tuple[str, bytes]:
  fields = split(honest)
  fields.pop("payload")
  name, value = _choose(rng, fields)
  if name in ("height", "width", "quality") or name.endswith(" length"):
    value = _another_number(rng, value)
  elif rng.random() < 0.5:
    value = EDITS["random"](rng, value)[: len(value)]
  else:
    value = _choose(rng, EDITS)[1](rng, value)
  changed = {name: value}
  if name in ("height", "width") and rng.random() < 0.5:
    changed |= _another_size(rng, _value(fields["height"]))
  return f"field: {name}", with_fields(honest, **changed)


def _another_size(rng: np.random.Generator, height: int) -> dict[str, bytes]:
  """Of many pixels, within the bound, or just not."""
  height = int(rng.choice([1, height, 2**12, 2**13, 2**20, 2**26]))
  width = 2**26 // height + int(rng.integers(-1, 2))
  return {"height": varint(height), "width": varint(width)}


def _another_number(rng: np.random.Generator, field: bytes) -> bytes:
  """At an edge, next to what it was, or in a form that no writer has."""
  value = _value(field) if field[-1] < 128 else 0
  form = rng.integers(4)
  if form == 0:
    return varint(int(rng.choice(EDGES)))
  if form == 1:
    return varint(max(0, value + int(rng.integers(-3, 4))))
  if form == 2:
    padding = int(rng.integers(0, 6))
    return bytes([*varint(value)[:-1], field[-1] | 128, *[128] * padding, 0])
  return rng.bytes(int(rng.integers(0, 6)))


def _may_run(data: bytes, honest: bytes) -> bool:
  """Whether it needs no network that the honest file does not need."""
  try:
    claim, wrote = (container.unpack(d).payload for d in (data, honest))
  except JaxlicError:
    return True
  if claim.height * claim.width >= HUGE_PIXELS:
    return len(claim.data) < SHORT_BYTES
  return all(
    -(-a // FINEST) == -(-b // FINEST)
    for a, b in zip(claim[:2], wrote[:2], strict=True)
  )


def _choose(rng: np.random.Generator, named: dict) -> tuple:
  name = list(named)[rng.integers(len(named))]
  return name, named[name]


def _flip_bit(rng: np.random.Generator, data: bytes) -> bytes:
  changed = bytearray(data)
  if changed:
    changed[rng.integers(len(changed))] ^= 1 << rng.integers(8)
  return bytes(changed)


def _change_bytes(rng: np.random.Generator, data: bytes) -> bytes:
  changed = bytearray(data)
  for _ in range(rng.integers(1, 9) if changed else 0):
    changed[rng.integers(len(changed))] = rng.integers(256)
  return bytes(changed)


def _span(rng: np.random.Generator, data: bytes) -> tuple[int, int]:
  """The ends of a part, short ones as likely as long ones."""
  start = int(rng.integers(len(data) + 1))
  length = 2 ** rng.uniform(0, np.log2(len(data) + 2))
  return start, min(len(data), start + int(length))


def _cut(rng: np.random.Generator, data: bytes) -> bytes:
  return data[: _span(rng, data)[0]]


def _insert(rng: np.random.Generator, data: bytes) -> bytes:
  start, _ = _span(rng, data)
  count = int(2 ** rng.uniform(0, np.log2(LONGEST)))
  return data[:start] + rng.bytes(count) + data[start:]


def _delete(rng: np.random.Generator, data: bytes) -> bytes:
  start, end = _span(rng, data)
  return data[:start] + data[end:]


def _duplicate(rng: np.random.Generator, data: bytes) -> bytes:
  start, end = _span(rng, data)
  return data[:end] + data[start:end] * int(rng.integers(1, 4)) + data[end:]


def _fill(byte: bytes) -> Edit:
  def edit(rng: np.random.Generator, data: bytes) -> bytes:
    start, end = _span(rng, data)
    return data[:start] + byte * (end - start) + data[end:]

  return edit


def _random(rng: np.random.Generator, data: bytes) -> bytes:
  return rng.bytes(len(data) + int(rng.integers(0, 3)))


EDITS: dict[str, Edit] = {
  "flip a bit": _flip_bit,
  "change bytes": _change_bytes,
  "cut": _cut,
  "insert": _insert,
  "delete": _delete,
  "duplicate": _duplicate,
  "zeros": _fill(b"\0"),
  "ones": _fill(b"\xff"),
  "random": _random,
}


def _varint_end(data: bytes, start: int) -> int:
  while data[start] >= 128:
    start += 1
  return start + 1


def _value(field: bytes) -> int:
  return sum((byte & 127) << 7 * k for k, byte in enumerate(field))
