"""Shows docstrings of the project in Sphinx, which takes them for its markup.

They are plain text: tables are Markdown's, code is indented by four spaces,
and stars and bars mean themselves. Fields of classes have comments.
"""

import dataclasses
import inspect
import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from signatures import FROM_FLAX, field_default, is_call, is_network

CODE = re.compile(r"(`+[^`]*`+)")


def setup(app: Any) -> None:
  """Is called by Sphinx; goes before Napoleon, which reads `Args:`."""
  app.connect("autodoc-process-docstring", _process, priority=400)
  app.connect("autodoc-skip-member", _skip)


def translate(lines: list[str]) -> list[str]:
  """Returns a docstring in reStructuredText.

  Args:
    lines: Those of the docstring, its margin taken off.
  """
  translated = []
  for kind, block in groupby(zip(_kinds(lines), lines, strict=True), _first):
    texts = [line for _, line in block]
    if kind == "table":
      translated += ["", *_table(texts), ""]
    elif kind == "code":
      translated += ["", "::", "", *texts, ""]
    else:
      translated += _escape("\n".join(texts)).split("\n")  # code goes on
  return translated


def fields(obj: Any) -> list[str]:
  """Returns a line for each field of a class: its name, and its comment."""
  if dataclasses.is_dataclass(obj):
    names = [field.name for field in dataclasses.fields(obj)]
    if is_network(obj):
      names = [name for name in names if name not in FROM_FLAX]
  else:
    names = list(getattr(obj, "_fields", ()))
  told = _comments(obj) if names else {}
  heads = [f"- `{name}{field_default(obj, name)}`" for name in names]
  return [
    f"{head}: {_escape(told[name])}" if told.get(name) else head
    for name, head in zip(names, heads, strict=True)
  ]


def _process(app, what, name, obj, options, lines) -> None:
  listed = fields(obj) if what == "class" else []
  if what == "class" and is_call(obj):
    called = inspect.getdoc(vars(obj)["__call__"]) or ""
    lines += ["", *called.splitlines()]
  lines[:] = translate(lines)
  lines += ["", *listed, ""]


def _skip(app, what, name, obj, skip, options) -> bool | None:
  """Fields are listed with their class; autodoc would repeat them, empty."""
  is_field = type(obj).__name__ in ("_tuplegetter", "member_descriptor")
  # A field whose default is a function of another library.
  is_foreign = what == "class" and not getattr(
    obj, "__module__", "jaxlic"
  ).startswith("jaxlic")
  return True if is_field or is_foreign else None


def _first(pair: tuple[str, str]) -> str:
  return pair[0]


def _kinds(lines: list[str]) -> Iterator[str]:
  """What each line is part of: a table, code or text."""
  kind, before = "text", ""
  for line in lines:
    if line.startswith("|"):
      kind = "table"
    elif line.startswith("    ") and (kind == "code" or not before.strip()):
      kind = "code"
    elif line.strip() or kind == "table":
      kind = "text"
    yield kind
    before = line


def _table(rows: list[str]) -> list[str]:
  """A Markdown table whose second row is its rule."""
  # Bars in code do not end a cell.
  bar = re.compile(r"\|(?=(?:[^`]*`[^`]*`)*[^`]*$)")
  head, _, *body = [
    [cell.strip() for cell in bar.split(row.strip())[1:-1]] for row in rows
  ]
  lines = [".. list-table::"]
  if any(head):
    lines.append("   :header-rows: 1")
  lines.append("")
  for row in [head] * any(head) + _joined(body):
    first, *others = [_escape(cell) for cell in row]
    lines += [f"   * - {first}", *(f"     - {cell}" for cell in others)]
  return lines


def _joined(body: list[list[str]]) -> list[list[str]]:
  """Rows, whose last cell goes on where the next row has nothing else."""
  rows: list[list[str]] = []
  for *others, last in body:
    if rows and not any(others):
      rows[-1] = [*rows[-1][:-1], f"{rows[-1][-1]} {last}"]
    else:
      rows.append([*others, last])
  return rows


def _escape(text: str) -> str:
  """Stars, bars and underscores at words' ends mean themselves."""
  parts = [
    part if CODE.fullmatch(part) else re.sub(r"([*|]|_(?!\w))", r"\\\1", part)
    for part in CODE.split(text)
  ]
  # The end of code needs a mark before a letter, which is not printed.
  return "".join(
    rf"\ {part}"
    if i and CODE.fullmatch(parts[i - 1]) and part[:1].isalnum()
    else part
    for i, part in enumerate(parts)
  )


def _comments(obj: Any) -> dict[str, str]:
  """The comment of each field: after it and on, or above it, as a sentence."""
  told, field, above = {}, None, []
  head = re.split(r"^\s+(?:@|def )", inspect.getsource(obj), flags=re.M)[0]
  for line in head.splitlines():  # no comment of a method is a field's
    begins = re.match(r"\s+(\w+):", line)
    code, mark, text = line.partition("# ")
    if begins:
      field = begins[1]
      told[field] = [*above, text] if text else above
      above = []
    elif mark and not code.strip() and field and not above:
      ended = "".join(told[field])
      goes_on = text[0].islower() or ended.endswith(("->", ";", ","))
      (told[field] if goes_on else above).append(text)
    elif mark and not code.strip():
      above.append(text)
  return {name: " ".join(texts) for name, texts in told.items()}
