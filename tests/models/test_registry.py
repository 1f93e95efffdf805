"""The registry is open, to calls and to installed packages."""

import pytest

from jaxlic import models
from jaxlic.errors import JaxlicError
from jaxlic.models import bmshj2018


@pytest.fixture
def installed(tmp_path, monkeypatch):
  """A package that has the entry point "theirs"."""
  module = "from jaxlic.models.bmshj2018 import make_factorized as make\n"
  (tmp_path / "their_model.py").write_text(module)
  info = tmp_path / "theirs-1.0.dist-info"
  info.mkdir()
  (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\n")
  points = "[jaxlic.models]\ntheirs = their_model:make\n"
  (info / "entry_points.txt").write_text(points)
  monkeypatch.syspath_prepend(tmp_path)


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
  assert models.names()[-1] == "mine"


def test_a_name_that_is_taken_is_refused(registry):
  with pytest.raises(JaxlicError, match="'lapped' is taken"):
    models.register("lapped", bmshj2018.make_factorized)
