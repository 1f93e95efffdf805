"""Commands work whatever the environment says, or say why not in one line."""

import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from jaxlic import files
from tests.cli.conftest import ROOT, noise, process
from tests.conftest import slow

pytestmark = pytest.mark.newest

TRAIN = [ROOT / "train.py", f"--config={ROOT}/configs/lapped.py", "--workdir=a"]


@pytest.fixture
def file(jlic, tmp_path):
  path = tmp_path / "a.jlic"
  path.write_bytes(jlic)
  return path


def shell(redirections, *words):
  """Runs `jaxlic WORDS` with the redirections of a shell, such as >&-."""
  return subprocess.run(
    ["sh", "-c", f'exec "$@" {redirections}', "sh", sys.executable]
    + ["-m", "jaxlic", *map(str, words)],
    env=os.environ | {"PYTHONPATH": str(ROOT)},
    capture_output=True,
    text=True,
  )


@pytest.mark.parametrize(
  ("name", "value", "says"),
  [
    slow("JAX_PLATFORMS", "nonsense", "JAX_PLATFORMS=nonsense: JAX finds no"),
    ("JAX_PLATFORMS", "cuda", "JAX_PLATFORMS=cuda: JAX finds no such devices"),
    ("JAX_ENABLE_X64", "maybe", "'maybe' for environment 'JAX_ENABLE_X64'"),
    slow("JAX_NUMPY_RANK_PROMOTION", "x", "flag jax_numpy_rank_promotion"),
    slow("JAX_DEFAULT_MATMUL_PRECISION", "x", "jax_default_matmul_precision"),
  ],
)
def test_a_value_that_jax_cannot_use_is_one_line(
  name, value, says, file, model, tmp_path
):
  out = tmp_path / "out.png"
  words = "-m", "jaxlic", "decompress", file, out, "--model", model
  for command, program in [(words, "jaxlic: "), (TRAIN, "train.py: ")]:
    # Nor are there any where there is a GPU.
    environment = {name: value, "CUDA_VISIBLE_DEVICES": ""}
    done = process(*command, environment=environment, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(program) and done.stderr.count("\n") == 1
    assert says in done.stderr and "; leave it out" in done.stderr
  assert not out.exists()


STRICT = {
  "JAX_NUMPY_RANK_PROMOTION": "raise",
  "JAX_NUMPY_DTYPE_PROMOTION": "strict",
  "JAX_TRANSFER_GUARD": "disallow",
  "JAX_DEBUG_NANS": "1",
  "PYTHONOPTIMIZE": "2",
  "TMPDIR": "/missing",
}


@pytest.mark.slow  # tests are strict in most of this, too
def test_what_is_strict_about_jax_changes_no_file(png, jlic, model, tmp_path):
  coded, shown = tmp_path / "out.jlic", tmp_path / "out.png"
  for words in [
    ("compress", png, coded, "--quality", "5"),
    ("decompress", coded, shown),
  ]:
    done = process(
      *("-m", "jaxlic", *words, "--model", model),
      environment=STRICT,
      stdout=subprocess.PIPE,
    )
    assert (done.returncode, done.stderr) == (0, "")
  assert coded.read_bytes() == jlic


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_stream_that_is_closed_is_no_error(closed, file):
  done = shell(closed, "info", file)
  assert (done.returncode, done.stderr) == (0, "")
  assert done.stdout.startswith("version ") != (">&-" in closed.split())


@pytest.mark.parametrize("stderr", ["2>&-", "2>/dev/full", ">&- 2>&-"])
def test_a_failure_that_nobody_can_be_told_has_its_exit_code(stderr, tmp_path):
  done = shell(stderr, "info", tmp_path / "missing.jlic")
  # Where stderr is closed nothing goes to stdout instead.
  assert (done.returncode, done.stdout, done.stderr) == (2, "", "")


def test_a_terminal_of_ascii_and_no_home_shows_any_name(file):
  path = file.rename(file.with_name("größe.txt"))
  done = process(
    *("-m", "jaxlic", "decompress", path, "é.png"),
    environment={"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "COLUMNS": "1"}
    | {"HOME": "", "PYTHONUTF8": "0"},
    cwd=file.parent,
  )
  assert done.returncode == 2
  assert done.stderr.startswith("jaxlic: ") and done.stderr.count("\n") == 1


def test_files_are_coded_whatever_a_caller_guards(jlic, model):
  shown = files.decompress(jlic, model=model)
  with jax.transfer_guard("disallow"):
    coded = files.compress(noise(48, 48, 3), quality=5.0, model=model)
    again = files.decompress(coded, model=model)
  assert coded == jlic
  np.testing.assert_array_equal(again, shown)
