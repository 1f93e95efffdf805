import sys

import pytest

from jaxlic import models, zoo
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
  yield tmp_path
  sys.modules.pop("mine", None)


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


def test_modules_are_imported_in_turn(refuse, here):
  for name in ("first", "second"):
    (here / f"mine_{name}.py").write_text(
      f"from jaxlic.errors import JaxlicError\nraise JaxlicError('{name}')"
    )
  words = "compress", "a", "b", "--import", "mine_second"
  assert refuse(*words, "--import", "mine_first") == "jaxlic: second\n"


@pytest.mark.parametrize(
  ("text", "match"),
  [
    (None, "--import mine: No module named 'mine'; run it where"),
    ("import missing", "--import mine: No module named 'missing'"),
  ],
)
def test_a_module_that_is_not_found_is_one_line(refuse, here, text, match):
  if text:
    (here / "mine.py").write_text(text)
  assert match in refuse("models", "--import", "mine")


@pytest.mark.parametrize("name", ["./mine.py", "my-models", ".mine", ""])
def test_what_is_no_module_s_name_is_refused(refuse, name):
  line = refuse("models", f"--import={name}")
  assert "such as my.models" in line and repr(name) in line
