"""The form of divisive normalization that a model has, as an option says it."""

from collections.abc import Mapping
from typing import Any

from jaxlic.errors import JaxlicError
from jaxlic.nn import gdn


def form(norm: str | Mapping[str, Any]) -> gdn.Constants:
  """Returns the constants of a preset, or of changes of one, see nn/gdn.py.

  Raises:
    JaxlicError: If there is no such preset or constant, or a constant has a
      value that it cannot have.
  """
  try:
    return gdn.constants(norm)
  except ValueError as error:
    raise JaxlicError(str(error)) from error
