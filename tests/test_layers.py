"""Imports point down the layers; a new room needs a row here."""

import ast
from pathlib import Path

import jaxlic

PACKAGE = Path(jaxlic.__file__).parent
ARROWS = {
  "types": (),
  "coding": ("types",),
  "nn": ("types",),
  "quantize": ("types", "nn"),
  "data": ("types",),
  "metrics": ("types",),
  "entropy": ("types", "nn", "coding.tables"),
  "models": ("types", "nn", "quantize", "entropy"),
  "codec": ("types", "coding"),
  "training": ("types", "metrics"),
  "complexity": ("types",),
  "checkpoint": (
    "types",
    "coding.container",
    "coding.tables",
    "data",
    "codec",
    "models",
    "training",
  ),
  "pretrained": ("types", "checkpoint"),
  "files": ("types", "coding", "data", "checkpoint", "pretrained"),
  "evaluate": ("types", "data", "metrics", "checkpoint", "pretrained", "files"),
  "report": ("types", "data", "metrics", "checkpoint", "pretrained", "files"),
  "cli": tuple(
    "types coding data metrics codec models complexity checkpoint pretrained "
    "files evaluate report".split()
  ),
  "__main__": ("cli",),
  "__init__": ("files", "pretrained", "types"),
}


def test_imports_point_down_the_layers():
  wrong = [
    f"{path.relative_to(PACKAGE)} imports {module}"
    for path in sorted(PACKAGE.rglob("*.py"))
    for module in _imports(path)
    if not _allowed(_room(path), module)
  ]
  assert not wrong


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
  found = []
  for node in ast.walk(ast.parse(path.read_text())):
    if isinstance(node, ast.ImportFrom) and node.module == "jaxlic":
      found += [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
      found += [f"{node.module}.{alias.name}" for alias in node.names]
    elif isinstance(node, ast.Import):
      found += [alias.name for alias in node.names]
  own = [name.removeprefix("jaxlic.") for name in found]
  return [
    name
    for name, full in zip(own, found, strict=True)
    if full.startswith("jaxlic.") or name.split(".")[0] in ARROWS
  ]


def _allowed(room: str, module: str) -> bool:
  if module.split(".")[0] == room:
    return True
  return any(f"{module}.".startswith(f"{arrow}.") for arrow in ARROWS[room])
