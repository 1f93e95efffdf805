"""Files written whole or not at all, and never over what is not theirs.

They are written under a temporary name and then renamed, so that a reader sees
the old file or the new one, never half of it. What may be replaced is judged
before work begins: a file of the kind that is written, by its content.
"""

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from jaxlic.errors import JaxlicError


class Kind(NamedTuple):
  """What is written: how its files are named, and how they are known."""

  name: str  # with its article, such as "a .jlic file"
  suffixes: tuple[str, ...]  # in lower case; (): any
  is_kind: Callable[[Path], bool]  # whether an existing file is one


def check_target(
  path: str | os.PathLike, kind: Kind, *, force: bool = False
) -> Path:
  """Returns the file that a write to the path would replace or create.

  What exists may be replaced if it is empty or of that kind.

  Args:
    path: Where something is to be written.
    kind: What that is.
    force: Replace other files, too.

  Raises:
    JaxlicError: If the path has another suffix, is a folder or a device, its
      folder is missing or may not be written in, or, without `force`, it is a
      file of another kind or one that may not be written to.
  """
  target, suffix = _place(path), Path(path).suffix
  if not os.access(target.parent, os.W_OK):
    raise JaxlicError(
      f"{path}: no permission to write in {target.parent}; give another path"
    )
  if kind.suffixes and suffix.lower() not in kind.suffixes:
    raise JaxlicError(
      f"{path}: {kind.name} ends in {', '.join(kind.suffixes)}, got "
      f"{suffix!r}; give it such a suffix"
    )
  if force or not target.exists():
    return target
  if not (target.stat().st_mode & 0o222 and os.access(target, os.W_OK)):
    raise JaxlicError(
      f"{path}: is read-only, and stays as it is; give another path, or force "
      "(--force) to replace it"
    )
  if target.stat().st_size and not kind.is_kind(target):
    raise JaxlicError(
      f"{path}: exists and is not {kind.name}, so it stays as it is; give "
      "another path, or force (--force) to replace it"
    )
  return target


def check_distinct(
  source: str | os.PathLike, target: str | os.PathLike
) -> None:
  """Refuses to write, as `target`, what is read.

  Raises:
    JaxlicError: If they are one file.
  """
  same = False
  with contextlib.suppress(OSError, ValueError):  # one of them is not there
    same = os.path.samefile(source, target)
  if same:
    raise JaxlicError(
      f"{source}: the output would replace the input; give another path"
    )


def begins_with(magic: bytes) -> Callable[[Path], bool]:
  """Returns whether a file begins with these bytes, as a function of it."""

  def begins(path: Path) -> bool:
    with open(path, "rb") as file:
      return file.read(len(magic)) == magic

  return begins


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
  target = _place(path)
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


def _place(path: str | os.PathLike) -> Path:
  """The file that a path means, where one may be."""
  # Follow a link, so that its target is replaced and not the link itself.
  target = Path(os.path.realpath(path))
  if os.path.isdir(target):
    raise JaxlicError(f"{path}: is a folder; add a file name")
  if os.path.exists(target) and not os.path.isfile(target):
    raise JaxlicError(f"{path}: is not a regular file; give another path")
  if not os.path.isdir(target.parent):
    raise JaxlicError(f"{path}: no folder {target.parent}; create it first")
  return target
