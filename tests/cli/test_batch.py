"""Many files in one command."""

import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from jaxlic import cli, files
from tests.cli.conftest import ROOT, noise, process


@pytest.fixture
def photos(tmp_path):
  """A folder of three photographs, one of them below it."""
  folder = tmp_path / "photos"
  (folder / "sub").mkdir(parents=True)
  for number, name in enumerate(("a.png", "b.v2.jpg", "sub/c.PNG")):
    Image.fromarray(noise(48, 48, 3) ^ number).save(folder / name)
  return folder


@pytest.fixture
def code(capsys):
  """Runs a command; returns its exit code, what it prints, what it tells."""

  def code(*words):
    code = cli.main([str(word) for word in words])
    return code, *capsys.readouterr()

  return code


def names(folder):
  return sorted(
    str(path.relative_to(folder))
    for path in folder.rglob("*")
    if path.is_file()
  )


def test_files_and_folders_go_to_a_folder(run, model, photos, png, tmp_path):
  out = tmp_path / "new" / "out"
  words = "compress", photos, png, "--output-dir", out, "--model", model
  lines = run(*words, "--quality", 2).splitlines()
  assert [line.split(":")[0] for line in lines] == [
    f"{out}/a.jlic",
    f"{out}/b.v2.jlic",
    f"{out}/in.jlic",
  ]
  assert names(out) == ["a.jlic", "b.v2.jlic", "in.jlic"]
  expected = files.compress(noise(48, 48, 3), quality=2, model=model)
  assert (out / "in.jlic").read_bytes() == expected
  run(*words, "--recursive")
  assert names(out) == ["a.jlic", "b.v2.jlic", "in.jlic", "sub/c.jlic"]


def test_a_folder_of_files_comes_back(run, refuse, model, photos, tmp_path):
  out, back = tmp_path / "out", tmp_path / "back"
  more = "--model", model, "--recursive"
  run("compress", photos, "--output-dir", out, *more)
  words = "decompress", out, "--output-dir", back, *more
  run(*words)
  assert names(back) == ["a.png", "b.v2.png", "sub/c.png"]
  shown = files.decompress((out / "sub/c.jlic").read_bytes(), model=model)
  with Image.open(back / "sub/c.png") as image:
    np.testing.assert_array_equal(image, shown)
  run(*words)
  skipped = run(*words, "--skip-existing")
  assert skipped == "3 skipped, as they are there\n"
  run(*words, "--format", "jpg")
  assert "back/a.jpg" in names(tmp_path)
  # It could be the photograph that all began with.
  Image.fromarray(noise(8, 8, 3)).save(back / "a.png")
  assert "a.png: exists and is not a picture by jaxlic" in refuse(*words)


@pytest.mark.newest
def test_options_may_stand_between_paths(run, refuse, model, png, tmp_path):
  target = tmp_path / "out.jlic"
  run("compress", "--model", model, png, "--quality", 2, target)
  assert target.exists()
  words = "compress", png, "--strip", target, "--fast"
  assert "unrecognized arguments: --fast" in refuse(*words)
  assert "unrecognized arguments: b" in refuse("info", "a", "--json", "b")


def test_a_broken_file_does_not_stop_the_rest(code, model, photos, tmp_path):
  (photos / "aa.png").write_text("no image")
  out = tmp_path / "out"
  words = "compress", photos, "--output-dir", out, "--model", model
  status, printed, told = code(*words)
  assert status == 1 and len(printed.splitlines()) == 2
  assert told.splitlines() == [
    f"jaxlic: {photos}/aa.png: not an image of a known format, or damaged; "
    "convert it to PNG",
    "jaxlic: 1 of 3 files failed",
  ]
  assert names(out) == ["a.jlic", "b.v2.jlic"]
  words = "compress", photos / "aa.png", *words[2:]
  for flags in ([], ["--skip-existing"]):
    assert code(*words, *flags)[:2] == (2, "")


def test_existing_outputs_are_skipped(code, model, photos, tmp_path):
  out = tmp_path / "out"
  words = "compress", photos, "--output-dir", out, "--model", model
  out.mkdir()
  (out / "a.jlic").write_text("kept")
  status, _, told = code(*words)
  assert status == 2 and "is not a .jlic file, so it stays" in told
  assert names(out) == ["a.jlic"]
  assert code(*words, "--skip-existing")[0] == 0
  assert names(out) == ["a.jlic", "b.v2.jlic"]
  assert (out / "a.jlic").read_text() == "kept"


def test_one_name_for_two_outputs_is_refused_before_work(
  refuse, photos, tmp_path
):
  Image.fromarray(noise(8, 8, 3)).save(photos / "A.jpg")
  out = tmp_path / "out"
  line = refuse("compress", photos, "--output-dir", out)
  assert "A.jpg and" in line and "would both become" in line
  assert not out.exists()


def test_a_file_that_is_named_twice_is_coded_once(run, model, photos, tmp_path):
  words = "compress", photos / "a.png", photos, photos / "a.png"
  lines = run(*words, "--output-dir", tmp_path / "out", "--model", model)
  assert len(lines.splitlines()) == 2


def test_links_are_files_of_their_own(run, model, photos, tmp_path):
  (photos / "link.png").symlink_to(photos / "a.png")
  out = tmp_path / "out"
  run("compress", photos, "--output-dir", out, "--model", model)
  assert names(out) == ["a.jlic", "b.v2.jlic", "link.jlic"]
  assert (out / "a.jlic").read_bytes() == (out / "link.jlic").read_bytes()


def test_a_file_that_is_called_as_a_stream_is_a_file(
  run, model, monkeypatch, tmp_path
):
  monkeypatch.chdir(tmp_path)
  Image.fromarray(noise(8, 8, 3)).save("-", "PNG")
  run("compress", "./-", "--output-dir", "out", "--model", model)
  assert names(tmp_path / "out") == ["-.jlic"]


