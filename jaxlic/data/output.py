"""Files written whole or not at all.

They are written under a temporary name and then renamed, so that a reader sees
the old file or the new one, never half of it.
"""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from jaxlic.errors import JaxlicError


def write_bytes(path: str | os.PathLike, data: bytes) -> None:
  """Writes a file whole or not at all, replacing what was there.

  Raises:
    JaxlicError: If the target is a folder or a device, or cannot be written.
  """
  # Unlike tempfile, open() leaves the permissions to the umask.
  with replacing(path) as temporary, open(temporary, "xb") as file:
    file.write(data)


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
  """Gives a path to write to; at the end, what is there becomes the target.

  If the block raises, what it wrote is removed and the target is as before.

  Raises:
    JaxlicError: If the target is a folder or a device, or cannot be written.
  """
  target = check_target(path)
  temporary = target.parent / f".jaxlic-{secrets.token_hex(8)}"
  try:
    yield temporary
    with open(temporary, "rb+") as file:
      os.fsync(file.fileno())
    os.replace(temporary, target)
  except OSError as error:
    raise JaxlicError(
      f"{path}: cannot write ({error.strerror}); choose another path"
    ) from error
  finally:
    temporary.unlink(missing_ok=True)


def make_folder(path: str | os.PathLike) -> None:
  """Makes a folder, and those above it.

  Raises:
    JaxlicError: If it cannot be made.
  """
  try:
    os.makedirs(path, exist_ok=True)
  except OSError as error:
    raise JaxlicError(
      f"cannot make the folder {path}: {error.strerror}; choose another"
    ) from error


def check_target(path: str | os.PathLike) -> Path:
  """Returns the file that a write to the path would replace or create.

  Raises:
    JaxlicError: If it is a folder or a device, or its folder is missing.
  """
  # Follow a link, so that its target is replaced and not the link itself.
  target = Path(os.path.realpath(path))
  if os.path.isdir(target):
    raise JaxlicError(f"{path}: is a folder; add a file name")
  if os.path.exists(target) and not os.path.isfile(target):
    raise JaxlicError(f"{path}: is not a regular file; give another path")
  if not os.path.isdir(target.parent):
    raise JaxlicError(f"{path}: no folder {target.parent}; create it first")
  return target
