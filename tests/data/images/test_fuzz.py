"""Files changed at random are read, or refused in one line."""

import io
import struct
import traceback
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import jaxlic
from jaxlic.data import images
from jaxlic.errors import JaxlicError
from tests.data.images.exif_bytes import make_exif
from tests.data.images.image_files import (
  SWAPPED,
  encode,
  make_chunk,
)

PACKAGE = Path(jaxlic.__file__).parent
ROWS, COLUMNS = np.mgrid[:24, :32]
PICTURE = Image.fromarray(
  np.stack([8 * COLUMNS, 10 * ROWS, 99 + ROWS], -1).astype(np.uint8)
)
STORED = {"exif": b"Exif\0\0" + make_exif(), "icc_profile": SWAPPED}
SEEDS = {
  "PNG": encode(PICTURE, **STORED),
  "JPEG": encode(PICTURE, "JPEG", **STORED),
  "MPO": encode(PICTURE, "MPO", save_all=True, append_images=[PICTURE]),
  "WEBP": encode(PICTURE, "WEBP", **STORED),
  "AVIF": encode(PICTURE, "AVIF", speed=10, **STORED),
  "TIFF": encode(PICTURE, "TIFF", **STORED),
  "GIF": encode(PICTURE, "GIF"),
  "BMP": encode(PICTURE, "BMP"),
  "PPM": encode(PICTURE, "PPM"),
}
HEAD = 700  # bytes, in which most changes are
SIZES = (bytes(4), b"\0\0\0\1", b"\x7f\xff\xff\xff", b"\xff" * 4)


def _changed(file, rng):
  """A file with up to three changes, most of them in its head."""
  data = bytearray(file)
  for _ in range(rng.integers(1, 4)):
    end = len(data) if rng.random() < 0.2 else min(HEAD, len(data))
    at = int(rng.integers(end))
    kind = rng.integers(5)
    if kind <= 1:
      data[at] = rng.choice([0, 1, 2, 4, 127, 255, rng.integers(256)])
    elif kind == 2:
      data[at : at + 4] = SIZES[rng.integers(len(SIZES))]
    elif kind == 3:
      data[at:at] = rng.bytes(int(rng.integers(1, 9)))
    else:
      del data[at : at + int(rng.integers(1, 9))]
  return bytes(data)


def _with_checks(file):
  """A PNG whose chunks pass their checks, as far as it can be walked."""
  made, at = file[:8], 8
  while at + 12 <= len(file):
    size, name = struct.unpack_from(">I4s", file, at)
    made += make_chunk(name, file[at + 8 : at + 8 + size])
    at += 12 + size
  return made


def _try(read, *args, **options):
  try:
    read(*args, background="red", reduce_depth=True, **options)
  except JaxlicError as error:
    assert "\n" not in str(error)
    # The last border is for what plugins raise, and no excuse for this package.
    frames = traceback.extract_tb(
      getattr(error.__cause__, "__traceback__", None)
    )
    ours = frames and Path(frames[-1].filename).is_relative_to(PACKAGE)
    assert not ours or isinstance(error.__cause__, ValueError), frames[-1]


def _try_all(kind, seeds):
  for seed in seeds:
    file = _changed(SEEDS[kind], np.random.default_rng(seed))
    file = _with_checks(file) if kind == "PNG" and seed % 4 else file
    _try(images.read, file)
    if seed % 8 == 0:
      _try(images.read, file, salvage=True)
    if seed % 3 == 0:
      _try_pil(file, load=seed % 2)


def _try_pil(file, *, load):
  try:
    image = Image.open(io.BytesIO(file))
    if load:
      image.load()
  except Exception:  # each plugin raises its own kinds
    return
  _try(images.from_pil, image)


@pytest.mark.parametrize("kind", SEEDS)
def test_changed_files_are_read_or_refused(kind):
  _try_all(kind, range(40))


@pytest.mark.slow
@pytest.mark.parametrize("kind", SEEDS)
def test_many_changed_files_are_read_or_refused(kind):
  _try_all(kind, range(40, 1000))
