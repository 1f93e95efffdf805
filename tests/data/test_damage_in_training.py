"""Files that decoders only report on are as damaged to training as cut ones."""

import contextlib
import itertools

import numpy as np
import pytest
from PIL import Image

from jaxlic.data import pack, resident, sources, stream
from jaxlic.errors import JaxlicError
from tests.data.images.image_files import encode

NOISE = Image.fromarray(
  np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
)
BAD, FAX = ("lost.jpg", "lost.png", "lost.webp"), "lost.tif"


@pytest.fixture
def folder(tmp_path):
  """Flat photographs among files of which a part went lost."""
  folder = tmp_path / "photos"
  folder.mkdir()
  for i in range(4):
    NOISE.point(lambda _, i=i: i).save(folder / f"{i}.png")
  for name, kind in zip(BAD, ("JPEG", "PNG", "WEBP"), strict=True):
    file = encode(NOISE, kind)
    half, end = len(file) // 2, 0 if kind == "WEBP" else 20
    zeros = bytes(len(file) - half - end)
    (folder / name).write_bytes(file[:half] + zeros + file[len(file) - end :])
  file = encode(NOISE.convert("1"), "TIFF", compression="group4")
  noise = np.random.default_rng(1).bytes(200)
  (folder / FAX).write_bytes(file[:200] + noise + file[400:])
  return folder


def test_streams_replace_and_name_them(folder, caplog, capfd):
  source = sources.open_source(folder)
  assert len(source) == 8
  options = {"batch": 8, "crop": 8, "seed": 0, "threads": 16}
  with contextlib.closing(stream.batches(source, **options)) as batches:
    crops = np.stack([b.images for b in itertools.islice(batches, 3)])
  assert set(crops.ravel()) == {0, 1, 2, 3}
  for name in (*BAD, FAX):
    assert f"replaced by the next photograph: {name}: damaged" in caplog.text
  assert "Fax4Decode" in caplog.text
  assert "\nFax4Decode" not in "\n" + capfd.readouterr().err


def test_what_stays_on_a_device_is_without_them(folder, caplog):
  photos = resident.load(sources.open_source(folder))
  assert len(photos.first) == 4 and photos.pixels.max() == 3
  for name in (*BAD, FAX):
    assert f"left out: {name}: damaged" in caplog.text


def test_packing_leaves_them_out_and_names_them(folder, tmp_path):
  packed = pack.pack(folder, tmp_path / "photos.array_record")
  assert packed.photos == 4 and set(packed.skipped) == {*BAD, FAX}


def test_packing_stops_where_no_process_starts(folder, tmp_path, monkeypatch):
  # The photograph may be sound, and must not be left out.
  def refuse(*args, **options):
    raise BlockingIOError(11, "Resource temporarily unavailable")

  monkeypatch.setattr("subprocess.run", refuse)
  with pytest.raises(JaxlicError, match="raise the limits on processes"):
    pack.pack(folder, tmp_path / "photos.array_record")
