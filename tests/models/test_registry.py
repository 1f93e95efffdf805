"""The registry is open, to calls and to installed packages."""

import functools

import pytest

from jaxlic import models
from jaxlic.errors import JaxlicError
from jaxlic.models import bmshj2018


@pytest.fixture
def installed(tmp_path, monkeypatch):
  """A package that has the entry point "theirs"."""
  module = "from jaxlic.models.bmshj2018 import make_factorized as make\n"
  (tmp_path / "their_model.py").write_text(module)
  install(tmp_path, monkeypatch, "theirs = their_model:make")


def install(folder, monkeypatch, line):
  """Makes Python find the metadata of a package, as pip would write it."""
  info = folder / "theirs-1.0.dist-info"
  info.mkdir()
  (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\n")
  (info / "entry_points.txt").write_text(f"[jaxlic.models]\n{line}\n")
  monkeypatch.syspath_prepend(folder)


@pytest.fixture
def registry(monkeypatch):
  """The registry, which is afterwards what it was."""
  monkeypatch.setattr(models, "MODELS", dict(models.MODELS))


def test_a_model_of_an_installed_package_has_a_name(installed):
  assert "theirs" in models.names()
  assert models.make("theirs", width=6, latent=8).spec.stride == 16
  assert "theirs" not in models.MODELS


def test_a_registered_model_is_made_by_its_name(registry):
  models.register("mine", bmshj2018.make_factorized)
  models.register("mine", bmshj2018.make_factorized)
  assert models.make("mine", width=6, latent=8).spec.stride == 16
  assert "mine" in models.names()


def test_a_name_that_is_taken_is_refused(registry):
  with pytest.raises(JaxlicError, match="'lapped' is taken"):
    models.register("lapped", bmshj2018.make_factorized)


def test_a_function_that_is_defined_anew_is_that_model(registry):
  def define(channels):
    def make(*, dtype="float32"):
      return bmshj2018.make_factorized(width=6, latent=channels)

    return make

  for channels in (3, 5):
    models.register("mine", define(channels))
    assert models.make("mine").stages[0].spec.channels == channels
  with pytest.raises(JaxlicError, match="'mine' is taken"):
    models.register("mine", lambda: None)


def test_options_are_those_of_the_maker_with_their_defaults(registry):
  def make(*, width=3, latent=None, dtype="float32", name="mine", **rest):
    raise AssertionError("only its signature counts")

  models.register("mine", make)
  assert models.options("mine") == {"width": 3, "latent": None}
  partly = functools.partial(make, width=5)
  models.register("partly", partly)
  assert models.options("partly") == {"width": 5, "latent": None}


@pytest.mark.parametrize(
  ("make", "match"),
  [
    (lambda width: None, "width of mine has none; give it one"),
    (lambda width=print: None, "that JSON can hold, width of mine has <built"),
  ],
)
def test_an_option_that_no_codec_could_keep_is_refused(registry, make, match):
  models.register("mine", make)
  with pytest.raises(JaxlicError, match=match):
    models.options("mine")


def test_every_model_is_made_of_its_options():
  for name in models.MODELS:
    options = models.options(name)
    assert not {"dtype", "name"} & set(options), name
    assert models.make(name, **options).spec == models.make(name).spec


@pytest.mark.parametrize(
  ("value", "match"),
  [
    ("nowhere:make", "lost of jaxlic.models is nowhere:make, .*'nowhere'"),
    ("math:make", "is math:make, which cannot be loaded .*; mend or remove"),
    ("math", "is math, which cannot be loaded .*; mend or remove"),
  ],
)
def test_an_entry_point_that_leads_nowhere_is_one_line(
  tmp_path, monkeypatch, value, match
):
  install(tmp_path, monkeypatch, f"lost = {value}")
  with pytest.raises(JaxlicError, match=match):
    models.make("lost")
