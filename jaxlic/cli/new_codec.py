"""What commands share that write a codec's folder: its place, a last line."""

import re
from argparse import Namespace
from pathlib import Path
from typing import Any

from jaxlic.cli import arguments
from jaxlic.cli.arguments import Parser
from jaxlic.errors import JaxlicError


def add(command: Parser) -> None:
  """Adds --name, for `check`, and --force."""
  arguments.add_force(command)
  command.add_argument(
    "--name",
    help="kept in every file; default: OUT_DIR's last part in lower case, with "
    "- for what is none of a-z 0-9 . _",
  )


def check(options: Namespace) -> str:
  """Returns the name of the codec that is to be written to `options.target`.

  It is the one that is asked for, or one from the folder's.

  Raises:
    JaxlicError: If the folder's name has no letter that a file could hold, or
      the folder holds what may not be replaced.
  """
  from jaxlic import zoo

  zoo.check_folder(options.target, force=options.force)
  if options.name:
    return options.name
  last = Path(options.target).resolve().name
  name = re.sub(r"[^a-z0-9._-]+", "-", last.lower())[:64]
  if not name.strip("-"):
    raise JaxlicError(
      f"a codec's name has characters of a-z 0-9 . _ -, {options.target} has "
      "none; give it one with --name"
    )
  return name


def summary(options: Namespace, trained: Any) -> str:
  """Returns a line on the folder that was written."""
  from jaxlic import zoo

  return (
    f"{options.target}: a codec named {trained.name}, fingerprint "
    f"{trained.fingerprint:#010x}, {zoo.size_bytes(options.target)} bytes"
  )
