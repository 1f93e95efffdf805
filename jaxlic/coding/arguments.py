"""What the coder is given, checked with a line that says what to do."""

from typing import Any

import numpy as np

from jaxlic.errors import JaxlicError

Symbols = Any  # int32 [n]
Rows = Any  # integers [n *parameters]


def check_symbols(symbols: Symbols) -> None:
  """Raises a JaxlicError for what is no int32 [n]."""
  if not isinstance(symbols, np.ndarray) or symbols.dtype != np.int32:
    raise JaxlicError(
      f"symbols are int32, got {_about(symbols)}; round and convert them first"
    )
  if symbols.ndim != 1:
    raise JaxlicError(
      f"symbols lie along one axis, got {_about(symbols)}; ravel them first"
    )


def check_rows(rows: Rows) -> None:
  """Raises a JaxlicError for what is no array of integers [n] or [n k]."""
  is_array = isinstance(rows, np.ndarray)
  if not is_array or rows.dtype.kind not in "iu" or rows.ndim not in (1, 2):
    raise JaxlicError(
      "rows are integers, [n] or [n k], in a NumPy array, got "
      f"{_about(rows)}; give those that the density predicts"
    )


def _about(value: object) -> str:
  """The type and shape of what should be an array."""
  if isinstance(value, np.ndarray):
    return f"{value.dtype} {list(value.shape)}"
  return type(value).__name__
