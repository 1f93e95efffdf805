"""A model of somebody else's, from training to a decoded file."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.newest

ROOT = Path(__file__).parent.parent
OUTSIDE = ROOT / "tests" / "outsider"
PAGE = (ROOT / "docs" / "own_models.md").read_text()


def run(*words, folder):
  """What a command prints, started in the outsider's folder."""
  done = subprocess.run(
    [sys.executable, *map(str, words)],
    cwd=folder,
    env=os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"},
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 0, done.stderr
  return done.stdout + done.stderr


def fill(folder):
  """Adds photographs: waves of brightness, and noise."""
  (folder / "photos").mkdir()
  rng = np.random.default_rng(0)
  for i in range(4):
    waves = np.sin(np.arange(64) / (2 + i))[:, None, None]
    noise = rng.normal(scale=8, size=(64, 64, 3))
    photo = np.clip(128 + 90 * waves + noise, 0, 255).astype(np.uint8)
    Image.fromarray(photo).save(folder / "photos" / f"{i}.png")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
  """A folder with a model's file, and its codec, trained for four steps."""
  folder = tmp_path_factory.mktemp("outsider")
  fill(folder)
  shutil.copy(OUTSIDE / "laplace_dct.py", folder)
  run(
    ROOT / "train.py",
    "--import=laplace_dct.py",
    f"--config={ROOT / 'configs' / 'default.py'}:laplace-dct",
    "--workdir=run",
    "--config.data.folder=photos",
    "--config.data.batch=4",
    "--config.data.crop=16",
    "--config.data.threads=0",
    "--config.model.options.step=0.05",
    "--config.optimizer.steps=4",
    folder=folder,
  )
  words = ["-m", "jaxlic", "export", "run", "codec", "--name", "theirs"]
  run(*words, "--import", "laplace_dct", folder=folder)
  return folder


def test_its_file_is_decoded_by_the_command_line(exported):
  photo = exported / "photos" / "0.png"
  model = ["--model", exported / "codec", "--import", "laplace_dct"]
  jlic, png = exported / "0.jlic", exported / "0.png"
  run("-m", "jaxlic", "compress", photo, jlic, *model, folder=exported)
  run("-m", "jaxlic", "decompress", jlic, png, *model, folder=exported)
  decoded, original = (
    np.asarray(Image.open(path), np.float64) for path in (png, photo)
  )
  # 24 of 192 coefficients keep the waves, and lose half of the noise at least.
  error = np.sqrt(np.mean((decoded - original) ** 2))
  assert decoded.shape == original.shape and error < 12
  assert jlic.stat().st_size < 2000


def test_it_is_evaluated_like_others(exported):
  words = ["eval", exported / "photos", "--model", exported / "codec"]
  table = run(
    "-m", "jaxlic", *words, "--import", "laplace_dct", folder=exported
  )
  quality, bpp, _, psnr_db, *_ = table.splitlines()[1].split()
  assert quality == "0" and 0 < float(bpp) < 4 and float(psnr_db) > 25


@pytest.mark.slow
def test_a_config_of_theirs_imports_it_from_beside_the_module(exported):
  shutil.copy(OUTSIDE / "config.py", exported / "theirs.py")
  words = ["--import=laplace_dct.py", "--config=theirs.py", "--workdir=again"]
  # Processes that decode are started besides.
  words.append("--config.data.workers=1")
  printed = run(ROOT / "train.py", *words, folder=exported)
  assert "step 4" in printed


@pytest.mark.slow
def test_the_page_on_models_of_ones_own_is_carried_out(tmp_path):
  (module,) = re.findall(r"```py\n(.*?)```", PAGE, re.DOTALL)
  (tmp_path / "my_model.py").write_text(module)
  fill(tmp_path)
  (commands,) = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
  printed = {}
  for line in commands.replace("JAXLIC", str(ROOT)).splitlines():
    program, *words = shlex.split(line)
    command = words if program == "python" else ["-m", program, *words]
    printed[words[0]] = run(*command, folder=tmp_path)
  assert {"export", "compress", "decompress", "eval", "models"} < set(printed)
  assert np.asarray(Image.open(tmp_path / "0.png")).shape == (64, 64, 3)
  assert len(list((tmp_path / "files").glob("*.jlic"))) == 4
  assert "my-model" in printed["models"]


SPAWNS = """
import multiprocessing, sys
from concurrent.futures import ProcessPoolExecutor
import laplace_dct, jaxlic, numpy

if __name__ == "__main__":
  codec, image = jaxlic.load(sys.argv[1]), numpy.zeros((9, 7, 3), "u1")
  context = multiprocessing.get_context("spawn")
  with ProcessPoolExecutor(1, mp_context=context) as executor:
    sent = executor.submit(jaxlic.compress, image, model=codec).result()
  print("same" if sent == jaxlic.compress(image, model=codec) else "other")
"""


@pytest.mark.slow
def test_a_spawned_process_imports_it_to_read_its_codec(exported):
  # Processes import the program anew, but for what is given as -c.
  printed = run("-c", SPAWNS, exported / "codec", folder=exported)
  assert printed == "same\n"
