import dataclasses
import re
import struct
import zlib

import numpy as np
import pytest

from jaxlic.coding import container
from jaxlic.coding.fields import varint
from jaxlic.errors import JaxlicError
from jaxlic.types import Bitstream, Payload

pytestmark = pytest.mark.newest

FILE = Bitstream(
  version=1,
  model="tiny-1.0",
  fingerprint=0xDEADBEEF,
  grey=False,
  icc_profile=None,
  payload=Payload(
    height=512,
    width=768,
    quality=2.5,
    check=0xABCD,
    data=bytes(range(200)),
  ),
)
ICC = FILE.model.encode() * 100
EXIF, XMP = b"MM\0*" + bytes(40), b"<x:xmpmeta/>" * 9
# Of version 2, with all that it can have.
FULL = dataclasses.replace(
  FILE,
  version=2,
  icc_profile=ICC,
  exif=EXIF,
  xmp=XMP,
  payload=FILE.payload._replace(check=0xDEADABCD),
)


def with_fields(**fields):
  """The file with other fields, those of its payload among them."""
  inner = {name: fields.pop(name) for name in Payload._fields if name in fields}
  payload = FILE.payload._replace(**inner)
  return dataclasses.replace(FILE, payload=payload, **fields)


def sealed(body):
  return body + struct.pack("<I", zlib.crc32(body))


def with_size(height, width):
  """A file, valid but for the size it claims."""
  packed = container.pack(FILE)
  size = b"".join(map(varint, FILE.payload[:2]))
  claim = varint(height) + varint(width)
  return sealed(packed[:-4].replace(size, claim))


def with_metadata(squeezed, *, flag):
  """A file, valid but for its ICC profile, EXIF or XMP."""
  fields = {"version": 1 if flag == 2 else 2, "data": b""}
  packed = bytearray(container.pack(with_fields(**fields))[:-5])
  packed[5] |= flag
  return sealed(bytes(packed) + varint(len(squeezed)) + squeezed + b"\0")


@pytest.mark.parametrize(
  "fields",
  [
    {},
    {"grey": True},
    {"icc_profile": ICC},
    {"icc_profile": b""},
    {"data": b""},
    {"height": 1, "width": 1, "quality": 0.0},
    {"height": 2**26, "width": 1, "quality": 64 - 1 / 4096, "model": "x" * 64},
    {"fingerprint": 2**32 - 1, "check": 2**16 - 1, "grey": True},
    {"version": 2},
    {"version": 2, "check": 2**32 - 1, "icc_profile": ICC},
    {"version": 2, "exif": EXIF},
    {"version": 2, "exif": b"", "grey": True},
    {"version": 2, "xmp": XMP, "data": b""},
    {"version": 2, "icc_profile": ICC, "exif": EXIF, "xmp": XMP},
    {"version": 2, "exif": bytes(2**24)},
  ],
)
def test_files_come_back(fields):
  bitstream = with_fields(**fields)
  assert container.unpack(container.pack(bitstream)) == bitstream


def test_the_header_takes_its_documented_bytes():
  # 4 magic, 1 version, 1 flags, 1 + 8 model, 4 fingerprint, 2 + 2 size, 2
  # quality, 2 check, 2 payload length, 4 CRC.
  assert len(container.pack(FILE)) - len(FILE.payload.data) == 33


def test_version_2_adds_two_bytes_of_check():
  data = FILE.payload.data
  assert len(container.pack(with_fields(version=2))) - len(data) == 35


def test_version_1_keeps_the_fold_of_a_check():
  # 0xDEAD ^ 0xABCD
  packed = container.pack(with_fields(check=0xDEADABCD))
  assert container.unpack(packed).payload.check == 0x7560


@pytest.mark.parametrize(
  ("fields", "version"),
  [
    ({"exif": None, "xmp": None}, 1),
    ({"exif": b"", "xmp": None}, 2),
    ({"exif": None, "xmp": XMP}, 2),
  ],
)
def test_the_least_version_is_the_first_that_holds_it(fields, version):
  assert container.least_version(**fields) == version
  container.pack(with_fields(version=version, **fields))
  if version > 1:
    with pytest.raises(JaxlicError, match="version 1 .* holds no"):
      container.pack(with_fields(version=1, **fields))


def test_the_bytes_of_version_2_stay():
  # Fields as the module's table has them.
  packed = container.pack(
    with_fields(version=2, check=0xDEADABCD, data=b"hi", exif=b"E", xmp=b"X")
  )
  squeezed = [zlib.compress(text, 9) for text in (b"E", b"X")]
  exif, xmp = (bytes([len(part)]) + part for part in squeezed)
  body = (
    bytes.fromhex("4a4c4943020c 08 74696e792d312e30 efbeadde 8004 8006 8050")
    + bytes.fromhex("cdabadde")
    + exif
    + xmp
    + b"\x02hi"
  )
  assert packed == sealed(body)


@pytest.mark.parametrize("file", [FILE, FULL], ids=["1", "2"])
def test_the_header_needs_no_payload(file):
  packed = container.pack(file)
  cut = packed[: -4 - len(file.payload.data)]
  header = container.unpack_header(cut)
  payload = file.payload._replace(data=b"")
  assert header == dataclasses.replace(file, payload=payload)
  for end in range(len(cut) - 2):  # 2: of the payload's length
    with pytest.raises(JaxlicError):
      container.unpack_header(cut[:end])


