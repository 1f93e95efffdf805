import io
import logging
import os
import pickle

import numpy as np
import pytest
from array_record.python import array_record_module
from PIL import Image

from jaxlic.data import sources
from jaxlic.errors import JaxlicError

PHOTO = np.random.default_rng(0).integers(0, 256, (6, 5, 3), np.uint8)


def save(path):
  path.parent.mkdir(exist_ok=True)
  Image.fromarray(PHOTO).save(path)


def npy(array):
  file = io.BytesIO()
  np.save(file, array)
  return file.getvalue()


def write_records(path, *records):
  writer = array_record_module.ArrayRecordWriter(str(path), "group_size:1")
  for record in records:
    writer.write(record)
  writer.close()


@pytest.fixture
def folder(tmp_path):
  """Nested photographs of several formats, and what is none."""
  folder = tmp_path / "photos"
  for name in ["b.png", "sub/a.JPG", "sub/c.webp", "d.tif"]:
    save(folder / name)
  (folder / "notes.txt").write_text("not an image")
  return folder


def test_a_folder_gives_its_photographs_in_the_order_of_their_names(folder):
  source = sources.open_source(folder)
  names = [source[i].name for i in range(len(source))]
  assert names == ["b.png", "d.tif", "sub/a.JPG", "sub/c.webp"]
  assert source[0].data == (folder / "b.png").read_bytes()
  np.testing.assert_array_equal(sources.decode(source[0]), PHOTO)


def test_unreadable_files_are_left_out_counted_and_all_named(folder, caplog):
  bad = [f"bad{i:02}.png" for i in range(12)]
  for name in bad:
    (folder / name).write_text("a text")
  (folder / "empty.jpg").touch()
  with caplog.at_level(logging.WARNING):
    source = sources.open_source(folder)
  assert len(source) == 4 and source.skipped == (*bad, "empty.jpg")
  (record,) = caplog.records
  assert record.getMessage() == (
    f"{folder}: left out 13 unreadable files: {', '.join(bad)}, empty.jpg"
  )


def test_a_folder_is_not_decoded_when_it_is_opened(folder, monkeypatch):
  monkeypatch.setattr("PIL.ImageFile.ImageFile.load", None)
  assert len(sources.open_source(folder)) == 4


@pytest.mark.parametrize("name", ["notes.txt", None])
def test_a_folder_without_images_is_refused(tmp_path, name):
  if name:
    (tmp_path / name).write_text("a text")
  with pytest.raises(JaxlicError, match="no such files here, wanted .png"):
    sources.open_source(tmp_path)


def test_a_folder_of_texts_named_as_images_is_refused(tmp_path):
  for i in range(3):
    (tmp_path / f"{i}.png").write_text("a text")
  with pytest.raises(JaxlicError, match="none of the 3 image files .* be read"):
    sources.open_source(tmp_path)


@pytest.mark.parametrize("name", ["missing", "a" * 300, "a.array_record"])
def test_a_missing_path_is_refused(tmp_path, name):
  with pytest.raises(JaxlicError, match="no such folder"):
    sources.open_source(tmp_path / name)


def test_a_file_gone_since_is_refused_by_name(folder):
  source = sources.open_source(folder)
  (folder / "b.png").unlink()
  with pytest.raises(JaxlicError, match="^b.png: cannot read .No such file"):
    source[0]


def test_a_damaged_photograph_is_refused_by_name():
  with pytest.raises(JaxlicError, match="^a.png: not an image of a known"):
    sources.decode(sources.Record("a.png", b"a text"))


@pytest.mark.parametrize(
  "name", ["a.png", "sub/ä.jpg", os.fsdecode(b"\xff.png")]
)
def test_records_are_read_as_written(name):
  record = sources.Record(name, b"data\0 with zeros\0")
  assert sources.from_bytes(sources.to_bytes(record)) == record


def test_the_layout_of_records_is_fixed():
  # Files of version 1 exist; a change needs another MAGIC.
  record = sources.Record("é", b"data")
  assert sources.to_bytes(record) == b"jlr1\xc3\xa9\0data"


def test_tiles_keep_their_samples():
  record = sources.Record("a@0,0", sources.tile_bytes(PHOTO[::2, ::-1]))
  np.testing.assert_array_equal(sources.decode(record), PHOTO[::2, ::-1])


@pytest.mark.parametrize(
  "data",
  [
    sources.tile_bytes(PHOTO)[:-1],
    sources.tile_bytes(PHOTO)[:20],
    npy(PHOTO[..., 0]),
    npy(PHOTO.astype(np.uint16)),
  ],
)
def test_damaged_tiles_are_refused(data):
  with pytest.raises(JaxlicError, match="a@0,0: damaged .*; pack it again"):
    sources.decode(sources.Record("a@0,0", data))


def test_a_folder_of_record_files_is_one_source(tmp_path):
  for i in (1, 0):
    write_records(tmp_path / f"{i}.array_record", b"jlr1%d\0data" % i)
  source = sources.open_source(tmp_path)
  assert [source[i].name for i in range(len(source))] == ["0", "1"]
  assert pickle.loads(pickle.dumps(source))[1] == source[1]


@pytest.mark.parametrize("data", [b"", b"a text", b"a text " * 20_000])
def test_what_is_not_an_array_record_file_is_refused(tmp_path, data):
  path = tmp_path / "a.array_record"
  path.write_bytes(data)
  with pytest.raises(
    JaxlicError, match="a.array_record: not a whole Array"
  ) as e:
    sources.open_source(path)
  assert "\n" not in str(e.value)


@pytest.mark.parametrize("end", [70_000, 100_000])
def test_a_record_file_cut_short_is_refused(tmp_path, end):
  path = tmp_path / "a.array_record"
  write_records(path, b"jlr1a\0" + bytes(range(256)) * 200)
  path.write_bytes(path.read_bytes()[:end])
  with pytest.raises(JaxlicError, match="a.array_record: not a whole Array"):
    sources.open_source(path)


@pytest.mark.parametrize("record", [b"jlr0a\0data", b"jlr1a", b"foreign"])
def test_a_record_file_of_another_layout_is_refused(tmp_path, record):
  write_records(tmp_path / "a.array_record", record)
  match = "a.array_record: records start with jlr1, got .*; pack .* again"
  with pytest.raises(JaxlicError, match=match):
    sources.open_source(tmp_path / "a.array_record")


def test_a_record_file_without_records_is_refused(tmp_path):
  write_records(tmp_path / "a.array_record")
  with pytest.raises(JaxlicError, match="holds no records; pack a folder"):
    sources.open_source(tmp_path / "a.array_record")
