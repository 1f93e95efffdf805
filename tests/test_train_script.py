"""What `train.py` does as a process, and what can be made of its directory."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import ml_collections
import numpy as np
import pytest
from PIL import Image

import jaxlic
from jaxlic import checkpoint, cli, models, training

ROOT = Path(jaxlic.__file__).parents[1]
CONFIGS = sorted((ROOT / "configs").glob("*.py"))
# Flags cannot give a config the fields that only a toy has.
TOY = """
import ml_collections
from configs import lapped

def get_config():
  config = lapped.get_config()
  config.model.options = ml_collections.ConfigDict(
    {"width": 12, "groups": (6,), "two_pass": 0}
  )
  return config
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  """A folder with a config and photographs, in which train.py runs."""
  folder = tmp_path_factory.mktemp("train")
  (folder / "toy.py").write_text(TOY)
  (folder / "photos").mkdir()
  random = np.random.default_rng(0)
  for i in range(2):
    small = Image.fromarray(random.integers(0, 256, (9, 8, 3), np.uint8))
    small.resize((72 + i, 80)).save(folder / "photos" / f"{i}.png")
  return folder


@pytest.fixture(scope="module")
def train(folder):
  """Runs train.py for five steps, saving after the third and the last."""
  environment = os.environ | {
    # Compile quickly, and once.
    "XLA_FLAGS": "--xla_backend_optimization_level=0"
    " --xla_llvm_disable_expensive_passes=true",
    "JAX_COMPILATION_CACHE_DIR": str(folder / "cache"),
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
  }
  fields = {
    "data.folder": "photos",
    "data.batch": 2,
    "data.crop": 64,
    "optimizer.steps": 5,
    "optimizer.warmup_steps": 1,
    "log_every": 1,
    "save_every": 3,
  }

  def train(**changed):
    words = [f"--config.{k}={v}" for k, v in (fields | changed).items()]
    return subprocess.run(
      [sys.executable, ROOT / "train.py", "--config=toy.py"]
      + ["--workdir=run", *words],
      cwd=folder,
      env=environment,
      capture_output=True,
      text=True,
    )

  return train


@pytest.fixture(scope="module")
def runs(folder, train):
  """A whole run, and one that was cut short after step 3: (stdout, average)."""
  found = []
  for _ in range(2):
    done = train()
    assert done.returncode == 0, done.stderr
    _, average = checkpoint.load_average(folder / "run")
    found.append((done.stdout, average))
    if len(found) == 1:
      shutil.rmtree(folder / "run" / "checkpoints" / "5")
  return found


def test_a_run_starts_at_step_0_and_logs_its_steps(runs):
  stdout, _ = runs[0]
  assert "2 photographs, starting at step 0\n" in stdout
  assert re.findall(r"^step (\d+) ", stdout, re.M) == list("12345")
  assert "nan" not in stdout


def test_a_run_that_was_cut_short_resumes(runs):
  stdout, _ = runs[1]
  assert "2 photographs, starting at step 3\n" in stdout
  assert re.findall(r"^step (\d+) ", stdout, re.M) == list("45")


def test_a_resumed_run_ends_as_one_that_went_on(runs):
  jax.tree.map(np.testing.assert_array_equal, runs[0][1], runs[1][1])


def test_a_run_becomes_a_codec(runs, folder, capsys):
  words = ["export", str(folder / "run"), str(folder / "codec")]
  assert cli.main([*words, "--name", "toy"]) == 0
  assert "codec toy" in capsys.readouterr().out
  trained = checkpoint.load(folder / "codec")
  assert trained.options == {"width": 12, "groups": [6], "two_pass": 0}
  halves = jax.tree.map(lambda x: np.float32(np.float16(x)), runs[1][1])
  jax.tree.map(np.testing.assert_array_equal, trained.params, halves)


@pytest.mark.parametrize(
  ("field", "value", "match"),
  [
    ("data.folder", "missing", "missing: no such folder"),
    ("data.crop", 128, "at least 128x128 pixels, photos holds none"),
  ],
)
def test_photographs_that_cannot_be_had_are_one_line(
  train, field, value, match
):
  done = train(**{field: value})
  assert done.returncode == 2 and done.stdout == ""
  assert done.stderr.startswith("train.py: ") and match in done.stderr
  assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_fits_its_model_and_training(path):
  space = {}
  exec(compile(path.read_text(), path, "exec"), space)
  config = space["get_config"]()
  assert isinstance(config, ml_collections.ConfigDict)
  spec = models.make(config.model.name, **config.model.options).spec
  assert len(spec.lambdas) == max(spec.levels, 1)
  assert config.data.crop % spec.stride == 0
  training.optimizer(config.optimizer)