def test_the_bytes_of_version_1_stay():
  golden = (
    "4a4c49430100 08 74696e792d312e30 efbeadde 8004 8006 8050 cdab 02 6869"
  )
  body = bytes.fromhex(golden)
  packed = container.pack(with_fields(data=b"hi"))
  assert packed == sealed(body)


FILES = [FILE, with_fields(icc_profile=ICC), FULL]


@pytest.mark.parametrize("file", FILES, ids=["1", "1-icc", "2"])
def test_a_cut_file_is_refused_at_every_byte(file):
  packed = container.pack(file)
  for end in range(len(packed)):
    with pytest.raises(JaxlicError):
      container.unpack(packed[:end])


@pytest.mark.parametrize("file", FILES, ids=["1", "1-icc", "2"])
def test_a_changed_byte_is_refused(file):
  packed = container.pack(file)
  rng = np.random.default_rng(0)
  for _ in range(1000):
    changed = bytearray(packed)
    changed[rng.integers(len(packed))] ^= rng.integers(1, 256)
    with pytest.raises(JaxlicError) as error:
      container.unpack(bytes(changed))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
  "data, message",
  [
    (b"", "not a .jlic file: it begins with b''"),
    (b"\x89PNG\r\n", "not a .jlic file: .* expected b'JLIC'"),
    (b"JLIC\x00", "versions 1 and 2 .* got version 0"),
    (b"JLIC\x03", "reads and writes versions 1 and 2 .* got version 3; upgr"),
    (sealed(b"JLIC\x01\x04"), "of version 1 are within 0..3, got 4"),
    (sealed(b"JLIC\x02\x10"), "of version 2 are within 0..15, got 16"),
    (sealed(b"JLIC\x01\x00\x01A"), "1..64 characters of .*, got 'A'"),
    (sealed(b"JLIC\x01\x00\x01\xff"), "got '\\\\xff'"),
    (with_size(0, 5), "1..67108864 pixels, got 0 x 5"),
    (with_size(10**9, 10**9), "got 1000000000 x 1000000000"),
    (with_size(2**40, 1), "a varint has at most 5 bytes"),
    (container.pack(FILE) + b"x", "got 1 bytes after it"),
    (container.pack(FILE)[:-1], "cut short: .* 4 bytes, but 3 are left"),
    (container.pack(FILE)[:-4] + b"abcd", "the file says 64636261"),
  ],
)
def test_a_bad_file_is_refused_in_one_line(data, message):
  with pytest.raises(JaxlicError, match=message) as error:
    container.unpack(data)
  assert "\n" not in str(error.value)


@pytest.mark.parametrize(
  ("flag", "name"), [(2, "ICC profile"), (4, "EXIF"), (8, "XMP")]
)
@pytest.mark.parametrize(
  ("squeezed", "message"),
  [
    (b"junk", "the {} is damaged: Error"),
    (zlib.compress(ICC)[:-1], "the {} is damaged: .* does not end where"),
    (zlib.compress(ICC) + b"x", "the {} is damaged: .* does not end where"),
    (zlib.compress(bytes(2**24 + 1)), "the {} has at most 16777216 bytes"),
  ],
  ids=["junk", "cut", "long", "bomb"],
)
def test_bad_metadata_are_refused_in_one_line(flag, name, squeezed, message):
  data = with_metadata(squeezed, flag=flag)
  for unpack in (container.unpack, container.unpack_header):
    with pytest.raises(JaxlicError, match=message.format(name)) as error:
      unpack(data)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
  "fields, message",
  [
    ({"version": 0}, "versions 1 and 2 .* got version 0"),
    ({"version": 3}, "versions 1 and 2 .* got version 3"),
    ({"model": ""}, "got ''"),
    ({"model": "a\n"}, "got 'a\\\\n'"),
    ({"height": 0}, "got 0 x 768"),
    ({"height": 2**26}, "pixels"),
    ({"fingerprint": 2**32}, "the fingerprint has 32 unsigned bits"),
    ({"check": -1}, "the check has 32 unsigned bits"),
    ({"check": 2**32}, "the check has 32 unsigned bits"),
    ({"quality": -0.1}, "got -0.1"),
    ({"quality": float("nan")}, "got nan"),
    ({"quality": 64.0}, re.escape("within [0, 64), got 64.0")),
    ({"icc_profile": bytes(2**24 + 1)}, "the ICC profile has at most"),
    ({"version": 2, "exif": bytes(2**24 + 1)}, "the EXIF has at most"),
    ({"version": 2, "xmp": bytes(2**24 + 1)}, "the XMP has at most"),
    ({"exif": EXIF}, "version 1 .* holds no EXIF; pack it as version 2"),
  ],
)
def test_what_the_format_cannot_hold_is_refused(fields, message):
  with pytest.raises(JaxlicError, match=message):
    container.pack(with_fields(**fields))


def test_the_file_holds_the_quantized_quality():
  quality = 1 / 3
  payload = container.unpack(
    container.pack(with_fields(quality=quality))
  ).payload
  assert payload.quality == container.quantize_quality(quality)
  # Half a step of 1/4096.
  assert abs(payload.quality - quality) <= 0.5 / 4096
