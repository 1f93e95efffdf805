"""What is told to users, in one line."""


class JaxlicError(ValueError):
  """A rule that an input broke, its value and the way out, in one line."""


def one_line(error: BaseException) -> str:
  """Returns the beginning of what another library says of an error."""
  return " ".join(str(error).split())[:200]
