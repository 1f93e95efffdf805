"""What is told to users, in one line."""

import os
import sys
import traceback
from pathlib import Path

_FLAGS = ("jax", "_src", "config.py")


class JaxlicError(ValueError):
  """A rule that an input broke, its value and the way out, in one line."""


def one_line(error: BaseException) -> str:
  """Returns the beginning of what another library says of an error."""
  return " ".join(str(error).split())[:200]


def explain(error: Exception) -> str | None:
  """Returns a line on what a user can mend; None for anything else."""
  if isinstance(error, JaxlicError):
    text = str(error)
  elif isinstance(error, OSError):
    text = f"{error.filename or 'files'}: {_reason(error)}; check it"
  elif _is_out_of_memory(error):
    text = (
      "not enough memory; scale or crop the image, or in a training raise "
      "accumulate, or lower data.batch or data.crop"
    )
  elif _is_of_environment(error):
    text = (
      "an environment variable of JAX has a value that it does not take "
      f"({one_line(error)}); leave it out"
    )
  elif reason := _lack_of_devices():
    text = (
      f"JAX_PLATFORMS={os.environ['JAX_PLATFORMS']}: JAX finds no such devices "
      f"here ({reason}); leave it out, or set it to cpu"
    )
  else:
    return None
  return " ".join(text.split())


def _reason(error: OSError) -> str:
  """What the system says, or else the last line of the message."""
  words = [error.strerror, *reversed(str(error).splitlines())]
  return next(filter(None, words), type(error).__name__)


def _is_of_environment(error: Exception) -> bool:
  """Whether JAX raised it when it read its flags, as it was imported."""
  frames = traceback.extract_tb(error.__traceback__)
  parts = Path(frames[-1].filename).parts if frames else ()
  return isinstance(error, ValueError) and parts[-3:] == _FLAGS


def _lack_of_devices() -> str | None:
  """Why JAX does not start, where it is told the devices to start with."""
  if not os.environ.get("JAX_PLATFORMS") or "jax" not in sys.modules:
    return None
  try:
    # Once more: for some devices what it raises has neither words nor a type.
    sys.modules["jax"].devices()
  except Exception as error:
    return one_line(error) or "they are not installed"
  return None


def _is_out_of_memory(error: Exception) -> bool:
  """MemoryError, or what JAX raises in its place."""
  jax_s = isinstance(error, RuntimeError) and "RESOURCE_EXHAUSTED" in str(error)
  return jax_s or isinstance(error, MemoryError)