def test_what_is_wrong_with_a_file_names_it(code, model, tmp_path):
  path = tmp_path / "7"
  Image.fromarray(noise(8, 8, 3)).save(path, "PNG")
  words = "compress", path, "--output-dir", tmp_path / "o", "--model", model
  _, _, told = code(*words, "--quality", 7)
  assert told.startswith(f"jaxlic: {path}: quality is a number from 0 to 6")


def test_shards_are_all_files_and_each_once(run, model, photos, tmp_path):
  out = tmp_path / "out"
  words = "compress", photos, "--recursive", "--output-dir", out
  words = *words, "--model", model, "--skip-existing"
  lines = [run(*words, "--shard", f"{k}/4").splitlines() for k in range(1, 5)]
  assert [len(of_shard) for of_shard in lines] == [1, 1, 1, 0]
  assert names(out) == ["a.jlic", "b.v2.jlic", "sub/c.jlic"]


@pytest.mark.newest
def test_processes_write_the_same_files(model, photos, tmp_path):
  (photos / "aa.png").write_text("no image")
  for jobs in ("1", "2"):
    done = process(
      *("-m", "jaxlic", "compress", photos, "--output-dir", tmp_path / jobs),
      *("--model", model, "--recursive", "--jobs", jobs),
      stdout=subprocess.PIPE,
    )
    assert done.returncode == 1 and len(done.stdout.splitlines()) == 3
    assert len(done.stderr.splitlines()) == 2 and "aa.png: not" in done.stderr
  one, two = tmp_path / "1", tmp_path / "2"
  assert names(one) == names(two) == ["a.jlic", "b.v2.jlic", "sub/c.jlic"]
  for name in names(one):
    assert (one / name).read_bytes() == (two / name).read_bytes()


ENDING = """
import os
from jaxlic.data import images

def read(source, _read=images.read, **options):
  return os._exit(9) if "b." in str(source) else _read(source, **options)

images.read = read
"""


@pytest.mark.slow
def test_a_process_that_ends_takes_its_own_file_alone(model, photos, tmp_path):
  (tmp_path / "ending.py").write_text(ENDING)
  done = process(
    *("-m", "jaxlic", "compress", photos, "--output-dir", tmp_path / "out"),
    *("--model", model, "--recursive", "--jobs", "2", "--import", "ending"),
    stdout=subprocess.PIPE,
    cwd=tmp_path,
  )
  assert done.returncode == 1
  lines = done.stderr.splitlines()
  assert f"{photos / 'b.v2.jpg'}: its process ended, perhaps" in lines[0]
  assert lines[1:] == ["jaxlic: 1 of 3 files failed"]
  assert names(tmp_path / "out") == ["a.jlic", "sub/c.jlic"]


@pytest.mark.parametrize(
  ("words", "match"),
  [
    (["a.png"], "a.png: its output is missing; name it, or give --output-dir"),
    (["empty", "b.jlic"], "empty: a folder is many inputs; give --output-dir"),
    (["a.png", "b.png", "c.jlic"], "got 3 paths; for many inputs"),
    (["a.png", "b.jlic", "--jobs", "2"], "--jobs goes with --output-dir"),
    (["a.png", "b.jlic", "--recursive"], "--recursive goes with"),
    (["a.png", "b.jlic", "--skip-existing"], "--skip-existing goes with"),
    (["a.png", "b.jlic", "--shard", "1/2"], "--shard goes with"),
    (["-", "--output-dir", "o"], "standard input is one file"),
    (["a.png", "--output-dir", "a.png"], "--output-dir is a folder"),
    (["empty", "--output-dir", "o"], "no such files here"),
    (["a.png", "--output-dir", "o", "--jobs", "0"], "a number from 1 on"),
    (["a.png", "--output-dir", "o", "--shard", "0/2"], "K from 1 to N"),
    (["a.png", "--output-dir", "o", "--shard", "3/2"], "K from 1 to N"),
    (["a.png", "--output-dir", "o", "--shard", "3"], "K from 1 to N"),
    (["a.png", "--output-dir", "o", "--quality-map", "a.png"], "of one image"),
  ],
)
def test_words_that_make_no_sense_together_are_refused(
  refuse, tmp_path, monkeypatch, words, match
):
  monkeypatch.chdir(tmp_path)
  (tmp_path / "empty").mkdir()
  Image.fromarray(noise(8, 8, 3)).save("a.png")
  assert match in refuse("compress", *words)
  assert sorted(os.listdir()) == ["a.png", "empty"]


@pytest.mark.newest
def test_a_dash_is_a_standard_stream(model, png, tmp_path):
  script = (
    f"cat '{png}' | {{0}} compress - - --quality 2 {{1}} | tee a.jlic | "
    "{0} decompress - - --format bmp {1} > a.bmp"
  ).format(f"'{sys.executable}' -m jaxlic", f"--model '{model}'")
  environment = os.environ | {"PYTHONPATH": str(ROOT)}
  done = subprocess.run(
    ["sh", "-c", script], cwd=tmp_path, env=environment, capture_output=True
  )
  assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
  data = files.compress(noise(48, 48, 3), quality=2, model=model)
  assert (tmp_path / "a.jlic").read_bytes() == data
  with Image.open(tmp_path / "a.bmp") as image:
    np.testing.assert_array_equal(image, files.decompress(data, model=model))


def test_a_terminal_shows_no_bytes(refuse, monkeypatch, png):
  monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
  assert "here a terminal; redirect it" in refuse("compress", png, "-")
  monkeypatch.setattr(sys, "__stdout__", None)  # as Python has closed ones
  assert "which is closed; open it" in refuse("compress", png, "-")
