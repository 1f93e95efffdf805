"""The codecs that ship with the package; `load(name)` needs no download.

`DEFAULT` is what is meant where none is named. All stay, so that their files
stay readable.
"""

import functools
from pathlib import Path

import jaxlic
from jaxlic.errors import JaxlicError
from jaxlic.zoo.codec_folder import Trained
from jaxlic.zoo.codec_folder import load as load_folder

_HERE = Path(jaxlic.__file__).parent / "pretrained"
DEFAULT = "lapped-1"
DEMO = _HERE / "demo.png"  # See demo-photograph.md


def names() -> list[str]:
  """Returns the embedded codecs' names."""
  return sorted(path.parent.name for path in _HERE.glob("*/codec.json"))


def embedded_folder(name: str) -> Path:
  """Returns where an embedded codec lies."""
  return _HERE / name


def load(name_or_folder: str | Path = DEFAULT) -> Trained:
  """Returns an embedded codec by name, or one of your own by its folder.

  A folder is read at each call: it may have been exported anew.

  Raises:
    JaxlicError: If there is neither.
  """
  if str(name_or_folder) in names():
    return _embedded(str(name_or_folder))
  if Path(name_or_folder).is_dir():
    return load_folder(name_or_folder)
  raise JaxlicError(
    f"a model is a folder or one of {', '.join(names())}, got "
    f"{str(name_or_folder)!r}; see `jaxlic models`"
  )


@functools.cache
def _embedded(name: str) -> Trained:
  return load_folder(embedded_folder(name))
