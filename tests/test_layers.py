"""Imports point down the layers; a new room needs a row here."""

import ast
from pathlib import Path

import jaxlic

PACKAGE = Path(jaxlic.__file__).parent
ARROWS = {
  "errors": (),
  "types": (),
  "quality": ("errors",),
  "coding": ("errors", "types"),
  "nn": (),
  "quantize": ("errors", "types"),
  "data": ("errors",),
  "metrics": ("errors",),
  "densities": (
    "errors",
    "types",
    "nn",
    "quantize",
    "coding.tables",
    "coding.mixture_tables",
  ),
  "entropy": ("errors", "types", "quantize", "coding", "densities"),
  "models": ("errors", "types", "quality", "nn", "quantize", "densities"),
  "codec": ("errors", "types", "quality", "coding"),
  "training": ("errors", "types", "quality", "data", "metrics"),
  "zoo": ("errors", "types", "quality", "coding", "data", "codec", "models"),
  "pretrained": ("zoo",),
  "files": ("errors", "types", "coding", "data", "metrics", "zoo"),
  "evaluation": tuple(
    "errors types data metrics models codec zoo files".split()
  ),
  "compressai": (
    "errors",
    "types",
    "coding.tables",
    "densities",
    "models",
    "zoo",
  ),
  "cli": tuple(
    "errors coding data metrics models training zoo compressai files "
    "evaluation".split()
  ),
  "pillow": ("errors", "types", "coding", "files"),
  "__main__": ("cli",),
  "__init__": (),
}


def test_imports_point_down_the_layers():
  wrong = [
    f"{path.relative_to(PACKAGE)} imports {module}"
    for path in sorted(PACKAGE.rglob("*.py"))
    for module in _imports(path)
    if not _allowed(_room(path), module)
  ]
  assert not wrong


def test_every_room_has_a_row_and_every_arrow_is_used():
  rooms = {_room(path) for path in PACKAGE.rglob("*.py")}
  assert rooms == set(ARROWS)
  used = {
    (_room(path), module)
    for path in PACKAGE.rglob("*.py")
    for module in _imports(path)
  }
  for room, arrows in ARROWS.items():
    for arrow in arrows:
      assert any(
        room == user and f"{module}.".startswith(f"{arrow}.")
        for user, module in used
      ), f"{room} does not import {arrow}: remove the arrow"


def test_the_coder_knows_no_jax():
  for path in (PACKAGE / "coding").glob("*.py"):
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
      names = [a.name for a in getattr(node, "names", [])]
      names.append(getattr(node, "module", None) or "")
      assert not {"jax", "flax"} & {str(n).split(".")[0] for n in names}, path


def _room(path: Path) -> str:
  return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imports(path: Path) -> list[str]:
  """Modules of the package that a file imports, without the package's name."""
  modules = []
  for node in ast.walk(ast.parse(path.read_text())):
    if isinstance(node, ast.ImportFrom) and node.module == "jaxlic":
      modules += [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
      modules += [f"{node.module}.{alias.name}" for alias in node.names]
    elif isinstance(node, ast.Import):
      modules += [alias.name for alias in node.names]
  inside = [module.removeprefix("jaxlic.") for module in modules]
  siblings = {_room(path) for path in PACKAGE.rglob("*.py")}
  return [
    name
    for name, module in zip(inside, modules, strict=True)
    if module.startswith("jaxlic.") or name in siblings
  ]


def _allowed(room: str, module: str) -> bool:
  if module.split(".")[0] == room:
    return True
  return any(f"{module}.".startswith(f"{arrow}.") for arrow in ARROWS[room])
