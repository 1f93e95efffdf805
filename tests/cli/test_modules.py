"""Modules of users' own, which commands import by name or by file."""

import re
import sys

import pytest

from jaxlic import cli, models, zoo
from jaxlic.zoo import codec_folder
from tests.conftest import TOY_OPTIONS, make_toy

NAME = "bmshj2018-factorized"
MODULE = f"""
from jaxlic import models

models.register("mine", models.MODELS["{NAME}"])
"""


@pytest.fixture
def here(monkeypatch, tmp_path):
  """The current directory, which Python would not search for modules."""
  monkeypatch.chdir(tmp_path)
  monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
  monkeypatch.setattr(models, "MODELS", dict(models.MODELS))
  before = set(sys.modules)
  yield tmp_path
  for name in set(sys.modules) - before:
    if name.startswith("mine"):
      del sys.modules[name]


@pytest.fixture
def codec(here, tmp_path_factory):
  """The folder of a codec whose architecture nobody has registered yet."""
  folder = tmp_path_factory.mktemp("mine") / "codec"
  models.MODELS["mine"] = models.MODELS[NAME]
  zoo.export(
    folder,
    name="codec",
    architecture="mine",
    options=TOY_OPTIONS[NAME],
    params=make_toy(NAME)[2],
  )
  del models.MODELS["mine"]
  codec_folder._functions_of.cache_clear()
  return folder


def test_a_model_of_ones_own_works_once_its_module_is_imported(
  run, refuse, here, codec, png
):
  (here / "mine.py").write_text(MODULE)
  words = "compress", png, "out.jlic", "--model", codec
  assert "an architecture is one of" in refuse(*words)
  run(*words, "--import", "mine")
  run("decompress", "out.jlic", "out.png", "--model", codec, "--import", "mine")


def test_a_file_of_another_folder_works_like_a_module(
  run, here, codec, png, monkeypatch
):
  monkeypatch.setattr("sys.path", list(sys.path))
  folder = here / "elsewhere"
  folder.mkdir()
  (folder / "mine.py").write_text("import mine_beside")
  (folder / "mine_beside.py").write_text(MODULE)
  words = "--model", codec, "--import", "elsewhere/mine.py"
  run("compress", png, "out.jlic", *words)
  # Once it is known by its name, that is the same module.
  run("decompress", "out.jlic", "out.png", *words, "--import", "mine")


def test_modules_and_files_are_imported_in_turn(refuse, here):
  for name in ("first", "second"):
    (here / f"mine_{name}.py").write_text(
      f"from jaxlic.errors import JaxlicError\nraise JaxlicError('{name}')"
    )
  words = "compress", "a", "b", "--import", "mine_second"
  assert refuse(*words, "--import", "mine_first") == "jaxlic: second\n"
  words = "compress", "a", "b", "--import", "./mine_first.py"
  assert refuse(*words, "--import", "mine_second.py") == "jaxlic: first\n"


@pytest.mark.parametrize("word", ["mine", "mine.py"])
def test_what_a_module_raises_keeps_its_traceback(here, word):
  (here / "mine.py").write_text("def inner():\n  1 / 0\n\ninner()")
  with pytest.raises(ZeroDivisionError) as caught:
    cli.main(["models", "--import", word])
  assert caught.traceback[-1].name == "inner"


@pytest.mark.parametrize(
  ("text", "word", "match"),
  [
    (
      None,
      "mine",
      "mine: No module named 'mine'; give its file, --import PATH",
    ),
    (None, "mine.py", "mine.py: there is no such file; correct it"),
    (None, "no/mine.py", "no/mine.py: there is no such file"),
    ("import missing", "mine", "No module named 'missing'; it imports that"),
    ("import missing", "mine.py", "No module named 'missing'; it imports"),
  ],
)
def test_a_module_that_is_not_found_is_one_line(
  refuse, here, text, word, match
):
  if text:
    (here / "mine.py").write_text(text)
  assert match in refuse("models", "--import", word)


@pytest.mark.parametrize(
  ("name", "match"),
  [
    ("json.py", "another module has its name, .*json/__init__.py; rename"),
    ("sys.py", "another module has its name, of Python; rename"),
    ("my-model.py", "a name of letters, digits and _; rename it"),
    ("my.model.py", "a name of letters, digits and _; rename it"),
  ],
)
def test_a_file_that_could_be_taken_for_another_is_refused(
  refuse, here, name, match
):
  (here / name).write_text("1 / 0")
  assert re.search(match, refuse("models", "--import", name))


@pytest.mark.parametrize("name", ["./mine", "my-models", ".mine", ""])
def test_what_is_no_module_s_name_is_refused(refuse, name):
  line = refuse("models", f"--import={name}")
  assert "such as my_models.py" in line and repr(name) in line
