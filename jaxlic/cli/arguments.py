"""Words that commands share."""

import argparse
from typing import Any, NoReturn

from jaxlic.cli import modules

MODEL_HELP = "an embedded codec, or a codec's folder"


class Parser(argparse.ArgumentParser):
  """Says what is wrong in one line."""

  def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
    """Takes `paths` from between options, too, where argparse takes the first.

    Exits with code 2 if there is a word that it does not know.
    """
    options, rest = self.parse_known_args(args, namespace)
    unknown = [word for word in rest if word.startswith("-") and word != "-"]
    if rest and (unknown or not hasattr(options, "paths")):
      self.error(f"unrecognized arguments: {' '.join(unknown or rest)}")
    if rest:
      options.paths += rest
    return options

  def error(self, message: str) -> NoReturn:
    """Exits with code 2."""
    line = " ".join(message.split())
    self.exit(2, f"jaxlic: {line}; see {self.prog} --help\n")


def add_model(command: Parser, text: str = MODEL_HELP) -> None:
  """Adds --model, and what makes a model of the user's own known."""
  command.add_argument("--model", metavar="NAME_OR_DIR", help=text)
  add_import(command)


def add_import(command: Parser) -> None:
  """Adds --import, for `import_modules`."""
  command.add_argument(
    "--import",
    action="append",
    dest="modules",
    metavar="MODULE",
    help="a Python module that registers models, or its file, imported first; "
    "may be given again",
  )


def import_modules(options: argparse.Namespace) -> None:
  """Imports what --import names.

  Raises:
    JaxlicError: As `modules.import_all`.
  """
  modules.import_all(getattr(options, "modules", None) or [])


def add_quality(command: Any) -> None:
  """Adds --quality to a command, or to a group of its arguments."""
  command.add_argument(
    "--quality",
    type=float,
    metavar="Q",
    help="0 (smallest) to the codec's best, 6 for embedded ones, any number "
    "between; default: the middle, here 3; codecs of one rate ignore it",
  )


def add_force(command: Parser) -> None:
  """Adds --force."""
  command.add_argument(
    "--force",
    action="store_true",
    help="replace a file even if it is of another kind, or read-only",
  )


def add_strip(command: Parser) -> None:
  """Adds --strip."""
  command.add_argument(
    "--strip", action="store_true", help="leave EXIF and XMP out"
  )


def add_json(command: Parser) -> None:
  """Adds --json."""
  command.add_argument("--json", action="store_true", help="for programs")
