"""The documentation names what there is, and its figures are those kept."""

import importlib
import json
import re
import zlib
from pathlib import Path
from typing import NamedTuple

import pytest

import jaxlic
from jaxlic import metrics, models, types
from jaxlic.coding import arguments
from tests.test_layers import ARROWS

ROOT = Path(jaxlic.__file__).parents[1]
DOCS = ROOT / "docs"
RESULTS = ROOT / "benchmarks" / "results"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.glob("*.md")]
ANCHORS = ("jpeg", "jpeg2000", "webp", "av1", "bpg", "vtm")
README_BYTES = 8_000


@pytest.fixture
def docstrings(monkeypatch):
  monkeypatch.syspath_prepend(DOCS)
  return importlib.import_module("docstrings")


@pytest.fixture
def signatures(docstrings):
  return importlib.import_module("signatures")


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


def test_the_picture_of_the_rooms_has_all_of_them_and_their_arrows():
  # matplotlib writes each text as a comment beside its outlines.
  picture = (DOCS / "pictures" / "rooms.svg").read_text()
  drawn = set(re.findall(r"<!-- (\w+) -->", picture))
  hidden = {"errors", "types", "quality", "pretrained", "__main__", "__init__"}
  assert drawn == set(ARROWS) - hidden
  rows = [row.split() for row in _description(picture).split(";")]
  assert {room: set(below) for room, *below in rows} == {
    room: {name.split(".")[0] for name in below} - hidden
    for room, below in ARROWS.items()
    if room not in hidden
  }


def test_the_curves_are_drawn_from_the_kept_results():
  picture = (DOCS / "pictures" / "kodak.svg").read_text()
  kept = dict(part.split() for part in _description(picture).split(","))
  for name, checksum in kept.items():
    path = RESULTS / name
    assert f"{zlib.crc32(path.read_bytes()):08x}" == checksum
    assert f"<!-- {json.loads(path.read_text())['name']} -->" in picture
  assert {f"anchors/{name}.json" for name in ANCHORS} < set(kept)


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


def test_the_last_cell_of_a_table_goes_on_below(docstrings):
  text = ["| a | b |", "|---|---|", "| c | d |", "| | e |", "| f | g |"]
  rows = [line.strip() for line in docstrings.translate(text) if line][4:]
  assert rows == ["* - c", "- d e", "* - f", "- g"]


@pytest.mark.parametrize(
  "text, expected",
  [
    ("`Stage`s have `x`.", r"`Stage`\ s have `x`."),
    ("`a` and `b`", "`a` and `b`"),
  ],
)
def test_code_ends_before_a_letter(docstrings, text, expected):
  assert docstrings.translate([text]) == [expected]


def test_a_comment_goes_on_after_a_semicolon(docstrings):
  fields = docstrings.fields(types.ModelSpec)
  told = "`ms_ssim_lambdas = ()`: weight of 1 - MS-SSIM, likewise; () if none"
  assert any(field.startswith(f"- {told}") for field in fields)


def test_a_signature_has_the_plain_types_of_options(signatures):
  words, returned = signatures.signature(models.MODELS["ms2020"])
  assert words.startswith("(*, quality: int = 4, width: int | None = None, ")
  assert returned == "~jaxlic.types.Model"


def test_a_signature_has_defaults_as_the_source_has_them(signatures):
  words, _ = signatures.signature(types.Density)
  assert "planes: tuple[~jaxlic.types.Plane, ...] = (one_row_each,)" in words


def test_types_of_options_have_no_modules(signatures):
  words, _ = signatures.signature(models.MODELS["balle2017"])
  assert "norm: str | Mapping[str, Any] = 'sqrt'" in words


def test_a_protocol_has_the_signature_of_its_call(signatures):
  words, returned = signatures.signature(types.ToSymbols)
  array, known = "~jaxlic.types.Array", "~jaxlic.types.Known"
  assert words == f"(latent: {array}, known: {known}, /)"
  assert returned == array


def test_no_alias_is_taken_for_a_class_of_its_name(signatures):
  words, _ = signatures.signature(arguments.check_rows)
  assert words == "(rows: ~jaxlic.coding.arguments.Rows)"


def _description(picture):
  return re.search(r"<dc:description>(.*?)</", picture, re.DOTALL)[1]


def test_code_of_docstrings_goes_on_in_the_next_line(docstrings):
  text = ["Two `f(*x) +", "2*y` and *z*."]
  assert docstrings.translate(text) == ["Two `f(*x) +", r"2*y` and \*z\*."]


def test_comments_of_methods_are_of_no_field(docstrings):
  assert docstrings.fields(Pair) == [
    "- `left`: what is first, and goes on",
    "- `right = 0`: What is second.",
  ]


class Pair(NamedTuple):
  """Two fields and a method."""

  left: int  # what is first,
  # and goes on
  # What is second.
  right: int = 0

  def total(self):
    """Adds."""
    # Sums are exact.
    return self.left + self.right


def _curve(path):
  results = json.loads(path.read_text())["results"]
  return results["bpp"], results["psnr-rgb"]
