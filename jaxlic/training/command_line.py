"""The flags of train.py; whatever is wrong with them is told in one line.

The flags are defined by train.py; here they are known by the names `config` and
`workdir`.
"""

import re
import traceback
from collections.abc import Sequence

from absl import flags
from ml_collections import config_flags

from jaxlic.errors import JaxlicError

_JAXLIC_ERROR = f"{JaxlicError.__module__}.{JaxlicError.__name__}: "


def parse(words: Sequence[str]) -> list[str]:
  """Returns what is left of the command line, and sets the flags.

  Raises:
    JaxlicError: If a word is no flag, a flag has no such value, or one that
      every training needs is missing.
  """
  try:
    rest = flags.FLAGS(words)
    _check(rest[1:])  # a file that cannot be read is an error when it is used
    return rest
  except (AttributeError, KeyError) as error:
    raise JaxlicError(_of_field(words, error)) from error
  except OSError as error:
    raise JaxlicError(_of_file(error)) from error
  except ImportError as error:
    raise JaxlicError(
      f"--config imports what is not there ({error}); install it, or give its "
      "file, --import=PATH/MODULE.py"
    ) from error
  except flags.Error as error:
    raise JaxlicError(_of_flag(error)) from error


def imported(words: Sequence[str]) -> list[str]:
  """Returns what --import names, of which a configuration may make use.

  Raises:
    JaxlicError: If its value is missing.
  """
  first = flags.FlagValues()
  first.set_gnu_getopt()
  flags.DEFINE_multi_string("import", [], "", flag_values=first)
  try:
    first(words, known_only=True)
  except flags.Error as error:
    raise JaxlicError(_of_flag(error)) from error
  return first["import"].value


def device_numbers(words: Sequence[str] | None) -> list[int] | None:
  """Returns the numbers of --local_devices."""
  if words is None:
    return None
  if not all(word.isdecimal() for word in words):
    raise JaxlicError(
      f"--local_devices are numbers, got {','.join(words)}; write 0,1,2,3"
    )
  return [int(word) for word in words]


def _check(rest: Sequence[str]) -> None:
  """Refuses words that are no flags, and flags that lack what a run needs."""
  if rest:
    raise JaxlicError(
      f"there are only flags, got {rest[0]!r}; write --NAME=VALUE"
    )
  for name in ("config", "workdir"):
    if flags.FLAGS[name].value in (None, ""):
      raise JaxlicError(
        f"--{name} is missing; give --config=configs/NAME.py --workdir=DIR"
      )
  if "model" not in flags.FLAGS["config"].value:
    file = config_flags.get_config_filename(flags.FLAGS["config"])
    raise JaxlicError(
      f"{file} has no model; name one, as in {file}:mbt2018-mean, or another "
      "file, such as configs/lapped.py"
    )


def _of_field(words: Sequence[str], error: Exception) -> str:
  """What is wrong with a field: in a configuration's file, or in a flag."""
  for frame in traceback.extract_tb(error.__traceback__):
    if frame.name == "get_config":
      return _of_line(frame.filename, frame.lineno, error)
  return f"the config has no field {_unknown_field(words, error)}"


def _of_line(file: str, line: object, what: object) -> str:
  return f"{file}, line {line}: {what}; correct the config"


def _of_file(error: OSError) -> str:
  last = str(error).splitlines()[-1].removesuffix(".")
  reason = re.sub(r".*(\[Errno \d+\]|failure to load:) ", "", last)
  return (
    f"--config cannot be read ({reason}); name a file such as configs/lapped.py"
  )


def _of_flag(error: flags.Error) -> str:
  """What is wrong with a flag, or what its configuration's file raised."""
  last = str(error).strip().splitlines()[-1].removesuffix(".")
  if last.startswith(_JAXLIC_ERROR):  # at the end of a traceback
    return last.removeprefix(_JAXLIC_ERROR)
  places = re.findall(r'File "(.+)", line (\d+), in get_config\n', str(error))
  if places:
    return _of_line(*places[-1], last.partition(": ")[2] or last)
  return f"{last}; see train.py --help"


def _unknown_field(words: Sequence[str], error: Exception) -> str:
  """The field that an error of ml_collections is about, and what is like it."""
  meant = re.search(r'Did you mean "(.*?)"', str(error))
  while error.__context__:
    error = error.__context__
  name = re.findall(r"[\w.]+", str(error))[-1]
  given = (re.match(r"--?(?:no)?config\.([^=]+)", word) for word in words)
  paths = [match[1] for match in given if match]
  path = next((p for p in paths if name in (p, *p.split("."))), name)
  if meant:
    return f'{path}; did you mean "{meant[1]}"?'
  return f"{path}; see jaxlic/training/config.py"
