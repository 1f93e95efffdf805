"""The models, one file per paper, and the only registry of them.

It is open: `register` adds a model of your own, and so do installed packages.
"""

import functools
import importlib.metadata
import inspect
import operator
from collections.abc import Callable
from typing import Any

from jaxlic.errors import JaxlicError
from jaxlic.models import (
  balle2017,
  bmshj2018,
  cheng2020,
  cui2021,
  elic2022,
  gained,
  lapped,
  lvqac,
  mbt2018,
  ms2020,
  scgain,
  theis2017,
)
from jaxlic.models.parts.options import build, defaults
from jaxlic.types import Model

# Those of one rate.
BACKBONES: dict[str, Callable[..., Model]] = {
  "bmshj2018-factorized": bmshj2018.make_factorized,
  "bmshj2018-factorized-relu": bmshj2018.make_factorized_relu,
  "bmshj2018-hyperprior": bmshj2018.make_hyperprior,
  "mbt2018-mean": mbt2018.make_mean,
  "mbt2018": mbt2018.make_joint,
  "mbt2018-checkerboard": functools.partial(
    mbt2018.make_joint, order="checkerboard", name="mbt2018-checkerboard"
  ),
  "cheng2020-anchor": cheng2020.make,
  "cheng2020-attn": functools.partial(
    cheng2020.make, attention=True, name="cheng2020-attn"
  ),
  "cheng2020-anchor-checkerboard": functools.partial(
    cheng2020.make, order="checkerboard", name="cheng2020-anchor-checkerboard"
  ),
  "elic2022": elic2022.make,
  "ms2020": ms2020.make,
  "lvqac-minnen2018": lvqac.make_minnen,
  "lvqac-cheng2020": lvqac.make_cheng,
  "balle2017": balle2017.make,
  "theis2017": theis2017.make,
  "theis2017-mixture": functools.partial(
    theis2017.make,
    density="mixture",
    components=2,
    padding="zero",
    name="theis2017-mixture",
  ),
}
MODELS: dict[str, Callable[..., Model]] = {
  "lapped": lapped.make,
  **BACKBONES,
  "gained": functools.partial(gained.make, BACKBONES),
  "cui2021": cui2021.make,
  "scgain": scgain.make,
  "theis2017-scaled": functools.partial(
    theis2017.make, lambdas=theis2017.LAMBDAS, name="theis2017-scaled"
  ),
}


ENTRY_POINTS = "jaxlic.models"  # the group of installed packages' models


def register(name: str, make: Callable[..., Model]) -> None:
  """Adds a model of your own to the registry, for this process.

  Packages that are installed need no call: they name `make` as the entry point
  `name` of the group "jaxlic.models". A function that is defined anew, as in a
  notebook or by a reload, takes the place of the one before.

  Args:
    name: Of the architecture, by which codecs and configurations know it.
    make: From options, as keywords with defaults, to the model; one of them may
      be `dtype`, in which training computes, "float32" or "bfloat16".

  Raises:
    JaxlicError: If another model has that name.
  """
  known = MODELS.get(name, make)
  if known is not make and not _is_defined_anew(known, make):
    raise JaxlicError(
      f"an architecture's name is its own, {name!r} is taken; choose another"
    )
  MODELS[name] = make


def _is_defined_anew(known: Callable, make: Callable) -> bool:
  """Whether both are functions of one name in one module."""
  places = [
    (function.__module__, function.__qualname__)
    for function in (known, make)
    if inspect.isfunction(function)
  ]
  return len(places) == 2 and places[0] == places[1]


def names() -> list[str]:
  """Returns the names of the registry, and those of installed packages."""
  entries = importlib.metadata.entry_points(group=ENTRY_POINTS)
  return list(dict.fromkeys([*MODELS, *sorted(entries.names)]))


def make(name: str, /, **options: object) -> Model:
  """Returns the model of that name.

  Lists among the options, which is what JSON makes of tuples, become tuples,
  and groups of a configuration's fields dictionaries.

  Raises:
    JaxlicError: If the registry has none of that name, an option is not one of
      that model, or a value breaks the rule of its kind, see parts/options.py.
  """
  maker = MODELS.get(name) or _installed(name)
  plain = {key: _plain(value) for key, value in options.items()}
  return build(maker, name, plain)


def _plain(value: Any) -> Any:
  """An option of the type that models have."""
  if isinstance(value, list):
    return tuple(value)
  return dict(value) if hasattr(value, "keys") else value


def options(name: str) -> dict[str, object]:
  """Returns a model's options by name, with their defaults.

  Without `dtype`, which belongs to a training, and the model's `name`.

  Raises:
    JaxlicError: If the registry has none of that name, or an option has no
      default, or one that no file could hold.
  """
  known = defaults(MODELS.get(name) or _installed(name), name)
  return {k: v for k, v in known.items() if k not in ("dtype", "name")}


def _installed(name: str) -> Callable[..., Model]:
  """The model of an installed package, which is imported only if it is asked.

  Raises:
    JaxlicError: If none has one of that name.
  """
  for entry in importlib.metadata.entry_points(group=ENTRY_POINTS, name=name):
    return _loaded(entry)
  raise JaxlicError(
    f"an architecture is one of {', '.join(names())}, got {name!r}; import the "
    "module that registers it (--import, in Python by its name), or install "
    f"the package that has it as an entry point of {ENTRY_POINTS}"
  )


def _loaded(entry: importlib.metadata.EntryPoint) -> Callable[..., Model]:
  """What raises inside the package's module is not changed."""
  try:
    module = importlib.import_module(entry.module)
  except ModuleNotFoundError as error:
    raise JaxlicError(_lost(entry, error)) from error
  try:
    return operator.attrgetter(entry.attr or "")(module)
  except AttributeError as error:
    raise JaxlicError(_lost(entry, error)) from error


def _lost(entry: importlib.metadata.EntryPoint, error: Exception) -> str:
  return (
    f"the entry point {entry.name} of {ENTRY_POINTS} is {entry.value}, which "
    f"cannot be loaded ({error}); mend or remove its package"
  )
