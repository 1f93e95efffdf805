"""Files that commands read, and those that they would replace."""

import os
from pathlib import Path

from jaxlic.errors import JaxlicError


def read_bytes(path: str) -> bytes:
  """Returns the bytes of a file.

  Raises:
    JaxlicError: If it cannot be read.
  """
  try:
    return Path(path).read_bytes()
  except (OSError, ValueError) as error:
    reason = getattr(error, "strerror", None) or error
    raise JaxlicError(f"{path}: cannot read ({reason}); check it") from error


def check_distinct(source: str, target: Path) -> None:
  """Refuses to write, as `target`, what is read.

  Raises:
    JaxlicError: If they are one file.
  """
  if os.path.exists(source) and target.exists():
    if os.path.samefile(source, target):
      raise JaxlicError(
        f"{source}: the output would replace the input; give another path"
      )
