"""A model of somebody else's, from training to a decoded file."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.newest

ROOT = Path(__file__).parent.parent
OUTSIDE = ROOT / "tests" / "outsider"


def run(*words, folder):
  """What a command prints, started where the outsider's files are found."""
  path = os.pathsep.join([str(OUTSIDE), str(ROOT)])
  done = subprocess.run(
    [sys.executable, *map(str, words)],
    cwd=folder,
    env=os.environ | {"PYTHONPATH": path, "JAX_PLATFORMS": "cpu"},
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 0, done.stderr
  return done.stdout + done.stderr


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
  """The folder of a codec that was trained for four steps."""
  folder = tmp_path_factory.mktemp("outsider")
  (folder / "photos").mkdir()
  rng = np.random.default_rng(0)
  for i in range(4):
    waves = np.sin(np.arange(24) / (2 + i))[:, None, None]
    noise = rng.normal(scale=8, size=(24, 24, 3))
    photo = np.clip(128 + 90 * waves + noise, 0, 255).astype(np.uint8)
    Image.fromarray(photo).save(folder / "photos" / f"{i}.png")
  run(
    ROOT / "train.py",
    f"--config={OUTSIDE / 'config.py'}",
    f"--workdir={folder / 'run'}",
    f"--config.data.folder={folder / 'photos'}",
    folder=folder,
  )
  words = ["-m", "jaxlic", "export", folder / "run", folder / "codec"]
  run(*words, "--name", "theirs", "--import", "laplace_dct", folder=folder)
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
  assert jlic.stat().st_size < 400


def test_it_is_evaluated_like_others(exported):
  words = ["eval", exported / "photos", "--model", exported / "codec"]
  table = run(
    "-m", "jaxlic", *words, "--import", "laplace_dct", folder=exported
  )
  quality, bpp, _, psnr_db, *_ = table.splitlines()[1].split()
  assert quality == "0" and 0 < float(bpp) < 4 and float(psnr_db) > 25


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
