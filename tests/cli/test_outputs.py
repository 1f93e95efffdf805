"""No command writes over what is not its own."""

import json
import os
import shutil

import pytest
from PIL import Image

from jaxlic import files, zoo
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
    "a.log": b"a diary",
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
    ("eval", tmp_path, "--log", kept / "a.log"),
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
  [
    ("eval", ".", "--out"),
    ("eval", ".", "--csv"),
    ("eval", ".", "--log"),
    ("prepare", "."),
  ],
)
def test_a_photograph_is_no_table(refuse, photos, words, monkeypatch, tmp_path):
  monkeypatch.chdir(tmp_path)
  before = photos[0].read_bytes()
  assert "give it such a suffix" in refuse(*words, photos[0])
  assert photos[0].read_bytes() == before


def test_a_target_of_its_kind_is_replaced(run, model, png, tmp_path):
  target, shown = tmp_path / "out.jlic", tmp_path / "out.png"
  target.touch()  # empty files hold nothing
  for quality in (1, 2):
    run("compress", png, target, "--model", model, "--quality", quality)
    run("decompress", target, shown, "--model", model)
  data = files.compress(noise(48, 48, 3), quality=2, model=model)
  assert target.read_bytes() == data


def test_tables_of_their_kind_are_replaced(run, model, tmp_path):
  Image.fromarray(noise(48, 48, 3)).save(tmp_path / "in.png")
  out, table, log = (tmp_path / f"a.{end}" for end in ("json", "csv", "log"))
  for _ in range(2):
    run(
      *("eval", tmp_path, "--model", model, "--qualities", 1),
      *("--out", out, "--csv", table, "--log", log),
    )
  assert "bpp" in json.loads(out.read_text())["results"]
  assert table.read_text().startswith(",".join(Point._fields) + "\n")
  assert log.read_text().startswith("s+l = 1.00  PSNR_AVE: ")


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


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_only_pictures_that_jaxlic_wrote_are_replaced(
  run, refuse, model, png, tmp_path, suffix
):
  # What a shell makes of photo.* after `compress photo.png photo.jlic`.
  photo, middle = tmp_path / f"photo{suffix}", tmp_path / "photo.jlic"
  Image.fromarray(noise(16, 16, 3)).save(photo)
  run("compress", png, middle, "--model", model)
  before = photo.read_bytes()
  words = "decompress", middle, photo, "--model", model
  assert "is not a picture by jaxlic, so it stays" in refuse(*words)
  assert "is not a picture by jaxlic" in refuse("demo", "--out", photo)
  assert photo.read_bytes() == before
  run(*words, "--force")
  with Image.open(photo) as image:
    assert image.size == (48, 48)
  if suffix in (".png", ".jpg"):  # which say who wrote them
    run(*words)
  else:
    refuse(*words)


@pytest.mark.parametrize("command", ["decompress", "eval", "demo", "prepare"])
def test_no_command_replaces_what_is_read_only(
  refuse, source, tmp_path, command
):
  words = {
    "decompress": (source, tmp_path / "out.png"),
    "eval": (tmp_path, "--csv", tmp_path / "out.csv"),
    "demo": ("--out", tmp_path / "out.png"),
    "prepare": (tmp_path, tmp_path / "out.array_record"),
  }[command]
  target = words[-1]
  target.touch(0o444)
  assert "is read-only, and stays as it is" in refuse(command, *words)
  assert target.read_bytes() == b""


def test_tables_too_deep_to_be_read_are_not_ours(refuse, tmp_path):
  (tmp_path / "codec").mkdir()
  for path in (tmp_path / "a.json", tmp_path / "codec" / "codec.json"):
    path.write_text("[" * 200_000)
  assert "stays as it is" in refuse("eval", ".", "--out", tmp_path / "a.json")
  assert "stays as it is" in refuse("export", ".", tmp_path / "codec")


def test_an_empty_name_is_refused_before_work(refuse, tmp_path):
  refuse("eval", tmp_path, "--out", "")
  refuse("eval", tmp_path, "--csv", "")
  refuse("eval", tmp_path, "--log", "")
  line = refuse("compress", "a.png", "--output-dir", "")
  assert "--output-dir is a folder, got ''" in line


def test_a_folder_that_may_not_be_written_in_is_told_before_work(
  refuse, monkeypatch, tmp_path
):
  # Permissions do not bind root, under which some run the tests.
  monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
  line = refuse("eval", tmp_path, "--out", tmp_path / "a.json")
  assert "no permission to write in" in line
