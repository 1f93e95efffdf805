import struct
import time

import pytest
from PIL import Image

from jaxlic.data import images
from tests.data.images.image_files import RGB, encode

JPEG = encode(Image.fromarray(RGB), "JPEG")
GAIN_XMP = (
  b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf='
  b'"http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about='
  b'"" xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"'
  b"/></rdf:RDF></x:xmpmeta>"
)
GAIN_MAP = (
  "a gain map was left out, the picture is that of a standard display",
)
SECOND = ("a second picture was left out",)


def _segment(content, marker=0xE2):
  """A JPEG with a segment after its start."""
  size = struct.pack(">H", len(content) + 2)
  return JPEG[:2] + bytes([0xFF, marker]) + size + content + JPEG[2:]


def _notes(file):
  return images.read(file).notes


def test_a_jpeg_of_one_picture_has_no_notes():
  assert _notes(JPEG) == ()


@pytest.mark.parametrize("tail", [bytes(4096), b"trailing text", b"\n"])
def test_bytes_after_a_jpeg_that_are_no_picture_are_not_told(tail):
  assert _notes(JPEG + tail) == ()


@pytest.mark.parametrize("progressive", [False, True])
def test_a_picture_after_a_jpeg_is_told(progressive):
  first = encode(Image.fromarray(RGB), "JPEG", progressive=progressive)
  assert _notes(first + JPEG) == SECOND
  assert _notes(first + bytes(100) + JPEG) == SECOND


def test_a_phone_s_second_picture_is_told():
  frames = [Image.new("RGB", (16, 16), colour) for colour in ("white", "black")]
  file = encode(frames[0], "MPO", save_all=True, append_images=frames[1:])
  assert _notes(file) == SECOND


def test_a_thumbnail_in_a_segment_is_no_second_picture():
  assert _notes(_segment(JPEG, marker=0xE5)) == ()


def test_a_gain_map_announced_in_xmp_is_told_and_its_xmp_dropped():
  gain = encode(Image.fromarray(RGB), "JPEG", xmp=GAIN_XMP)
  photo = images.read(gain + JPEG)
  assert photo.notes == GAIN_MAP
  assert photo.xmp is None


def test_a_gain_map_of_iso_is_told():
  urn = b"urn:iso:std:iso:ts:21496:-1\0" + bytes(4)
  assert _notes(_segment(urn) + JPEG) == GAIN_MAP


def test_a_gain_map_in_the_second_picture_s_xmp_is_told():
  second = encode(
    Image.fromarray(RGB),
    "JPEG",
    xmp=b"<a>urn:com:apple:photo:2020:aux:hdrgainmap</a>",
  )
  assert _notes(JPEG + second) == GAIN_MAP


def test_a_motion_photo_s_video_is_told():
  assert _notes(JPEG + b"\0\0\0\x18ftypmp42" + bytes(99)) == (
    "a video was left out",
  )


def test_xmp_that_goes_on_in_further_segments_is_told():
  more = _segment(b"http://ns.adobe.com/xmp/extension/\0" + bytes(40), 0xE1)
  assert _notes(more) == ("XMP beyond 64 KiB was left out",)


def test_iptc_is_told():
  # Photoshop's block 0x0404, of a caption (2:120).
  record = b"\x1c\x02\x78\0\x05hello\0\0"
  block = b"8BIM\x04\x04\0\0" + struct.pack(">I", 10) + record[:10]
  file = _segment(b"Photoshop 3.0\0" + block, 0xED)
  assert _notes(file) == ("IPTC metadata was left out",)


@pytest.mark.parametrize(
  ("auxiliary", "note"),
  [
    (b"urn:com:apple:photo:2020:aux:hdrgainmap", GAIN_MAP),
    (b"urn:mpeg:mpegB:cicp:systems:aux:depth", ("a depth map was left out",)),
  ],
)
def test_auxiliary_pictures_of_an_avif_are_told(auxiliary, note):
  image = Image.fromarray(RGB)
  file = encode(image, "AVIF")
  # One more property in the list: boxes around it and places after it move.
  box = b"auxC" + bytes(4) + auxiliary + b"\0"
  box = struct.pack(">I", len(box) + 4) + box
  place = file.index(b"ipma") - 4
  grown = bytearray(file[:place] + box + file[place:])
  for name in (b"meta", b"iprp", b"ipco"):
    at = grown.index(name) - 4
    (size,) = struct.unpack_from(">I", grown, at)
    struct.pack_into(">I", grown, at, size + len(box))
  at = grown.index(b"iloc")
  old = struct.pack(">I", file.index(b"mdat") + 4)
  at = grown.index(old, at)
  struct.pack_into(">I", grown, at, file.index(b"mdat") + 4 + len(box))
  assert _notes(bytes(grown)) == note


@pytest.mark.slow  # its limit is one of time
def test_a_run_of_fill_bytes_takes_no_time():
  start = time.perf_counter()
  _notes(_segment(b"") + b"\xff" * 2_000_000)
  assert time.perf_counter() - start < 1
