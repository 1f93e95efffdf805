"""Files that commands read and write, and standard streams in their place."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from jaxlic.errors import JaxlicError


def read_bytes(path: str) -> bytes:
  """Returns the bytes of a file, or of standard input for -.

  Raises:
    JaxlicError: If it cannot be read.
  """
  if path == "-":
    return sys.stdin.buffer.read()
  try:
    return Path(path).read_bytes()
  except (OSError, ValueError) as error:
    reason = getattr(error, "strerror", None) or error
    raise JaxlicError(f"{path}: cannot read ({reason}); check it") from error


@contextlib.contextmanager
def named(path: str) -> Iterator[None]:
  """Says which file what goes wrong in the block is of.

  Raises:
    JaxlicError: As the block does, after the path.
  """
  try:
    yield
  except JaxlicError as error:
    raise JaxlicError(f"{path}: {error}") from error


def write_bytes(path: str, data: bytes) -> None:
  """Writes a file whole or not at all, or to standard output for -.

  Raises:
    JaxlicError: If the file cannot be written.
  """
  from jaxlic.data import output

  if path != "-":
    output.write_bytes(path, data)
    return
  sys.stdout.buffer.write(data)
  sys.stdout.buffer.flush()


def check_no_terminal() -> None:
  """Refuses to show the bytes of a file.

  Raises:
    JaxlicError: If standard output is a terminal, or was closed.
  """
  if sys.__stdout__ is None:
    raise JaxlicError(
      "- writes a file's bytes to standard output, which is closed; open it, "
      "or name a file"
    )
  if sys.stdout.isatty():
    raise JaxlicError(
      "- writes a file's bytes to standard output, here a terminal; redirect "
      "it, or name a file"
    )
