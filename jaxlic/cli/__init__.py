"""The command line: `jaxlic compress | decompress | info | models | eval ...`.

Whatever goes wrong is one line on stderr and exit code 2. JAX takes most of a
second to import, so each sub-command imports what it needs when it runs.
"""

import os
import sys
import warnings
from collections.abc import Sequence

from jaxlic.cli import parser
from jaxlic.errors import JaxlicError

FAILED, INTERRUPTED, BROKEN_PIPE = 2, 130, 141  # exit codes


def main(arguments: Sequence[str] | None = None) -> int:
  """Runs one command and returns its exit code.

  Args:
    arguments: The words after `jaxlic`; None for those of this process.
  """
  if arguments is None:
    _prepare_process()
  try:
    options = parser.build().parse_args(arguments)
    options.run(options)
    sys.stdout.flush()
    return 0
  except JaxlicError as error:
    return _fail(str(error))
  except KeyboardInterrupt:
    return INTERRUPTED
  except BrokenPipeError:
    _drop_output()
    return BROKEN_PIPE
  except OSError as error:
    _drop_output()
    where = f"{error.filename}: " if error.filename else ""
    return _fail(f"{where}{error.strerror or error}")
  except (MemoryError, RuntimeError) as error:
    if not _is_out_of_memory(error):
      raise
    return _fail("not enough memory for this image; scale or crop it")


def _fail(message: str) -> int:
  print(f"jaxlic: {' '.join(message.split())}", file=sys.stderr)
  return FAILED


def _is_out_of_memory(error: Exception) -> bool:
  """MemoryError, or what JAX raises in its place."""
  return isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error)


def _drop_output() -> None:
  """Leaves nothing for Python to flush, and fail at again, when it ends."""
  try:
    sys.stdout.flush()
  except OSError:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _prepare_process() -> None:
  """Keeps compiled programs between runs, and JAX's notes off the terminal.

  Set before JAX is imported, and only where the user has not.
  """
  sys.stdout.reconfigure(errors="backslashreplace")  # file names may be bytes
  os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
  warnings.filterwarnings("ignore", message=".*persistent compilation cache.*")
  folder = _cache_folder()
  if "JAX_COMPILATION_CACHE_DIR" in os.environ or folder is None:
    return
  os.environ["JAX_COMPILATION_CACHE_DIR"] = folder
  for name, value in [("COMPILE_TIME_SECS", "0"), ("ENTRY_SIZE_BYTES", "-1")]:
    os.environ.setdefault(f"JAX_PERSISTENT_CACHE_MIN_{name}", value)


def _cache_folder() -> str | None:
  """Where compiled programs are kept; None if nothing can be written there."""
  root = os.environ.get("XDG_CACHE_HOME", "")
  if not os.path.isabs(root):  # As the XDG specification asks.
    root = os.path.expanduser("~/.cache")
  folder = os.path.join(root, "jaxlic")
  try:
    os.makedirs(folder, exist_ok=True)
  except OSError:
    return None
  return folder if os.access(folder, os.W_OK) else None
