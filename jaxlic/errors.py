"""What is told to users, in one line."""


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
  else:
    return None
  return " ".join(text.split())


def _reason(error: OSError) -> str:
  """What the system says, or else the last line of the message."""
  words = [error.strerror, *reversed(str(error).splitlines())]
  return next(filter(None, words), type(error).__name__)


def _is_out_of_memory(error: Exception) -> bool:
  """MemoryError, or what JAX raises in its place."""
  jax_s = isinstance(error, RuntimeError) and "RESOURCE_EXHAUSTED" in str(error)
  return jax_s or isinstance(error, MemoryError)
