"""The documentation names what there is, and its figures are those kept."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

import jaxlic
from jaxlic import metrics, models
from tests.test_layers import ARROWS

ROOT = Path(jaxlic.__file__).parents[1]
DOCS = ROOT / "docs"
RESULTS = ROOT / "benchmarks" / "results"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.glob("*.md")]
ANCHORS = ("jpeg", "jpeg2000", "webp", "av1", "bpg", "vtm")
README_BYTES = 8_000


@pytest.fixture(scope="module")
def docstrings():
  spec = importlib.util.spec_from_file_location(
    "docstrings", DOCS / "docstrings.py"
  )
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


def test_readme_is_short():
  assert len((ROOT / "README.md").read_bytes()) < README_BYTES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_a_page_names_exist(page):
  text = page.read_text()
  tops = "benchmarks|colabs|configs|docs|jaxlic|tests"
  named = re.findall(rf"`((?:{tops})/[\w./-]*)", text)
  missing = [
    name for name in named if "NAME" not in name and not (ROOT / name).exists()
  ]
  assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page):
  links = re.findall(r"\]\(([^):#]+)(?:#[\w-]*)?\)", page.read_text())
  missing = [link for link in links if not (page.parent / link).exists()]
  assert not missing


@pytest.mark.parametrize("name", models.MODELS)
def test_the_section_of_a_model_has_its_options(name):
  sections = (DOCS / "models.md").read_text().split("\n## ")
  described = [s for s in sections[2:] if f"`{name}`" in s.split("| option")[0]]
  section = "".join(described) or next(
    s for s in sections if s.startswith(name)
  )
  options = models.options(name)
  missing = [option for option in options if f"`{option}`" not in section]
  assert not missing


def test_every_module_has_its_docstrings_on_a_page():
  pages = "".join(page.read_text() for page in (DOCS / "api").glob("*.md"))
  shown = set(re.findall(r"automodule:: ([\w.]+)", pages))
  missing = []
  for path in (ROOT / "jaxlic").rglob("*.py"):
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    name = name.removesuffix(".__init__")
    if not name.startswith(("jaxlic.cli", "jaxlic.__main__")):
      missing += [] if name in shown else [name]
  assert not missing


def test_the_picture_of_the_rooms_has_all_of_them():
  # matplotlib writes each text as a comment beside its outlines.
  picture = (DOCS / "pictures" / "rooms.svg").read_text()
  drawn = set(re.findall(r"<!-- (\w+) -->", picture))
  hidden = {"errors", "types", "quality", "pretrained", "__main__", "__init__"}
  assert drawn == set(ARROWS) - hidden


@pytest.mark.parametrize("page", [PAGES[0], DOCS / "start.md"])
@pytest.mark.parametrize("name", ["lapped-1", "lapped-2"])
def test_bd_rates_are_those_of_the_kept_results(name, page):
  test = _curve(RESULTS / f"kodak-{name}.json")
  told = re.search(rf"^\| `{name}`.*% \|$", page.read_text(), re.MULTILINE)[0]
  rates = [float(rate) for rate in re.findall(r"([+-][\d.]+) %", told)]
  expected = [
    metrics.bd_rate(*_curve(RESULTS / "anchors" / f"{anchor}.json"), *test)
    for anchor in ANCHORS
  ]
  # The pages round to a tenth.
  assert rates == pytest.approx(expected, abs=0.0501)


def test_tables_and_code_of_docstrings_are_translated(docstrings):
  text = [
    "A *star*.",
    "",
    "| a | b |",
    "|---|---|",
    "| `x|y` | z |",
    "",
    "    f(*x)",
  ]
  assert [line for line in docstrings.translate(text) if line] == [
    r"A \*star\*.",
    ".. list-table::",
    "   :header-rows: 1",
    "   * - a",
    "     - b",
    "   * - `x|y`",
    "     - z",
    "::",
    "    f(*x)",
  ]


def _curve(path):
  results = json.loads(path.read_text())["results"]
  return results["bpp"], results["psnr-rgb"]
