"""Rows of values as text."""

from typing import Any


def to_text(rows: list[dict[str, Any]]) -> str:
  """Returns columns under their keys; the first is set to the left."""
  head = [key.replace("_", " ") for key in rows[0]]
  lines = [head, *([str(value) for value in row.values()] for row in rows)]
  widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
  return "\n".join(
    "  ".join(
      [line[0].ljust(widths[0])]
      + [w.rjust(n) for w, n in zip(line[1:], widths[1:], strict=True)]
    ).rstrip()
    for line in lines
  )
