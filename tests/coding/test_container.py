import dataclasses
import re
import struct
import zlib

import numpy as np
import pytest

from jaxlic.coding import container
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
  size = b"".join(map(container._varint, FILE.payload[:2]))
  claim = container._varint(height) + container._varint(width)
  return sealed(packed[:-4].replace(size, claim))


def with_icc(squeezed):
  """A file, valid but for its ICC profile."""
  packed = bytearray(container.pack(with_fields(data=b""))[:-5])
  packed[5] |= 2
  return sealed(
    bytes(packed) + container._varint(len(squeezed)) + squeezed + b"\0"
  )


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
  ],
)
def test_files_come_back(fields):
  bitstream = with_fields(**fields)
  assert container.unpack(container.pack(bitstream)) == bitstream


def test_the_header_takes_its_documented_bytes():
  # 4 magic, 1 version, 1 flags, 1 + 8 model, 4 fingerprint, 2 + 2 size, 2
  # quality, 2 check, 2 payload length, 4 CRC.
  assert len(container.pack(FILE)) - len(FILE.payload.data) == 33


def test_the_bytes_of_version_1_stay():
  golden = (
    "4a4c49430100 08 74696e792d312e30 efbeadde 8004 8006 8050 cdab 02 6869"
  )
  body = bytes.fromhex(golden)
  packed = container.pack(with_fields(data=b"hi"))
  assert packed == sealed(body)


@pytest.mark.parametrize("icc", [None, ICC])
def test_a_cut_file_is_refused_at_every_byte(icc):
  packed = container.pack(with_fields(icc_profile=icc))
  for end in range(len(packed)):
    with pytest.raises(JaxlicError):
      container.unpack(packed[:end])


@pytest.mark.parametrize("icc", [None, ICC])
def test_a_changed_byte_is_refused(icc):
  packed = container.pack(with_fields(icc_profile=icc))
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
    (b"JLIC\x02", "reads and writes version 1 .* got version 2; upgrade"),
    (sealed(b"JLIC\x01\x04"), "within 0..3, got 4"),
    (sealed(b"JLIC\x01\x00\x01A"), "1..64 characters of .*, got 'A'"),
    (sealed(b"JLIC\x01\x00\x01\xff"), "got '\\\\xff'"),
    (with_size(0, 5), "1..67108864 pixels, got 0 x 5"),
    (with_size(10**9, 10**9), "got 1000000000 x 1000000000"),
    (with_size(2**40, 1), "a varint has at most 5 bytes"),
    (container.pack(FILE) + b"x", "got 1 bytes after it"),
    (container.pack(FILE)[:-1], "cut short: .* 4 bytes, but 3 are left"),
    (container.pack(FILE)[:-4] + b"abcd", "the file says 64636261"),
    (with_icc(b"junk"), "the ICC profile is damaged: Error"),
    (with_icc(zlib.compress(ICC)[:-1]), "does not end where it should"),
    (with_icc(zlib.compress(ICC) + b"x"), "does not end where it should"),
    (with_icc(zlib.compress(bytes(2**24 + 1))), "at most 16777216 bytes"),
  ],
)
def test_a_bad_file_is_refused_in_one_line(data, message):
  with pytest.raises(JaxlicError, match=message) as error:
    container.unpack(data)
  assert "\n" not in str(error.value)


@pytest.mark.parametrize(
  "fields, message",
  [
    ({"version": 2}, "version 1"),
    ({"model": ""}, "got ''"),
    ({"model": "a\n"}, "got 'a\\\\n'"),
    ({"height": 0}, "got 0 x 768"),
    ({"height": 2**26}, "pixels"),
    ({"fingerprint": 2**32}, "the fingerprint has 32 unsigned bits"),
    ({"check": -1}, "the check has 16 unsigned bits"),
    ({"quality": -0.1}, "got -0.1"),
    ({"quality": float("nan")}, "got nan"),
    ({"quality": 64.0}, re.escape("within [0, 64), got 64.0")),
    ({"icc_profile": bytes(2**24 + 1)}, "an ICC profile has at most"),
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
