"""No command writes over what is not its own."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxlic import cli, files, zoo
from jaxlic.evaluation.sweep import Point
from tests.cli.conftest import noise, raising


@pytest.fixture
def photos(tmp_path):
  """Two photographs, as a shell hands them to a command."""
  paths = tmp_path / "IMG_1.jpg", tmp_path / "IMG_2.jpg"
  for path in paths:
    Image.fromarray(noise(48, 48, 3)).save(path)
  return paths


@pytest.fixture
def source(jlic, tmp_path):
  path = tmp_path / "a.jlic"
  path.write_bytes(jlic)
  return path


def test_the_second_of_two_photographs_is_no_output(refuse, photos):
  before = photos[1].read_bytes()
  line = refuse("compress", *photos)
  assert "a second input" in line and "--output-dir" in line
  assert photos[1].read_bytes() == before


@pytest.mark.parametrize("name", ["notes.txt", "photo", "photo.jlic.bak"])
def test_a_target_of_another_suffix_is_refused(refuse, png, tmp_path, name):
  path = tmp_path / name
  path.write_text("kept")
  for flags in ([], ["--force"]):
    line = refuse("compress", png, path, *flags)
    assert "a .jlic file ends in .jlic" in line
  assert path.read_text() == "kept"


def test_a_target_is_judged_before_work_begins(
  refuse, monkeypatch, photos, source, tmp_path
):
  for name in ("compress_photo", "decompress_photo"):
    monkeypatch.setattr(files, name, raising(AssertionError("too late")))
  monkeypatch.setattr(zoo, "load", raising(AssertionError("too late")))
  monkeypatch.setattr(zoo, "export", raising(AssertionError("too late")))
  kept = tmp_path / "kept"
  kept.mkdir()
  contents = {
    "a.jlic": b"a letter",
    "a.png": photos[0].read_bytes(),  # a JPEG by the name of a PNG
    "a.json": b'{"mine": 1}',
    "list.json": b"[1]",
    "broken.json": b"{",
    "a.csv": b"name,grade\n",
    "a.array_record": b"no records",
    "codec/weights.npz": b"my weights",
    "json/codec.json": b'{"name": "mine"}',
  }
  for name, content in contents.items():
    (kept / name).parent.mkdir(exist_ok=True)
    (kept / name).write_bytes(content)
  for words in [
    ("compress", photos[0], kept / "a.jlic"),
    ("decompress", source, kept / "a.png"),
    ("demo", "--out", kept / "a.png"),
    ("eval", tmp_path, "--out", kept / "a.json"),
    ("eval", tmp_path, "--out", kept / "list.json"),
    ("eval", tmp_path, "--out", kept / "broken.json"),
    ("eval", tmp_path, "--csv", kept / "a.csv"),
    ("prepare", tmp_path, kept / "a.array_record"),
    ("export", tmp_path, kept / "codec"),
    ("export", tmp_path, kept / "json"),
    ("ensemble", kept / "codec", "lapped-1", "lapped-2"),
    ("import", "compressai", "model.pth", kept / "codec"),
  ]:
    line = refuse(*words)
    assert "so it stays as it is; give another path, or force" in line, words
  for name, content in contents.items():
    assert (kept / name).read_bytes() == content


@pytest.mark.parametrize(
  "words",
  [("eval", ".", "--out"), ("eval", ".", "--csv"), ("prepare", ".")],
)
def test_a_photograph_is_no_table(refuse, photos, words, monkeypatch, tmp_path):
  monkeypatch.chdir(tmp_path)
  before = photos[0].read_bytes()
  assert "give it such a suffix" in refuse(*words, photos[0])
  assert photos[0].read_bytes() == before


def test_a_target_of_its_kind_is_replaced(run, model, png, tmp_path):
  target, shown = tmp_path / "out.jlic", tmp_path / "out.jpg"
  target.touch()  # empty files hold nothing
  for quality in (1, 2):
    run("compress", png, target, "--model", model, "--quality", quality)
    run("decompress", target, shown, "--model", model)
  data = files.compress(noise(48, 48, 3), quality=2, model=model)
  assert target.read_bytes() == data


def test_tables_of_their_kind_are_replaced(run, model, tmp_path):
  Image.fromarray(noise(48, 48, 3)).save(tmp_path / "in.png")
  out, table = tmp_path / "a.json", tmp_path / "a.csv"
  for _ in range(2):
    run(
      *("eval", tmp_path, "--model", model, "--qualities", 1),
      *("--out", out, "--csv", table),
    )
  assert "bpp" in json.loads(out.read_text())["results"]
  assert table.read_text().startswith(",".join(Point._fields) + "\n")


def test_force_replaces_what_is_of_another_kind(run, model, png, tmp_path):
  target = tmp_path / "out.jlic"
  target.write_text("a letter")
  run("compress", png, target, "--model", model, "--force")
  assert target.read_bytes().startswith(b"JLIC")


def test_a_target_that_is_read_only_stays(run, refuse, model, png, tmp_path):
  target = tmp_path / "out.jlic"
  words = "compress", png, target, "--model", model
  run(*words, "--quality", 1)
  before = target.read_bytes()
  os.chmod(target, 0o444)
  assert "is read-only" in refuse(*words, "--quality", 2)
  assert target.read_bytes() == before
  run(*words, "--quality", 2, "--force")
  assert target.read_bytes() != before


def test_a_codec_takes_the_place_of_a_codec(run, refuse, model, tmp_path):
  folder = tmp_path / "codec"
  shutil.copytree(model, folder)
  zoo.check_folder(folder)
  line = refuse("ensemble", folder, model, model)
  assert "holds no codec yet" in line and "--force" in line
  (tmp_path / "file").touch()
  line = refuse("export", tmp_path, tmp_path / "file")
  assert "is a file, no folder" in line


def test_the_packed_records_take_the_place_of_others(run, refuse, tmp_path):
  Image.fromarray(noise(8, 8, 3)).save(tmp_path / "in.png")
  target = tmp_path / "a.array_record"
  run("prepare", tmp_path, target)
  run("prepare", tmp_path, target)
  target.write_text("no records")
  refuse("prepare", tmp_path, target)
  assert target.read_text() == "no records"
  run("prepare", tmp_path, target, "--force")


def test_a_picture_may_not_take_the_name_of_its_file(run, model, png, tmp_path):
  # JPEGs of phones hold a second picture, and are JPEGs all the same.
  frames = [Image.fromarray(noise(16, 16, 3)) for _ in range(2)]
  target = tmp_path / "out.jpg"
  frames[0].save(target, "MPO", save_all=True, append_images=frames[1:])
  middle = Path(png).with_suffix(".jlic")
  run("compress", png, middle, "--model", model)
  run("decompress", middle, target, "--model", model)
  with Image.open(target) as image:
    assert (image.format, image.size) == ("JPEG", (48, 48))
  assert np.asarray(Image.open(target)).shape == (48, 48, 3)
  assert cli.main(["info", str(middle)]) == 0
