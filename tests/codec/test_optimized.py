"""Files are exact as users compile, with all optimizations."""

import subprocess
import sys
from pathlib import Path

import pytest

# Importing toys turns most optimizations off, which matters to what is compiled
# after.
SCRIPT = """
import sys

import jax
import numpy as np

import jaxlic
from jaxlic import zoo
from jaxlic.data import images
from tests.conftest import make_toy

jax.config.update("jax_disable_most_optimizations", False)
if sys.argv[1] == "embedded":
  trained = jaxlic.load()
  built, params, tables = trained.codec, trained.params, trained.tables
else:
  _, built, params, tables = make_toy(sys.argv[1])
image = images.read(zoo.DEMO).pixels[100:200, 100:175] / np.float32(255)
for quality in map(float, sys.argv[2:]):
  payload = built.encode(params, tables, image, quality)
  decoded = np.asarray(built.decode(params, tables, payload))
  shown = np.asarray(built.evaluate(params, image, quality).image)
  assert shown.shape == (100, 75, 3) and len(np.unique(shown)) > 100
  np.testing.assert_array_equal(decoded, shown)
print("exact")
"""


@pytest.mark.slow
@pytest.mark.parametrize(
  "arguments", [("embedded", "0", "2.5", "6"), ("mbt2018", "0")]
)
def test_what_is_decoded_is_what_was_evaluated(arguments):
  done = subprocess.run(
    [sys.executable, "-c", SCRIPT, *arguments],
    cwd=Path(__file__).parents[2],
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr
  assert done.stdout.endswith("exact\n")
