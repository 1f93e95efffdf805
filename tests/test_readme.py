"""The examples of README and of the pages in docs/ run as they stand."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import TOY_OPTIONS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = sorted(path.name for path in (ROOT / "docs").glob("*.md"))


@pytest.fixture
def photo_folder(tmp_path, monkeypatch):
  pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
  Image.fromarray(pixels).save(tmp_path / "photo.png")
  monkeypatch.chdir(tmp_path)


def test_the_example_runs(photo_folder):
  scope = {}
  for block in _blocks(README):
    exec(block, scope)
  assert scope["image"].shape == (48, 64, 3)


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_of_a_page_run_one_after_another(photo_folder, page):
  scope = {}
  for block in _blocks((ROOT / "docs" / page).read_text()):
    exec(block, scope)
  if page == "functions.md":
    outcome = scope["built"].evaluate(scope["params"], scope["samples"], 0.0)
    np.testing.assert_array_equal(scope["decoded"], outcome.image)
    # Of another program, as batches are, the last bits differ.
    np.testing.assert_allclose(scope["shown"][0], outcome.image, atol=4e-5)


def test_nothing_is_left_to_fill_in():
  for name in ("README.md", "CHANGELOG.md", "configs/lapped.py"):
    assert "@@" not in (ROOT / name).read_text(), name


def _blocks(text):
  """Those that are to run; the published width takes a minute to compile."""
  width = "".join(f", {k}={v}" for k, v in TOY_OPTIONS["mbt2018-mean"].items())
  published, toy = '("mbt2018-mean", quality=3)', f'("mbt2018-mean"{width})'
  blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
  return [block.replace(published, toy) for block in blocks]
