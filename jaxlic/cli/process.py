"""What a process needs before its command runs, and where output fails."""

import os
import sys
import warnings


def set_up() -> None:
  """Keeps compiled programs between runs, and JAX's notes off the terminal.

  Set before JAX is imported, and only where the user has not.
  """
  open_closed_streams()
  sys.stdout.reconfigure(errors="backslashreplace")  # file names may be bytes
  os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
  warnings.filterwarnings("ignore", message=".*persistent compilation cache.*")
  # All that a command moves between host and devices is meant.
  for name in [name for name in os.environ if "JAX_TRANSFER_GUARD" in name]:
    del os.environ[name]
  folder = cache_folder()
  if "JAX_COMPILATION_CACHE_DIR" in os.environ or folder is None:
    return
  os.environ["JAX_COMPILATION_CACHE_DIR"] = folder
  for name, value in [("COMPILE_TIME_SECS", "0"), ("ENTRY_SIZE_BYTES", "-1")]:
    os.environ.setdefault(f"JAX_PERSISTENT_CACHE_MIN_{name}", value)


def cache_folder() -> str | None:
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


def say(message: str) -> None:
  """Prints a line on stderr; where that is full there is nobody to tell."""
  try:
    print(message, file=sys.stderr, flush=True)
  except OSError:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def open_closed_streams() -> None:
  """Gives standard streams that are closed the null device.

  Else the next file that is opened would have their number, and what a library
  prints would go into it: call it before any is.
  """
  for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
    if getattr(sys, name) is None:
      # The lowest number that is free, which is the stream's own.
      null = os.open(os.devnull, os.O_RDWR)
      setattr(sys, name, open(null, mode, closefd=False))


def drop_output() -> None:
  """Leaves nothing for Python to flush, and fail at again, when it ends."""
  try:
    sys.stdout.flush()
  except OSError:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
