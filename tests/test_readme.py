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
  pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
  Image.fromarray(pixels).save(tmp_path / "photo.png")
  monkeypatch.chdir(tmp_path)


def test_the_examples_run_and_decode_what_is_evaluated(photo_folder):
  blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
  first, second, of_batches, of_rates = blocks
  # The published width takes a minute to compile on a small machine.
  width = "".join(f", {k}={v}" for k, v in TOY_OPTIONS["mbt2018-mean"].items())
  second = second.replace(", quality=3)", f"{width})", 1)
  scope = {}
  exec(first, scope)
  assert scope["image"].shape == (40, 50, 3)
  exec(second, scope)
  outcome = scope["built"].evaluate(scope["params"], scope["samples"], 0.0)
  assert scope["decoded"].shape == (40, 50, 3)
  np.testing.assert_array_equal(scope["decoded"], outcome.image)
  exec(of_batches, scope)
  np.testing.assert_allclose(scope["shown"][0], outcome.image, atol=4e-5)
  exec(of_rates, scope)
  assert len(scope["nearest"].data) > 0


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_of_a_page_run_one_after_another(photo_folder, page):
  text, scope = (ROOT / "docs" / page).read_text(), {}
  for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
    exec(block, scope)


def test_nothing_is_left_to_fill_in():
  for name in ("README.md", "CHANGELOG.md", "configs/lapped.py"):
    assert "@@" not in (ROOT / name).read_text(), name
