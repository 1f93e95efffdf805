"""The command line: `jaxlic compress | decompress | info | models | eval ...`.

Each command is a module with `add(subparsers)`, which says its words, and
`run(options)`, which may return an exit code. Whatever goes wrong is one line
on stderr and exit code 2. JAX takes most of a second to import, so each command
imports what it needs when it runs.
"""

import sys
from collections.abc import Sequence

from jaxlic import __version__
from jaxlic.cli import (
  compress,
  decompress,
  demo,
  ensemble,
  eval_,
  export,
  import_,
  info,
  models,
  prepare,
  process,
)
from jaxlic.cli.arguments import Parser, import_modules
from jaxlic.errors import explain

COMMANDS = (
  compress,
  decompress,
  info,
  export,
  ensemble,
  import_,
  prepare,
  models,
  eval_,
  demo,
)
FAILED, INTERRUPTED, BROKEN_PIPE = 2, 130, 141  # exit codes


def main(arguments: Sequence[str] | None = None) -> int:
  """Runs one command and returns its exit code.

  Args:
    arguments: The words after `jaxlic`; None for those of this process.
  """
  if arguments is None:
    process.set_up()
  try:
    options = _parser().parse_args(arguments)
    import_modules(options)
    code = options.run(options)
    sys.stdout.flush()
    return code or 0
  except KeyboardInterrupt:
    return INTERRUPTED
  except BrokenPipeError:
    process.drop_output()
    return BROKEN_PIPE
  except Exception as error:
    if isinstance(error, OSError):
      process.drop_output()
    message = explain(error)
    if message is None:
      raise
    process.say(f"jaxlic: {message}")
    return FAILED


def _parser() -> Parser:
  """What it parses has the command as `run(options)`."""
  parser = Parser(
    prog="jaxlic",
    description="Learned image compression in JAX.",
    allow_abbrev=False,
  )
  version = f"jaxlic {__version__}"
  parser.add_argument("--version", action="version", version=version)
  subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
  for command in COMMANDS:
    command.add(subparsers)
  return parser
