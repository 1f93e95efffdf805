"""Notebooks as they are kept: what colabs/run.py then runs."""

import json
import re
import sys
import tomllib
from pathlib import Path

import pytest

import jaxlic

ROOT = Path(jaxlic.__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "colabs").glob("*.ipynb"))
LARGEST_BYTES = 2_000_000
BADGE = "https://colab.research.google.com/github/"
PATH_OR_TIME = (
  r"/(root|home|tmp|work|usr|content)/| at 0x"
  r"|\d ?(ms|s|min|seconds|minutes)\b|warning:|Warning:"
)
every = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def test_the_five_notebooks_are_there():
  names = {path.stem for path in NOTEBOOKS}
  assert names == {"compress", "inside", "train", "new_codec", "compressai"}


@every
def test_a_notebook_is_small_and_has_pictures(path):
  assert path.stat().st_size < LARGEST_BYTES
  shown = [data for cell in _code(path) for data in _data(cell)]
  assert any(kind.startswith("image/") for data in shown for kind in data)


@every
def test_it_begins_with_a_title_a_badge_and_how_to_install(path):
  first, second = _cells(path)[:2]
  title = "".join(first["source"])
  assert title.startswith("# ")
  assert re.search(rf"{BADGE}[\w/-]+/colabs/{path.name}\)", title)
  install = "".join(second["source"])
  assert "%pip install -q {home}" in install
  assert install == "".join(_cells(NOTEBOOKS[0])[1]["source"])


@every
def test_what_is_kept_shows_no_failure(path):
  kinds = [o["output_type"] for cell in _code(path) for o in cell["outputs"]]
  assert kinds
  assert "error" not in kinds


@every
def test_outputs_tell_no_path_no_time_and_no_warning(path):
  for cell in _code(path):
    assert all(o.get("name") != "stderr" for o in cell["outputs"])
    for text in _texts(cell):
      found = re.search(PATH_OR_TIME, text)
      assert not found, text


@every
def test_it_imports_only_what_the_extra_installs(path):
  project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
  extras = project["optional-dependencies"]
  wanted = [*project["dependencies"], *extras["colabs"], *extras["plots"]]
  names = {re.match(r"[\w-]+", word)[0].replace("-", "_") for word in wanted}
  names |= {"PIL", "skimage", "IPython", "matplotlib_inline", "google"}
  lines = "\n".join("".join(cell["source"]) for cell in _code(path))
  imported = set(re.findall(r"^(?:import|from) (\w+)", lines, re.MULTILINE))
  written = set(re.findall(r"^%%writefile (\w+)\.py", lines, re.MULTILINE))
  assert imported - set(sys.stdlib_module_names) - written <= names


@pytest.mark.parametrize(
  "text", ["/home/me/photo.png", "took 3.2 s", "5 ms/it", "UserWarning: no"]
)
def test_paths_times_and_warnings_are_known(text):
  assert re.search(PATH_OR_TIME, text)


def _cells(path):
  return json.loads(path.read_text())["cells"]


def _code(path):
  return [cell for cell in _cells(path) if cell["cell_type"] == "code"]


def _data(cell):
  return [output["data"] for output in cell["outputs"] if "data" in output]


def _texts(cell):
  """Of streams, and of results that are no pictures."""
  for output in cell["outputs"]:
    yield "".join(output.get("text", ""))
    for kind, data in output.get("data", {}).items():
      if kind.startswith("text/"):
        yield "".join(data)
