"""docs/file_format.md tells golden files byte by byte, as they are."""

import dataclasses
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from jaxlic.coding import container, escape, metadata
from jaxlic.coding.fields import varint

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "file_format.md").read_text()
GOLDEN = ROOT / "tests" / "golden"
V1, V2 = "v1-lapped-2-grey.jlic", "v2-lapped-1-grey.jlic"
LEFT_OUT = "..."
ROW = re.compile(
  r"^\| (\d+) \| `([0-9a-f ]+(?:\.\.\.)?)` \| (.+?) \| (.*?) ?\|"
)


def section(name):
  """What the page says of a golden file."""
  start = PAGE.index(f"`tests/golden/{name}`")
  return PAGE[start : PAGE.index("\n## ", start)]


def rows(name):
  """Offset, bytes, whether some are left out, field and value of each row."""
  for line in section(name).splitlines():
    if match := ROW.match(line):
      offset, digits, field, value = match.groups()
      whole = not digits.endswith(LEFT_OUT)
      shown = bytes.fromhex(digits.removesuffix(LEFT_OUT))
      yield int(offset), shown, whole, field, value


def told(name):
  return {field: value for *_, field, value in rows(name)}


@pytest.mark.parametrize("name", [V1, V2])
def test_the_dump_is_the_golden_file(name):
  data, end = (GOLDEN / name).read_bytes(), 0
  sizes = re.search(r"(\d+) bytes", section(name))
  assert int(sizes[1]) == len(data)
  for offset, shown, whole, _, _ in rows(name):
    assert offset == end
    assert data[offset : offset + len(shown)] == shown
    end = offset + len(shown) if whole else None
    if not whole:
      later = [o for o, *_ in rows(name) if o > offset]
      end = later[0]
  assert end == len(data)


@pytest.mark.parametrize("name", [V1, V2])
def test_the_values_are_those_that_the_container_reads(name):
  data, values = (GOLDEN / name).read_bytes(), told(name)
  b = container.unpack(data)
  payload = b.payload
  expected = {
    "magic": container.MAGIC.decode(),
    "version": str(b.version),
    "length of the name": str(len(b.model)),
    "name": b.model,
    "fingerprint": f"{b.fingerprint:#010x}",
    "height": str(payload.height),
    "width": str(payload.width),
    "quality * 4096": str(round(payload.quality * container.QUALITY_STEPS)),
    "check": f"{payload.check:#0{6 if b.version == 1 else 10}x}",
    "length of the payload": str(len(payload.data)),
    "CRC-32": f"{zlib.crc32(data[:-4]):#010x}",
  }
  assert values | expected == values
  assert ("grey" in values["flags"]) == b.grey
  assert ("EXIF" in values["flags"]) == (b.exif is not None)


def test_the_fields_stand_in_the_order_of_packed_files():
  # A file with all fields, each of a value that is found again.
  b = container.unpack((GOLDEN / V2).read_bytes())
  payload = b.payload._replace(height=300, width=5000, check=0x01020304)
  full = dataclasses.replace(
    b, icc_profile=b"icc", exif=b"exif", xmp=b"xmp", payload=payload
  )
  packed = container.pack(full)
  squeezed = [zlib.compress(part, 9) for part in (b"icc", b"exif", b"xmp")]
  pieces = [
    container.MAGIC,
    bytes([2, 0b1111, len(b.model)]) + b.model.encode(),
    struct.pack("<I", b.fingerprint),
    varint(300) + varint(5000) + varint(round(b.payload.quality * 4096)),
    struct.pack("<I", 0x01020304),
    *(varint(len(part)) + part for part in squeezed),
    varint(len(payload.data)) + payload.data,
  ]
  body = b"".join(pieces)
  assert packed == body + struct.pack("<I", zlib.crc32(body))
  table = re.findall(r"^\| [^|]+ \| ([^|]+) \|", PAGE, re.MULTILINE)
  fields = [
    *("magic", "version of the format", "flags"),
    *("length of the codec's name", "the codec's name", "fingerprint"),
    *("height", "width", "quality times 4096, rounded"),
    *("check of the symbols", "ICC profile, if its flag is set"),
    *("EXIF, likewise", "XMP, likewise", "payload", "CRC-32"),
  ]
  start = table.index("magic")
  assert table[start : start + len(fields)] == fields


def test_the_bounds_are_those_of_the_code():
  assert container.MAX_PIXELS == 2**26 and "at most 2^26" in PAGE
  assert metadata.MAX_BYTES == 2**24 and "at most 2^24 bytes" in PAGE
  assert container.QUALITY_STEPS == 4096 and container.MAX_QUALITY == 64
  assert varint(5000).hex(" ") == "88 27" and "5000 is `88 27`" in PAGE
  known = {version: v.check_bytes for version, v in container._VERSIONS.items()}
  assert known == {1: 2, 2: 4}


def test_the_frequencies_of_escapes_are_those_of_the_page():
  b = np.arange(32)
  share = [2**23 // ((k + 1) * (k + 2)) for k in b]
  share[0] += 2**23 - sum(share)
  assert "floor(2^23 / ((b + 1) (b + 2)))" in " ".join(PAGE.split())
  np.testing.assert_array_equal(
    escape.head_frequencies().reshape(-1, 2), np.stack([share, share], 1)
  )
