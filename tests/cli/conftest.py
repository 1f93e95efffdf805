"""Fixtures of all commands: an image, its file, and what runs a command."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import jaxlic
from jaxlic import cli, files, zoo
from tests.conftest import TOY_OPTIONS, make_toy

ROOT = Path(jaxlic.__file__).parents[1]


@pytest.fixture(scope="session")
def model(tiny_codec):
  return tiny_codec


@pytest.fixture(scope="session")
def mapped(tmp_path_factory):
  """A codec that takes quality maps."""
  folder = tmp_path_factory.mktemp("mapped") / "scgain"
  zoo.export(
    folder,
    name="mapped",
    architecture="scgain",
    options=TOY_OPTIONS["scgain"],
    params=make_toy("scgain")[2],
  )
  return folder


@pytest.fixture
def png(tmp_path):
  path = tmp_path / "in.png"
  Image.fromarray(noise(48, 48, 3)).save(path)
  return str(path)


@pytest.fixture(scope="session")
def jlic(model):
  """The bytes of a file."""
  return files.compress(noise(48, 48, 3), quality=5.0, model=model)


@pytest.fixture
def run(capsys):
  """Runs a command that succeeds; returns what it prints."""

  def run(*words):
    code = cli.main([str(word) for word in words])
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    return out

  return run


@pytest.fixture
def refuse(capsys):
  """Runs a command that fails; returns its one line."""

  def refuse(*words):
    try:
      code = cli.main([str(word) for word in words])
    except SystemExit as error:  # argparse
      code = error.code
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert err.startswith("jaxlic: ") and err.count("\n") == 1
    assert err.endswith("\n") and "Traceback" not in err
    return err

  return refuse


def noise(*shape):
  """The same bytes each time."""
  return np.random.default_rng(1).integers(0, 256, shape, np.uint8)


def raising(error):
  """A command that raises the error."""

  def command(_):
    raise error

  return command


def process(*words, environment=None, **options):
  """Runs Python, in this environment but for the changes; None: without it."""
  changed = os.environ | {"PYTHONPATH": str(ROOT)} | (environment or {})
  environment = {k: v for k, v in changed.items() if v is not None}
  return subprocess.run(
    [sys.executable, *map(str, words)],
    env=environment,
    stdin=subprocess.DEVNULL,
    stderr=subprocess.PIPE,
    text=True,
    **options,
  )
