"""Modules of users' own that register models, by their names or their files.

A file's folder, or else the current directory, is where Python then looks for
modules first, as it does for a script; processes that are spawned inherit that.
"""

import importlib
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from jaxlic.errors import JaxlicError


def import_all(words: Iterable[str]) -> None:
  """Imports modules in turn.

  What such a module raises by itself is not changed.

  Args:
    words: Names, as Python's import has them, or files that end in .py.

  Raises:
    JaxlicError: If a word is neither, there is no such module or file, another
      module has the name of the file, or a module imports one that is missing.
  """
  for word in words:
    if word.endswith(".py"):
      _import_file(word)
    elif all(part.isidentifier() for part in word.split(".")):
      _look_in(os.getcwd(), "")
      _imported(word, word)
    else:
      raise JaxlicError(
        "--import takes a module as Python names it, such as my.models, or its "
        f"file, such as my_models.py, got {word!r}; correct it"
      )


def _import_file(word: str) -> None:
  path = Path(word).resolve()
  if not path.is_file():
    raise JaxlicError(f"--import {word}: there is no such file; correct it")
  if not path.stem.isidentifier():
    raise JaxlicError(
      f"--import {word}: a module's file has a name of letters, digits and _; "
      "rename it"
    )
  _look_in(str(path.parent))
  module = _imported(path.stem, word)
  other = getattr(module, "__file__", None)
  if other is None or Path(other).resolve() != path:
    raise JaxlicError(
      f"--import {word}: another module has its name, {other or 'of Python'}; "
      "rename the file"
    )


def _look_in(folder: str, *same: str) -> None:
  if not {folder, *same} & set(sys.path):
    sys.path.insert(0, folder)


def _imported(name: str, word: str) -> ModuleType:
  try:
    return importlib.import_module(name)
  except ModuleNotFoundError as error:
    if f"{name}.".startswith(f"{error.name}."):
      way = "give its file, --import PATH/MODULE.py, or start where it lies"
    else:
      way = "it imports that; install it, or put it beside"
    raise JaxlicError(f"--import {word}: {error}; {way}") from error
